"""`mock check` explains a scenario file, `mock quirks` the contradictions of the documentation."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from lodestream_mock.cli.output import out, say


def check(file: Annotated[Path, typer.Argument(help="A scenario file, or - for standard input.")]) -> None:
    """Explain every mistake in a scenario file, with line and path."""
    from lodestream_mock.scenarios import mistakes

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        say(f"{file}: {error.strerror if isinstance(error, OSError) else 'is not UTF-8 text'}")
        raise typer.Exit(2) from None
    found = mistakes(text)
    for mistake in found:
        out(f"{file}: {mistake}")
    if found:
        raise typer.Exit(2)
    out(f"{file}: can be played")


def quirks() -> None:
    """List where the documentation contradicts itself; the mock replays it as it stands."""
    from importlib.resources import files

    entries = json.loads(files("lodestream_mock").joinpath("quirks.json").read_text(encoding="utf-8"))
    for entry in entries:
        out(f"{entry['example']}  {entry['where']}\n    {entry['what']}")
