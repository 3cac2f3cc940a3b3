"""The drawings of a report: process maps and charts of each mined source, as SVG by name, in the report's language."""

import re
from collections.abc import Callable, Mapping

import polars as pl

from lodestream_server.workloads.mining.report import charts
from lodestream_server.workloads.mining.report.process_map import draw
from lodestream_server.workloads.mining.report.selection import MapContent, select
from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.speech import Speech
from lodestream_server.workloads.reporting.strips import draw_strips

#: Activities of the map in a summary: as many as fit half a page.
SHORT_MAP = 12

#: Activities that a slide's map tries to show, and the size in points from which their names can be read.
SLIDE_MAPS, READABLE = (14, 11, 9), 7.0

Drawings = dict[str, str]


def draw_source(
    source: Json, tables: Mapping[str, pl.DataFrame], number: int, speech: Speech, check: Callable[[], None]
) -> Drawings:
    """map, map-short, map-slide, cycle and time of a mined source, each with the source's number; nothing that the kept
    tables do not carry."""
    wording = speech.wording()
    found: dict[str, str | None] = {"cycle": charts.cycle_times(source["performance"]["cycleTimes"], wording)}
    check()
    if tables:
        if "bottlenecks" in source["performance"].get("leftOut", ()):  # nothing on the map stands out
            tables = {**tables, "waiting": tables["waiting"].clear()}
        found["time"] = charts.over_time(tables["hours"], wording)
        check()
        content = _content(tables)
        found["map"] = draw(content, None, wording)
        check()
        short = _content(tables, SHORT_MAP)
        found["map-short"] = found["map"] if short == content else draw(short, None, wording)
        check()
        found["map-slide"] = _slide_map(tables, speech, check)
    return {f"{name}-{number}": svg for name, svg in found.items() if svg}


def size_of(svg: str) -> tuple[float, float]:
    """Width and height of a drawing in px."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert found, "our drawings have a view box"
    return float(found[1]), float(found[2])


def _content(tables: Mapping[str, pl.DataFrame], most: int | None = None) -> MapContent:
    three = tables["nodes"], tables["flow"], tables["waiting"]
    return select(*three) if most is None else select(*three, most)


def _slide_map(tables: Mapping[str, pl.DataFrame], speech: Speech, check: Callable[[], None]) -> str:
    """The richest map that can be read from the back of a room; the one with the largest letters where none can."""
    tries = []
    for most in SLIDE_MAPS:
        svg, points = draw_strips(_content(tables, most), speech.wording(), check)
        check()
        if points >= READABLE:
            return svg
        tries.append((points, svg))
    return max(tries)[1]
