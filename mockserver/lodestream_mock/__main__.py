"""`python -m lodestream_mock serve ...`: the mock's commands without the rest of the command line."""

import typer

from lodestream_mock.cli import add_commands

if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    add_commands(app)
    app(prog_name="python -m lodestream_mock")
