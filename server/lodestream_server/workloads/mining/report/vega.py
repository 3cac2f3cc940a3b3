"""Charts of all reports as SVG texts, in the same looks, drawn by Vega-Lite. The only module that knows vl-convert."""

import re
from typing import Any

import vl_convert

from lodestream_server.workloads.mining.report.shapes import FONT, INK, MUTED
from lodestream_server.workloads.mining.report.wording import ENGLISH, Wording
from lodestream_server.workloads.phase import Json

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

#: What a calendar must name for the engine; the charts write months only.
_CALENDAR = {
    "dateTime": "%x, %X",
    "date": "%Y-%m-%d",
    "time": "%H:%M:%S",
    "periods": ["AM", "PM"],
    "days": list(WEEKDAYS),
    "shortDays": list(WEEKDAYS),
}


def svg_of(spec: Json, wording: Wording = ENGLISH) -> str:
    """The drawing, with ids of its own so that several can stand in one page."""
    drawn = vl_convert.vegalite_to_svg(
        {**spec, "background": "white", "config": _config(), "padding": 4},
        format_locale={
            "decimal": wording.decimal,
            "thousands": wording.thousands,
            "grouping": [3],
            "currency": ["", ""],
        },
        time_format_locale={**_CALENDAR, "months": list(wording.months), "shortMonths": list(wording.months)},
    )
    return _numbered_anew(str(drawn))


def _numbered_anew(svg: str) -> str:
    """The engine numbers gradients and clips through all drawings of its process; the same drawing is to have the same
    bytes."""
    numbers: dict[str, str] = {}
    for name in re.findall(r'\bid="((?:gradient_|clip)\d+)"', svg):
        numbers.setdefault(name, f"{name.rstrip('0123456789')}{len(numbers)}")
    return re.sub(r"\b(?:gradient_|clip)\d+\b", lambda found: numbers.get(found[0], found[0]), svg)


def _config() -> dict[str, Any]:
    text = {
        "labelFont": FONT,
        "titleFont": FONT,
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": 500,
        "labelFontSize": 11,
        "titleFontSize": 11,
    }
    axis = {**text, "gridColor": "#e7ecf1", "domainColor": "#b8c4d0", "tickColor": "#b8c4d0"}
    return {
        "font": FONT,
        "axis": axis,
        "legend": text,
        "text": {"font": FONT, "fontSize": 11, "color": INK},
        "view": {"stroke": None},
    }


def as_pdf(svg: str) -> bytes:
    """A drawing as a PDF of one page in its own size. The engine lists the fonts in any order, so bytes may differ."""
    return bytes(vl_convert.svg_to_pdf(svg))
