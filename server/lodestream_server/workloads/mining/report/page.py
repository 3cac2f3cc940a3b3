"""The HTML report: one file that needs nothing else, runs no script and prints well.

Every text goes through autoescaping; only the drawings (made here, their texts escaped there) are inserted as markup. A
content security policy in the page forbids scripts and requests altogether.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lodestream_server.workloads.mining import spoken
from lodestream_server.workloads.mining.report import charts
from lodestream_server.workloads.mining.report.fit import clean
from lodestream_server.workloads.mining.report.model_section import ModelSection
from lodestream_server.workloads.mining.wishes import Looks
from lodestream_server.workloads.phase import Json

#: Rows shown of each table.
VARIANTS, STEPS, ACTIVITIES, RESOURCES, REWORK = 12, 12, 25, 15, 12

#: A variant shows at most this many activities (repetitions in a row are one).
CHIPS = 16

#: Colours of activities in the variants table, by frequency; the last one is for all the rest.
PALETTE = (
    "#2f6fb0",
    "#d97706",
    "#15803d",
    "#9333ea",
    "#be123c",
    "#0e7490",
    "#a16207",
    "#4f46e5",
    "#c026d3",
    "#4d7c0f",
    "#64748b",
)


@dataclass(frozen=True, slots=True)
class Story:
    """What the page tells: results of the phases, their full tables, and the drawings as SVG.

    `loading` is log.json, `faults` are the validation errors that loading found: type, count, resolved; `learned`
    is what learning found, empty without it, `model` what is told of the discovered model, None without one.
    """

    title: str
    dataset: str
    discovery: Json
    performance: Json
    loading: Json
    faults: list[Json]
    tables: Mapping[str, pl.DataFrame]
    advice: list[Json]
    process_map: str
    charts: Mapping[str, str | None]
    asked: Looks
    learned: Json
    model: ModelSection | None


def render(story: Story) -> str:
    """The page as a text in UTF-8."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=spoken.duration,
        count=spoken.count,
        natural_width=_natural_width,
        percent=spoken.percent,
        clean=clean,
        brief=lambda text, most=90: spoken.shortened(clean(text), most),
    )
    return environment.get_template("report.html.j2").render(**_context(story))


def _context(story: Story) -> dict[str, Any]:
    tables = story.tables
    drawings = {
        name: Markup(charts.unique_ids(svg, name)) for name, svg in story.charts.items() if svg
    }  # our own drawings
    return {
        "title": clean(story.title),
        "dataset": clean(story.dataset) if story.dataset else "",
        "discovery": story.discovery,
        "performance": story.performance,
        "loading": story.loading,
        "quality": _quality(story.loading["counts"]),
        "faults": story.faults,
        "advice": story.advice,
        "map": Markup(story.process_map),  # our own drawing, its texts are escaped
        "charts": drawings,
        "over_time": charts.cases_over_time(tables["hours"]),
        "period": _period(tables["hours"]),
        "variants": _variants(tables["variants"].head(VARIANTS), tables["activities"]),
        "variants_total": tables["variants"].height,
        "activities": activity_rows(tables).head(ACTIVITIES).to_dicts(),
        "activities_total": tables["nodes"].height,
        "steps": story.performance["bottleneckSteps"][:STEPS],
        "resources": tables["resources"].head(RESOURCES).to_dicts() if "resources" in tables else [],
        "resources_total": tables["resources"].height if "resources" in tables else 0,
        "rework_rows": tables["rework"].head(REWORK).to_dicts(),
        "bar": _bar,
        "asked": story.asked,
        "learned": story.learned,
        "discovered": story.model,
    }


def _natural_width(svg: str) -> int:
    return int(svg.split(' width="', 1)[1].split('"', 1)[0])


def _period(hours: pl.DataFrame) -> tuple[str, str]:
    days = hours["hour"].dt.strftime("%Y-%m-%d")
    return str(days[0]), str(days[-1])


def _bar(share: float, most: float) -> float:
    """Length of a bar in percent of the longest one."""
    return round(100 * share / most, 1) if most else 0.0


def activity_rows(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Instances, cases, waiting before and work of each activity, the most frequent first."""
    nodes = tables["nodes"]
    service = [pl.col("medianSeconds").alias("workMedian")] if "medianSeconds" in nodes.columns else []
    waiting = tables["waiting"].select(
        "activity", waitShare="share", waitMedian="medianSeconds", waitMean="meanSeconds"
    )
    cases = tables["activities"].select("activity", "cases", "caseShare")
    return (
        nodes.select("activity", "instances", *service)
        .join(cases, on="activity", how="left", maintain_order="left")
        .join(waiting, on="activity", how="left", maintain_order="left")
    )


def _variants(variants: pl.DataFrame, activities: pl.DataFrame) -> list[dict[str, Any]]:
    colours = dict(zip(activities["activity"].head(len(PALETTE) - 1).to_list(), PALETTE, strict=False))
    rows = []
    for row in variants.iter_rows(named=True):
        runs = [(name, sum(1 for _ in same)) for name, same in groupby(row["activities"])]
        chips = [
            {"name": name, "times": times, "colour": colours.get(name, PALETTE[-1])} for name, times in runs[:CHIPS]
        ]
        rows.append({**row, "chips": chips, "more": row["length"] - sum(times for _, times in runs[:CHIPS])})
    return rows


#: Record counts of loading in the order of the table, with what they mean.
_COUNTS = (
    ("total", "Records read"),
    ("valid", "Valid events"),
    ("invalid", "Rejected records"),
    ("duplicates", "Identical records"),
    ("duplicatesRemoved", "Identical records removed"),
    ("inferredTimestamps", "Timestamps inferred"),
    ("outsideTimeWindow", "Outside the time window"),
)


def _quality(counts: Json) -> list[tuple[str, int]]:
    return [(label, counts[key]) for key, label in _COUNTS]
