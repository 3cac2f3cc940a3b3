"""A document as one HTML file that needs nothing else, runs no script and prints well; it has the looks of the mining
report.

Every text goes through autoescaping; only our own drawings are inserted as markup. A content security policy forbids
scripts and requests altogether.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lodestream_server.workloads.mining import report
from lodestream_server.workloads.mining.report import charts
from lodestream_server.workloads.reporting.model import Chart, Column, Document, Table, Value
from lodestream_server.workloads.reporting.pictures import size_of
from lodestream_server.workloads.reporting.speech import Speech

#: A text of so many characters is not broken into lines.
_SHORT = 24


def write(document: Document, drawings: Mapping[str, str], speech: Speech) -> str:
    """The page."""
    looks = Path(report.__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent / "templates", looks]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(value=lambda value, kind: speech.value(value, kind))
    used = {name: Markup(charts.unique_ids(svg, name)) for name, svg in drawings.items()}  # our own drawings
    return environment.get_template("document.html.j2").render(
        document=document,
        drawings=used,
        wide=lambda name: size_of(drawings[name])[0],
        bar=_bar,
        colon=speech.manner["colon"],
        short=lambda cell: len(speech.value(cell, "text")) <= _SHORT,
        longest=_longest,
        more=lambda table: speech.counted("more_rows", table.more),
        kind_of=lambda block: type(block).__name__,
        hues=("var(--blue)", "#f0b08c", "#9fc1e3", "var(--slow)"),
    )


def _bar(value: Value, column: Column, table: Table) -> float:
    """Length of a bar in percent of the column's longest."""
    if not isinstance(value, int | float):
        return 0.0
    return round(100 * value / table.largest(table.columns.index(column)), 1)


def _longest(chart: Chart) -> dict[str, Any]:
    """Rows of a bar chart: label, and (value, percent of the longest) for each series."""
    rows = [
        (
            label,
            [
                (series.values[place], round(100 * (series.values[place] or 0) / chart.largest, 1))
                for series in chart.series
            ],
        )
        for place, label in enumerate(chart.labels)
    ]
    return {"rows": rows, "many": len(chart.series) > 1}
