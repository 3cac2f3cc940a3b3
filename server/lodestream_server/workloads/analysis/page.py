"""The page of an analysis: one file that needs nothing else, runs no script and prints well, in the looks of the mining
report.

Every text goes through autoescaping; only the drawings (made here, their texts escaped there) are inserted as markup.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lodestream_server.workloads.analysis.statistics import SIGNIFICANT
from lodestream_server.workloads.mining import report, spoken
from lodestream_server.workloads.mining.report.charts import unique_ids
from lodestream_server.workloads.mining.report.fit import clean
from lodestream_server.workloads.phase import Json

#: Analysis types as a heading says them.
TITLES = {
    "comprehensive": "Process analysis",
    "performance": "Performance analysis",
    "bottleneck": "Bottleneck analysis",
    "conformance": "Conformance analysis",
    "variants": "Variant analysis",
    "resources": "Resource analysis",
    "comparison": "Comparison",
}
#: Figures of a comparison as a reader would say them.
FIGURES = {
    "cases": "Cases",
    "eventsPerCase": "Events per case",
    "averageCycleTime": "Average cycle time",
    "medianCycleTime": "Median cycle time",
    "p90CycleTime": "90 % of cases within",
    "waitingPerCase": "Waiting per case",
    "shareOfCasesWithRework": "Cases that repeat an activity",
    "variants": "Variants",
    "casesStartedPerDay": "Cases started per day",
    "effectiveChoicesPerStep": "Choices per step",
    "resources": "Resources",
}


@dataclass(frozen=True, slots=True)
class Story:
    """What the page tells: the results of preparation and analysis, log.json, mining's performance results,
    recommendations, and drawings by name."""

    title: str
    dataset: str
    preparation: Json
    analysis: Json
    performance: Json
    loading: Json
    advice: list[Json]
    drawings: Mapping[str, str | None]


def render(story: Story) -> str:
    """The page as a text in UTF-8."""
    looks = Path(report.__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent / "templates", looks]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=spoken.duration,
        count=spoken.count,
        percent=spoken.percent,
        clean=clean,
        brief=lambda text, most=90: spoken.shortened(clean(str(text)), most),
        figure=lambda name: FIGURES.get(name, name),
        day=lambda text: str(text or "")[:10],
        signed=_signed,
        chance=_chance,
        inunit=_in_unit,
    )
    drawn = {name: Markup(unique_ids(svg, name)) for name, svg in story.drawings.items() if svg}  # our own drawings
    return environment.get_template("analysis.html.j2").render(**_context(story), drawings=drawn)


def _context(story: Story) -> dict[str, Any]:
    return {
        "title": clean(story.title),
        "kind": TITLES[story.analysis["analysisType"]],
        "dataset": clean(story.dataset) if story.dataset else "",
        "preparation": story.preparation,
        "analysis": story.analysis,
        "performance": story.performance,
        "loading": story.loading,
        "advice": story.advice,
        "significant": SIGNIFICANT,
        "bar": lambda part, most: round(100 * part / most, 1) if most else 0.0,
    }


def _in_unit(value: float, unit: str) -> str:
    match unit:
        case "seconds":
            return spoken.duration(value)
        case "share":
            return spoken.percent(value)
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _signed(value: float, unit: str = "seconds") -> str:
    said = _in_unit(abs(value), unit)
    none = said.split(" ")[0] in ("0", "0.0")
    return said if none else f"{'+' if value > 0 else '−'}{said}"


def _chance(value: float | None) -> str:
    """A p-value."""
    if value is None:
        return "-"
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
