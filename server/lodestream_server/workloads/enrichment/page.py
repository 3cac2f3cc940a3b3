"""The before-and-after report: one file that needs nothing else, runs no script and prints well.

It has the looks of the mining report. Every text goes through autoescaping, and a content security policy forbids
scripts and requests altogether.
"""

from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lodestream_server.workloads.enrichment.applied import shown
from lodestream_server.workloads.enrichment.options import DAYS
from lodestream_server.workloads.mining import report, spoken
from lodestream_server.workloads.mining.report.fit import clean
from lodestream_server.workloads.phase import Json, Phase

#: Columns of the preview; a wide log would not fit a page.
_WIDE = 14

#: Names of rules as a reader would say them.
TITLES = {
    "remove_duplicates": "Remove duplicates",
    "fix_timestamps": "Fix timestamps",
    "validate_activities": "Validate activities",
    "trim_whitespace": "Trim white space",
    "fold_case": "Fold case",
    "date_range": "Date range",
    "unusable_timestamps": "Unusable timestamps",
}

#: Figures of a rule as a reader would say them.
FIGURES = {
    "duplicatesRemoved": "duplicates removed",
    "timestampsBroken": "timestamps broken",
    "timestampsFixed": "timestamps fixed",
    "timestampsRejected": "without a time, removed",
    "startsSwapped": "intervals turned round",
    "activitiesRejected": "invalid activities removed",
    "activitiesCorrected": "activities corrected",
    "valuesTrimmed": "values trimmed",
    "valuesFolded": "values folded",
    "outsideDateRange": "outside the range, removed",
}


def story(phase: Phase, head: pl.DataFrame) -> Json:
    """Everything that the page tells: results of the phases before, and the first rows of the result."""
    loading, cleaning, enrichment = (
        phase.before(name).results for name in ("Data Loading", "Data Cleaning", "Data Enrichment")
    )
    columns = head.columns[:_WIDE]
    return {
        "title": phase.run_name,
        "dataset": phase.dataset.name if phase.dataset else "",
        "loading": loading,
        "cleaning": cleaning,
        "enrichment": enrichment,
        "hours": _hours(enrichment["workingHours"], enrichment["timeZone"]),
        "head": {
            "columns": columns,
            "hidden": len(head.columns) - len(columns),
            "rows": list(zip(*(shown(head[name]) for name in columns), strict=True)),
        },
    }


def render(story: Json) -> str:
    """The page as a text."""
    looks = Path(report.__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent / "templates", looks]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=spoken.count,
        brief=lambda text, most=90: spoken.shortened(clean(str(text)), most),
        value=_value,
        title=lambda name: TITLES.get(name, name),
        figure=lambda name: FIGURES.get(name, name),
        holds=_holds,
    )
    return environment.get_template("before-after.html.j2").render(**story, bar=_bar)


def _bar(part: float, whole: float) -> float:
    """Length of a bar in percent."""
    return round(100 * part / whole, 1) if whole else 0.0


def _value(text: str | None) -> str:
    """A value of a sample; white space that matters is made visible."""
    if text is None:
        return "(missing)"
    if text == "":
        return "(empty)"
    return text.replace("\u00a0", "⍽").replace("\t", "→") if text == text.strip() else f"“{text}”".replace("\t", "→")


def _holds(column: Json) -> str:
    """What a column holds, in a few words."""
    match column["type"]:
        case "boolean":
            return f"{column['true']:,} true, {column['false']:,} false"
        case "string":
            frequent = ", ".join(f"{text or '(empty)'} ({count:,})" for text, count in column["frequent"].items())
            return frequent or "many different texts"
        case _ if "min" in column:
            mean = f", mean {_number(column['mean'])}" if "mean" in column else ""
            return f"{_number(column['min'])} to {_number(column['max'])}{mean}"
    return "nothing"


def _number(value: Any) -> str:
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _hours(hours: Json, zone: str) -> str:
    days = ", ".join(DAYS[number - 1] for number in hours["days"])
    return f"{days}, {hours['from']} to {hours['to']} ({zone})"
