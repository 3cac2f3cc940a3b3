"""`lodestream mock ...` and `lodestream verify`. The command line finds them through entry points.

Nothing of the mock is imported before a command runs. Exit codes: 0 done, 1 the answer is no, 2 wrong usage.
"""

import typer

from lodestream_mock.cli.contract import verify
from lodestream_mock.cli.server import EPILOG, serve, wait
from lodestream_mock.cli.sessions import coverage, explain
from lodestream_mock.cli.stories import check, quirks


def register(app: typer.Typer) -> None:
    """Adds the group `mock` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="The mock server: the documentation, replayed.")
    add_commands(group)
    app.add_typer(group, name="mock")


def register_verify(app: typer.Typer) -> None:
    """Adds `verify` to the command line."""
    app.command("verify")(verify)


def add_commands(app: typer.Typer) -> None:
    """Adds the commands themselves."""
    app.command("serve", epilog=EPILOG)(serve)
    for command in (check, quirks, explain, coverage, wait):
        app.command(command.__name__)(command)
