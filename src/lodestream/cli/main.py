"""The entry point `lodestream`, and how commands of other packages join it.

A package adds commands through the entry point group `lodestream.commands`: the entry point is named like its command
and is a callable `register(app: typer.Typer) -> None`. It is loaded when that command, an unknown one, or the help of
all commands is asked for, so that the commands of this package start without looking at others.
"""

import sys
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from lodestream import __version__
from lodestream.cli import (
    batch,
    cancel,
    datasets,
    facade,
    lists,
    logs,
    protos,
    queue,
    resources,
    results,
    retry,
    samples,
    submit,
    timeline,
    tokens,
    watch,
)
from lodestream.cli.failing import broken_command, exit_code_of

GROUP: Final = "lodestream.commands"
#: The part of the help where commands of other packages stand that name none.
_OTHERS: Final = "Server"
_PARAGRAPHS: Final = (
    "Run long process-mining work and follow it live.",
    "Where the server is and who you are comes from the options of each command, then LODESTREAM_TARGET, "
    "LODESTREAM_TOKEN, LODESTREAM_TENANT and LODESTREAM_PROJECT, then the config file, then data/ready.json, which "
    "`make serve` writes.",
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no server answers, 130 interrupted.",
    "[bold]Examples[/bold]",
    "  [cyan]lodestream sample-log loans.csv[/cyan]\n"
    "  [cyan]lodestream datasets upload loans.csv[/cyan]\n"
    "  [cyan]lodestream submit --dataset ID --watch[/cyan]\n"
    "  [cyan]lodestream results ID --download out[/cyan]",
)


class Commands(TyperGroup):
    """Our commands and those of other packages; every error leaves as a message and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, those of other packages included."""
        self._join()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; other packages are asked when it is none of ours."""
        if cmd_name not in self.commands:
            self._join(cmd_name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:
            code = exit_code_of(error)
            if code is None:
                raise
            raise typer.Exit(code) from None

    def _join(self, only: str | None = None) -> None:
        from importlib.metadata import entry_points  # 30 ms that our own commands do not need

        found = [point for point in entry_points(group=GROUP) if point.name not in self.commands]
        named = [point for point in found if point.name == only]
        for point in named or found:
            joined = typer.Typer()
            try:
                point.load()(joined)
            except Exception as error:  # another package's fault must not take our commands along
                broken_command(point.name, error)
                continue
            commands: dict[str, Any] = dict(typer.main.get_group(joined).commands)
            for name, found_command in commands.items():
                found_command.rich_help_panel = getattr(found_command, "rich_help_panel", None) or _OTHERS
                self.commands[name] = found_command


app = typer.Typer(
    cls=Commands,
    help="\n\n".join(_PARAGRAPHS),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    datasets,
    resources,
    submit,
    watch,
    logs,
    timeline,
    results,
    cancel,
    retry,
    lists,
    batch,
    queue,
    tokens,
    protos,
    facade,
    samples,
):
    module.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lodestream {__version__}")
        raise typer.Exit


@app.callback()
def lodestream(
    version: Annotated[
        bool, typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The help is in `_PARAGRAPHS`."""


def main() -> None:
    """Runs the command line and exits."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal that cannot show “…” shows “?” instead of failing
    app(prog_name="lodestream")
