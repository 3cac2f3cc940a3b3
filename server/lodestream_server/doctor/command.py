"""The command line of the doctor. Registered beside `serve`; imports what it looks at when it is asked to."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

#: Something is unsafe or broken.
PROBLEMS: Final = 1
#: The settings make no sense; as typer itself exits.
USAGE: Final = 2

_EPILOG: Final = """Examples:

lodestream doctor --data-dir data

LODESTREAM_GRPC=0.0.0.0:50051 lodestream doctor --json

Exits with 1 when something is unsafe or broken, with 0 when there are warnings at most."""
_SIGNS: Final = {"problem": "✗", "warning": "!", "good": "✓"}


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("doctor", epilog=_EPILOG)(doctor)


def doctor(
    data_dir: Annotated[Path | None, typer.Option(help="As for serve; data when left out.")] = None,
    grpc: Annotated[str | None, typer.Option(help="As for serve.")] = None,
    rest: Annotated[str | None, typer.Option(help="As for serve.")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="As for serve.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="As for serve.")] = None,
    as_json: Annotated[bool, typer.Option("--json", "-j", help="One JSON document.")] = False,
) -> None:
    """Look at settings, files, libraries, own workloads and the store of a server, and say what is unsafe or broken.

    Reads the same LODESTREAM_* variables as serve, changes nothing, and may run beside a server.
    """
    given = {name: value for name, value in locals().items() if value is not None and name != "as_json"}
    raise typer.Exit(_doctor(given, as_json))


def _doctor(given: dict[str, Any], as_json: bool) -> int:
    import orjson
    from pydantic import ValidationError

    from lodestream_server.doctor.library_checks import libraries
    from lodestream_server.doctor.place_checks import place
    from lodestream_server.doctor.settings_checks import settings
    from lodestream_server.doctor.workload_checks import workloads
    from lodestream_server.settings import ServerSettings

    try:
        chosen = ServerSettings(**given)
    except ValidationError as fault:
        for error in fault.errors():
            name = "-".join(str(part) for part in error["loc"]).replace("_", "-")
            sys.stderr.write(f"lodestream doctor: --{name}: {error['msg'].removeprefix('Value error, ')}\n")
        return USAGE
    found = [*settings(chosen), *place(chosen.data_dir), *libraries(), *workloads()]
    bad = any(finding.level == "problem" for finding in found)
    if as_json:
        document = {"healthy": not bad, "findings": found}
        typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        for finding in found:
            typer.echo(f"{_SIGNS[finding.level]} {finding.check}: {finding.message}")
            if finding.fix:
                typer.echo(f"    {finding.fix}")
    return PROBLEMS if bad else 0
