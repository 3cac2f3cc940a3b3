"""`lodestream serve`: the command line of the real server. The command line finds `register` through an entry point, so
that the client alone needs none of this.

Imports no server before the command runs: `lodestream --help` stays quick.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

#: The server could not start, or fell over.
FAILED: Final = 1
#: What was asked for makes no sense; as typer itself exits.
USAGE: Final = 2

_EPILOG: Final = """Examples:

lodestream serve --data-dir data --ready-file data/ready.json

lodestream serve --grpc 127.0.0.1:0 --ready-file ready.json   (a free port; the file tells which)

lodestream serve --rest 127.0.0.1:8080   (the documented REST paths beside gRPC; pages at /docs)

lodestream serve --grpc 0.0.0.0:50051 --tls-certificate server.pem --tls-key server.key

Every option is also an environment variable: LODESTREAM_DATA_DIR, LODESTREAM_GRPC and so on. Stops on SIGTERM or
Ctrl-C once running work has ended or --drain-s is over; a second one hurries."""


def register(app: typer.Typer) -> None:
    """Adds `serve`, and `doctor` beside it."""
    from lodestream_server.doctor import command as doctor

    app.command("serve", epilog=_EPILOG)(serve)
    doctor.register(app)


def serve(
    data_dir: Annotated[Path | None, typer.Option(help="Everything the server keeps; data when left out.")] = None,
    grpc: Annotated[
        str | None, typer.Option(help="HOST:PORT to listen on, port 0 takes a free one; 127.0.0.1:50051 when left out.")
    ] = None,
    rest: Annotated[
        str | None, typer.Option(help="HOST:PORT of the REST door, which is shut otherwise; port 0 takes a free one.")
    ] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(
            envvar="LODESTREAM_READY_FILE",
            help="Written when calls are answered: address and administrator's token as JSON, readable by you alone.",
        ),
    ] = None,
    seats: Annotated[int | None, typer.Option(help="Runs at work at once; one per core when left out.")] = None,
    notebooks: Annotated[
        bool, typer.Option("--notebooks", help="Run notebook jobs: any code, with the rights of the server's user.")
    ] = False,
    rest_hosts: Annotated[
        str | None, typer.Option(help="Host names the REST door answers for besides localhost, separated by commas.")
    ] = None,
    rest_origins: Annotated[
        str | None, typer.Option(help="Web origins that may call from a browser, separated by commas. [default: none]")
    ] = None,
    rest_public_url: Annotated[
        str | None, typer.Option(help="Scheme and host in download links, behind a proxy: https://mining.example.org")
    ] = None,
    jwt_issuer: Annotated[str | None, typer.Option(help="Whose JSON web tokens are good, beside API keys.")] = None,
    jwt_audience: Annotated[str | None, typer.Option(help="For whom such tokens have to be issued.")] = None,
    jwt_jwks: Annotated[str | None, typer.Option(help="https address or file of the issuer's public keys.")] = None,
    jwt_key: Annotated[Path | None, typer.Option(help="File with the key shared with the issuer instead.")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM file; needed to listen beyond loopback.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file with the certificate's key.")] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(help="PEM file; callers then need a certificate of it.")] = None,
    renew_admin_token: Annotated[
        bool, typer.Option("--renew-admin-token", help="Make a new administrator's key, for a lost one.")
    ] = False,
    drain_s: Annotated[
        float | None,
        typer.Option(help="Seconds that running work may go on after the signal to stop; 10 when left out."),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1 where Prometheus reads figures; none when left out.")
    ] = None,
    traces: Annotated[
        str | None, typer.Option(help="OpenTelemetry collector that gets a span per call: http://127.0.0.1:4318")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="DEBUG, INFO (when left out), WARNING or ERROR.")] = None,
) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    given = {
        key: value
        for key, value in locals().items()
        if value is not None and value is not False and key != "ready_file"
    }
    raise typer.Exit(_serve(given, ready_file))


def _serve(given: dict[str, Any], ready_file: Path | None) -> int:
    # The log is JSON lines; gRPC's own lines on stderr say again, in other words, what we report.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from pydantic import ValidationError

    from lodestream.errors import LodestreamError
    from lodestream_server import app, logs
    from lodestream_server.settings import ServerSettings

    try:
        settings = ServerSettings(**given)
    except ValidationError as fault:
        for error in fault.errors():
            name = "-".join(str(part) for part in error["loc"]).replace("_", "-")
            _say(f"--{name}: {error['msg'].removeprefix('Value error, ')}")
        return USAGE
    logs.set_up(settings.log_level)
    try:
        asyncio.run(app.serve(settings, ready_file))
    except LodestreamError as fault:
        _say(fault.message)
        return FAILED
    except OSError as fault:
        _say(f"{fault.filename or settings.data_dir}: {fault.strerror}")
        return FAILED
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"lodestream serve: {text}\n")
