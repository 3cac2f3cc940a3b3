"""What a command prints: tables and fields for people, the documented JSON for programs.

People's tables are filled from the same documented JSON, so both always agree. On a terminal tables are drawn with
rich; elsewhere they are plain columns that nothing cuts short.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from rich.console import Console
    from rich.table import Table

#: Documented words of states -> colour.
STATE_STYLES = {
    "Running": "cyan",
    "Completed": "green",
    "Failed": "bold red",
    "Timeout": "bold red",
    "TimedOut": "bold red",
    "Cancelled": "yellow",
    "Queued": "dim",
    "Initiated": "dim",
    "Pending": "dim",
}


@lru_cache(1)
def console() -> "Console":
    """Where answers go."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


@lru_cache(1)
def errors_console() -> "Console":
    """Where everything else goes: errors, hints, progress of transfers."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def print_json(message: "Message") -> None:
    """The documented JSON of a message, on one line."""
    from lodestream import wire

    print_line(wire.to_json(message).decode())


def print_line(text: str) -> None:
    """A line as it is: no colours, no wrapping, out at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def document(message: "Message") -> dict[str, Any]:
    """The documented JSON of a message as plain values."""
    from lodestream import wire

    return wire.to_dict(message)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """Rows under column names. Words of states get their colour; None and "" print as nothing."""
    texts = [[cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        _plain_table(columns, texts)
        return
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        drawn.add_column(name, justify="right" if name in right else "left", no_wrap=number == 0, overflow="fold")
    for row in texts:
        drawn.add_row(*(Text(text, style=STATE_STYLES.get(text, "")) for text in row))
    console().print(drawn)


def fields(pairs: Mapping[str, Any]) -> None:
    """Names and values below each other; what is None or "" is left out."""
    shown = {name: cell(value) for name, value in pairs.items() if value not in (None, "")}
    if not sys.stdout.isatty():
        width = max((len(name) for name in shown), default=0)
        for name, text in shown.items():
            print_line(f"{name:<{width}}  {text}")
        return
    from rich.table import Table
    from rich.text import Text

    drawn = Table.grid(padding=(0, 2, 0, 0))
    drawn.add_column(no_wrap=True, style="bold")
    drawn.add_column(overflow="fold")
    for name, text in shown.items():
        drawn.add_row(name, Text(text, style=STATE_STYLES.get(text, "")))
    console().print(drawn)


def heading(text: str) -> None:
    """A line that opens a part of the answer."""
    from rich.text import Text

    console().print()
    console().print(Text(text, style="bold"))


def timed(time: str, text: str, style: str = "") -> "Table":
    """A line that begins with its time; what does not fit continues below the text, not below the time."""
    from rich.table import Table
    from rich.text import Text

    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(no_wrap=True, style="dim")
    line.add_column(overflow="fold")
    line.add_row(time, Text(text, style=style))
    return line


def note(text: str) -> None:
    """A hint for the person at the terminal; on stderr, so that answers stay clean."""
    errors_console().print(text, style="dim", markup=False)


def cell(value: Any) -> str:
    """A value in a table: counts with separators, flags as words, nothing for None."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.10g}"
        case str():
            return value
        case list():
            return ", ".join(cell(item) for item in value)
    return str(value)


def moment(text: str | None) -> str:
    """A documented instant as people write it: "2026-11-21 03:04:05", UTC."""
    return (text or "").replace("T", " ").removesuffix("Z")


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(text) for text in column) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        print_line("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())
