"""`lodestream facade`: the REST door alone, in front of any server of the contract."""

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lodestream.cli.failing import Usage
from lodestream.cli.output import note
from lodestream.cli.session import help_text

if TYPE_CHECKING:
    from lodestream.rest.settings import RestSettings


def register(app: typer.Typer) -> None:
    """Adds the command."""
    examples = """
    lodestream facade --target 127.0.0.1:50051
    lodestream facade --target https://mining.example.org --rest 127.0.0.1:0 --ready-file facade.json
    lodestream facade --rest 0.0.0.0:8443 --tls-certificate server.pem --tls-key server.key
    """
    app.command("facade", rich_help_panel="Server", help=help_text(facade, examples))(facade)


def facade(
    target: Annotated[
        str | None, typer.Option("--target", envvar="LODESTREAM_TARGET", help="The server: HOST:PORT, https://HOST.")
    ] = None,
    rest: Annotated[
        str, typer.Option("--rest", help="HOST:PORT to listen on; port 0: any free one.")
    ] = "127.0.0.1:8080",
    ready_file: Annotated[
        Path | None, typer.Option("--ready-file", help='Written once requests are answered: {"rest": "http://…"}.')
    ] = None,
    hosts: Annotated[
        list[str] | None, typer.Option("--host", help="Host name to answer for besides localhost; may be repeated.")
    ] = None,
    origins: Annotated[
        list[str] | None, typer.Option("--origin", help="Web origin that may call from a browser; may be repeated.")
    ] = None,
    public_url: Annotated[
        str, typer.Option("--public-url", help="Scheme and host in download links, behind a proxy.")
    ] = "",
    link_key: Annotated[
        Path | None,
        typer.Option("--link-key", help="The server's link-key file; without it download links need the API key."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--tls-certificate", help="PEM file; needed beyond loopback.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--tls-key", help="PEM file with the certificate's key.")] = None,
    root_certs: Annotated[
        Path | None, typer.Option("--root-certs", help="PEM file of authorities that the server's certificate is of.")
    ] = None,
) -> None:
    """Serve the documented REST paths in front of a gRPC server, until SIGTERM or Ctrl-C.

    Callers bring their own API keys, which travel on to the server. Without --target it is the one that the other
    commands use.
    """
    import asyncio  # not at the top: the help of all commands needs no loop

    try:
        from lodestream.rest.settings import RestSettings
    except ImportError as error:
        raise Usage(f"The REST door needs {error.name}: pip install 'lodestream[rest]'") from None
    settings = RestSettings(
        hosts=hosts or (), origins=origins or (), public_url=public_url, link_key=_read(link_key) if link_key else None
    )
    asyncio.run(_serve(target, root_certs, rest, settings, (certificate, key), ready_file))


async def _serve(
    target: str | None,
    root_certs: Path | None,
    address: str,
    settings: "RestSettings",
    tls: tuple[Path | None, Path | None],
    ready_file: Path | None,
) -> None:
    """Listens until a signal asks for the end; then streams end, answers under way are sent, and the channel closes."""
    import asyncio

    from lodestream.client.channel import open_channel
    from lodestream.client.settings import load_settings
    from lodestream.rest.app import Facade
    from lodestream.rest.serving import RestServer, settle

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    chosen = load_settings(target, root_certs=root_certs)
    channel = open_channel(chosen)
    try:
        door = RestServer(Facade(channel, settings), address, certificate=tls[0], key=tls[1])
        where = await door.start()
        settle()
        if ready_file is not None:
            _tell(ready_file, where)
        note(f"REST at {where}, in front of {chosen.target}; its pages are at {where}/docs")
        await stop.wait()
        await door.stop()
    finally:
        _forget(ready_file)
        await channel.close()


def _tell(ready_file: Path, address: str) -> None:
    """Writes the ready file whole or not at all, readable by its owner alone."""
    partial = ready_file.with_name(f".{ready_file.name}.{os.getpid()}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(json.dumps({"rest": address}) + "\n")
    os.replace(partial, ready_file)


def _forget(ready_file: Path | None) -> None:
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    with contextlib.suppress(OSError, ValueError):
        return bytes.fromhex(path.read_text())
    raise Usage(f"--link-key {path}: cannot be read, or is no link-key file of a server's data directory")
