"""What every command that calls a server shares: where, as whom, and whether to answer in JSON.

`command` gives an async function `(session, …)` the options of the connection and runs it with an open client.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, get_args

import typer

from lodestream.cli.output import print_json

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from lodestream.client import Client

P = ParamSpec("P")
_PANEL = "Connection"


@dataclass(slots=True)
class Session:
    """One command's connection and way of answering."""

    client: "Client"
    as_json: bool

    def answer(self, message: "Message", show: Callable[[], None]) -> None:
        """The documented JSON, or what `show` prints for people."""
        if self.as_json:
            print_json(message)
        else:
            show()


def _options(
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="HOST:PORT", rich_help_panel=_PANEL, help="Server. \\[LODESTREAM_TARGET]"),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", metavar="KEY", rich_help_panel=_PANEL, help="API key. \\[LODESTREAM_TOKEN]"),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="GUID", rich_help_panel=_PANEL, help="Tenant. \\[LODESTREAM_TENANT]"),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option("--project", metavar="GUID", rich_help_panel=_PANEL, help="Project. \\[LODESTREAM_PROJECT]"),
    ] = None,
    root_certs: Annotated[
        Path | None,
        typer.Option(
            "--root-certs",
            metavar="FILE",
            rich_help_panel=_PANEL,
            help="PEM file of certificates to trust; turns TLS on. \\[LODESTREAM_ROOT_CERTS]",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", rich_help_panel=_PANEL, help="Print the documented JSON; streams one per line.")
    ] = False,
) -> None:
    """The options of every command that calls a server; never called."""


_OWN = inspect.signature(_options).parameters


def command(
    app: typer.Typer, name: str, *, examples: str, panel: str | None = None
) -> Callable[[Callable[Concatenate[Session, P], Awaitable[None]]], Callable[..., None]]:
    """Registers an async function as a command. `examples`: lines "what it does: command", shown below the help."""

    def register(function: Callable[Concatenate[Session, P], Awaitable[None]]) -> Callable[..., None]:
        def run(**given: Any) -> None:
            import asyncio

            asyncio.run(_with_client(function, given))

        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        parameters = [_tidied(parameter) for parameter in [*own, *_OWN.values()]]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads the signature
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__name__ = getattr(function, "__name__", name)
        app.command(name, help=help_text(function, examples), rich_help_panel=panel)(run)
        return run

    return register


async def _with_client(function: Callable[..., Awaitable[None]], given: dict[str, Any]) -> None:
    from lodestream.client import Client, load_settings

    wanted = {name: given.pop(name) for name in _OWN}
    settings = load_settings(
        wanted["target"], wanted["token"], wanted["tenant"], wanted["project"], wanted["root_certs"]
    )
    async with Client(settings=settings) as client:
        await function(Session(client, wanted["as_json"]), **given)


def help_text(function: Callable[..., Any], examples: str) -> str:
    """The docstring and, below it, the examples: one command a line."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in (inspect.getdoc(function) or "").split("\n\n")]
    shown = "\n".join(f"  [cyan]{line.strip()}[/cyan]" for line in examples.strip().splitlines())
    return "\n\n".join([*paragraphs, "[bold]Examples[/bold]", shown])


def _tidied(parameter: inspect.Parameter) -> inspect.Parameter:
    """A flag takes no value, so its help names none."""
    kind, *notes = get_args(parameter.annotation) or (parameter.annotation,)
    for note in notes:
        if kind is bool and hasattr(note, "metavar"):
            note.metavar = ""
    return parameter
