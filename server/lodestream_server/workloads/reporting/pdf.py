"""A document as PDF: formatted into what the template shows, then set by typst."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lodestream_server.workloads.reporting import typesetting
from lodestream_server.workloads.reporting.model import (
    Advice,
    Block,
    Chart,
    Document,
    Figure,
    Figures,
    Findings,
    Paragraph,
    Picture,
    Table,
    Terms,
)
from lodestream_server.workloads.reporting.pictures import size_of
from lodestream_server.workloads.reporting.speech import Speech

TEMPLATE = "report.typ"

#: A line breaks inside words longer than this.
_LONGEST_WORD = 24

#: A label of so many characters takes one line of a card among five.
_SHORT_LABEL = 20

#: A column whose texts have no more characters takes what it needs, as numbers do.
_SHORT_TEXT = 12

#: Points that a page offers: between its margins, less a heading's height.
_ROOM = (473.0, 640.0)


def write(document: Document, drawings: Mapping[str, str], speech: Speech, scratch: Path) -> bytes:
    """The PDF; the same document gives the same bytes."""
    folder = scratch / "pdf"
    folder.mkdir(exist_ok=True)
    for name, svg in drawings.items():
        (folder / f"{name}.svg").write_text(svg, "utf-8")
    return typesetting.pdf(folder, TEMPLATE, filled(document, drawings, speech), document.created)


def filled(document: Document, drawings: Mapping[str, str], speech: Speech) -> dict[str, Any]:
    """What the template shows: every text ready."""
    created = document.created
    return {
        "language": document.language,
        "kind": document.kind,
        "title": breakable(document.title[:300]),
        "subtitle": breakable(document.subtitle[:300]),
        "created": [created.year, created.month, created.day] if created else None,
        "facts": [[label, breakable(value[:120])] for label, value in document.facts],
        "footer": document.footer,
        "page": speech.texts["page"],
        "colon": speech.manner["colon"],
        "sections": [
            {
                "title": breakable(section.title),
                "blocks": [_block(block, drawings, speech, section.key) for block in section.blocks],
            }
            for section in document.sections
        ],
    }


def breakable(text: str) -> str:
    """The text with places inside very long words where a line may break."""
    return " ".join(
        "\u200b".join(word[i : i + _LONGEST_WORD] for i in range(0, len(word), _LONGEST_WORD))
        for word in text.split(" ")
    )


def _block(block: Block, drawings: Mapping[str, str], speech: Speech, section: str) -> dict[str, Any]:
    match block:
        case Figures():
            items = [{"label": f.label, "value": speech.value(f.value, f.kind)} for f in block.items]
            return {"type": "figures", "columns": _across(block.items), "items": items}
        case Paragraph():
            return {"type": "paragraph", "text": breakable(block.text)}
        case Findings():
            return {"type": "findings", "items": [breakable(item) for item in block.items]}
        case Table():
            return _table(block, speech, slow="bottlenecks" in section)
        case Chart():
            return _drawn_chart(block, drawings) if block.picture else _bars(block, speech)
        case Picture():
            width, height = size_of(drawings[block.name])
            fits = min(1.0, _ROOM[1] / (height * _ROOM[0] / width))
            return {
                "type": "drawing",
                "title": "",
                "file": f"{block.name}.svg",
                "width": round(fits, 4),
                "alt": block.alt,
                "note": "",
            }
        case Advice():
            items = [
                {
                    "level": item.level,
                    "priority": item.priority,
                    "category": breakable(item.category),
                    "recommendation": breakable(item.recommendation),
                    "expected": breakable(item.expected),
                    "evidence": breakable(item.evidence),
                }
                for item in block.items
            ]
            return {"type": "advice", "items": items, "bound": block.bound, "measured": block.measured}
        case Terms():
            return {"type": "terms", "items": [[word, meaning] for word, meaning in block.items]}


def _across(figures: Sequence[Figure]) -> int:
    """Cards in a row: four, or five of short labels where that fills the rows."""
    number = len(figures)
    short = all(len(figure.label) <= _SHORT_LABEL for figure in figures)
    return 5 if short and number % 5 == 0 else max(1, min(4, number))


def _drawn_chart(chart: Chart, drawings: Mapping[str, str]) -> dict[str, Any]:
    width, _ = size_of(drawings[chart.picture])
    return {
        "type": "drawing",
        "title": chart.title,
        "file": f"{chart.picture}.svg",
        "width": round(min(0.86, width / 660), 4),
        "alt": chart.title,
        "note": chart.note,
    }


def _bars(chart: Chart, speech: Speech) -> dict[str, Any]:
    rows = [
        {
            "label": breakable(label),
            "first": place == 0,
            "bars": [
                {
                    "part": round((s.values[place] or 0) / chart.largest, 4),
                    "text": speech.value(s.values[place], chart.kind),
                }
                for s in chart.series
            ],
        }
        for place, label in enumerate(chart.labels)
    ]
    return {
        "type": "bars",
        "title": chart.title,
        "series": [series.name for series in chart.series],
        "rows": rows,
        "note": chart.note,
    }


def _table(table: Table, speech: Speech, *, slow: bool) -> dict[str, Any]:
    most = [table.largest(place) for place in range(len(table.columns))]
    rows = [
        [
            {
                "text": breakable(speech.value(value, column.kind)),
                "bar": round(value / most[place], 4) if column.bar and isinstance(value, int | float) else None,
            }
            for place, (column, value) in enumerate(zip(table.columns, row, strict=True))
        ]
        for row in table.rows
    ]
    return {
        "type": "table",
        "title": table.title,
        "header": [breakable(column.label) for column in table.columns],
        "numeric": [column.kind != "text" and not column.bar for column in table.columns],
        "widths": [_width(table, place) for place in range(len(table.columns))],
        "rows": rows,
        "slow": slow,
        "more": speech.counted("more_rows", table.more) if table.more else "",
    }


def _width(table: Table, place: int) -> float | str:
    """Texts share the room by their length; numbers take what they need."""
    column = table.columns[place]
    if column.bar:
        return 1.6
    if column.kind != "text":
        return "auto"
    longest = max((len(str(row[place] or "")) for row in table.rows), default=0)
    if longest <= _SHORT_TEXT and len(table.columns) > 2:
        return "auto"
    return 4.0 if longest > 60 else 2.4 if longest > 22 else 1.6
