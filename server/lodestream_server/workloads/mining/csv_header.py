"""The first line of a CSV file: which character divides it, and the names in it. Pure; called by the CSV reader."""

import csv
import io
import re
from collections.abc import Sequence

from lodestream_server.workloads.mining import timestamps
from lodestream_server.workloads.mining.text_file import HEAD
from lodestream_server.workloads.phase import BadInput

DELIMITERS = (",", ";", "\t", "|")

#: Event logs have tens of columns; a file with more than this is something else (or a matrix).
MOST_COLUMNS = 5_000


def delimiter_of(head: bytes, given: str | None) -> tuple[str, int]:
    """The delimiter, and how many bytes of preamble ("sep=;", which spreadsheets write) stand before the header."""
    stated = re.match(rb"sep=(.)\r?\n", head)
    preamble = stated.end() if stated else 0
    if given:
        if len(given.encode()) != 1 or given in '"\r\n':
            raise BadInput(
                f"The delimiter {given!r} cannot be used: give one ASCII character such as , ; | or a tab.",
                reason="BAD_DELIMITER",
            )
        return given, preamble
    if stated:
        return stated[1].decode(), preamble
    text = head[: 256 << 10].decode("utf-8", "replace")
    lines = text.splitlines(keepends=True)[:200]
    return max(DELIMITERS, key=lambda mark: _fit(lines, mark)), preamble


def _fit(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    """How well a delimiter divides lines: the share of rows as wide as the header, then the width. A width of one
    divides nothing."""
    rows = [row for row in csv.reader(lines, delimiter=delimiter) if row][:100]
    width = len(rows[0]) if rows else 0
    if width < 2:
        return (0.0, width)
    body = rows[1:] or rows
    return (round(sum(len(row) == width for row in body) / len(body), 1), width)


def header_of(head: bytes, delimiter: str, start: int) -> tuple[list[str], int]:
    """The names in the header line, and where the rows begin."""
    end = head.find(b"\n", start)
    while end >= 0 and head.count(b'"', start, end) % 2 and end + 1 < len(head):
        end = head.find(b"\n", end + 1)
    if end < 0 and len(head) >= HEAD:
        raise BadInput(
            f"The header line is longer than {HEAD:,} bytes: an event log has a row per event and at most "
            f"{MOST_COLUMNS:,} columns.",
            reason="TOO_MANY_COLUMNS",
        )
    stop = len(head) if end < 0 else end + 1
    text = head[start:stop].decode("utf-8", "replace")
    if text.count(delimiter) >= MOST_COLUMNS:
        raise BadInput(
            f"The file has {text.count(delimiter) + 1:,} columns; at most {MOST_COLUMNS:,} can be used: an event log "
            "has a row per event.",
            reason="TOO_MANY_COLUMNS",
        )
    names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    if not any(name.strip() for name in names):
        raise BadInput("The first line is empty: it must hold the names of the columns.", reason="NO_HEADER")
    if any("%Y" in pattern for name in names for pattern in timestamps.patterns(name)):
        raise BadInput(
            f"The first line is a row, not a header ({', '.join(names[:5])}): put a line with the names of the "
            "columns before it.",
            reason="NO_HEADER",
        )
    return names, stop


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names without surrounding spaces; a missing one becomes "column N", a repeated one gets a number."""
    seen: dict[str, int] = {}
    unique = []
    for number, given in enumerate(names, start=1):
        name = given.strip() or f"column {number}"
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(unique)
