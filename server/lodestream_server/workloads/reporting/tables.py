"""A document's figures as plain data: a CSV file for each table, packed into one zip, and one JSON document.

Values are raw: durations in seconds, shares between 0 and 1, numbers with a point whatever the language. Cells that a
spreadsheet would run as a formula get an apostrophe in front.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.model import Advice, Column, Document, Figures, Findings, Table, Value
from lodestream_server.workloads.reporting.packing import packed
from lodestream_server.workloads.reporting.speech import speech_of

#: Units of raw values, as headers name them.
UNITS = {"duration": "s", "percent": "0–1", "change": "0–1", "score": "0–100"}

Rows = list[list[Value]]


def as_csv(document: Document) -> bytes:
    """The zip: one file a table, in UTF-8 with a byte order mark, so that spreadsheets read it right."""
    return packed({f"{name}.csv": _csv(rows) for name, rows in sheets(document)})


def sheets(document: Document) -> Iterator[tuple[str, Rows]]:
    """Every table with its header as rows, units in brackets."""
    for name, table in tables_of(document):
        rows: Rows = [list(row) for row in table.rows]
        for row, kind in zip(rows, table.row_kinds, strict=False):
            row[0] = _labelled(str(row[0]), kind)
        yield name, [[_labelled(column.label, column.kind) for column in table.columns], *rows]


def tables_of(document: Document) -> Iterator[tuple[str, Table]]:
    """Every table of the document with a name of its own; figures and recommendations as tables too."""
    taken = set[str]()
    for section in document.sections:
        for block in section.blocks:
            table = _as_table(section.key, block, document)
            if table is None:
                continue
            name = table.name if table.name not in taken else f"{section.key}-{table.name}"
            taken.add(name)
            yield name, table


def _as_table(key: str, block: object, document: Document) -> Table | None:
    say = speech_of(document.language).say
    match block:
        case Table():
            return block
        case Figures():
            columns = (Column(say("column.what")), Column(say("column.value"), "number"))
            figures = tuple((f.label, f.value) for f in block.items)
            kinds = tuple(f.kind for f in block.items)
            return Table(f"figures-{key}", say("table.comparison"), columns, figures, len(figures), kinds)
        case Advice():
            title = say("section.recommendations")
            labels = (say("column.priority"), say("column.category"), title, block.bound, block.measured)
            rows = tuple((i.priority, i.category, i.recommendation, i.expected, i.evidence) for i in block.items)
            return Table(key, title, tuple(map(Column, labels)), rows, len(rows))
        case _:
            return None


def _labelled(label: str, kind: str) -> str:
    return f"{label} [{UNITS[kind]}]" if kind in UNITS else label


def _csv(rows: Rows) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([[safe(value) for value in row] for row in rows])
    return b"\xef\xbb\xbf" + stream.getvalue().encode()


def safe(value: Value) -> Value:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def as_json(document: Document) -> bytes:
    """The whole document with raw values: sections with their blocks, each with its `type`."""
    whole: Json = {
        "reportType": document.report_type,
        "title": document.title,
        "subtitle": document.subtitle,
        "language": document.language,
        "created": document.created.isoformat() if document.created else None,
        "facts": [{"label": label, "text": text} for label, text in document.facts],
        "sections": [
            {"key": s.key, "title": s.title, "blocks": [_block(block) for block in s.blocks]} for s in document.sections
        ],
    }
    return json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"


def _block(block: Any) -> Json:
    said = asdict(block)
    if isinstance(block, Findings):
        said = {"items": list(block.items)}
    return {"type": type(block).__name__, **said}
