"""Recommendations in the report's language: said anew from their figures; those without a known topic keep their own
words."""

from typing import Any

from lodestream_server.workloads.mining.report.fit import clean
from lodestream_server.workloads.mining.spoken import shortened
from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.model import Advice, AdviceItem
from lodestream_server.workloads.reporting.speech import Speech

#: Longest name of an activity or resource within a sentence.
LONGEST = 60

_CATEGORIES = {
    "Process Optimization": "category.optimization",
    "Rework": "category.rework",
    "Process Standardization": "category.standardization",
    "Resource Allocation": "category.resources",
    "Data Quality": "category.quality",
}
_PRIORITIES = ("high", "medium", "low")


def quoted(name: object, speech: Speech) -> str:
    """A name within a sentence, in the language's quotation marks."""
    return speech.say("quoted", name=shortened(clean(str(name)), LONGEST))


def advice_of(rows: list[Json], speech: Speech, most: int) -> Advice | None:
    """The first `most` recommendations; None when there is none."""
    items = tuple(_item(row, speech) for row in rows[:most])
    return Advice(items, speech.say("bound"), speech.say("measured")) if items else None


def _item(row: Json, speech: Speech) -> AdviceItem:
    level = str(row.get("priority", "")).lower()
    level = level if level in _PRIORITIES else "low"
    category = str(row.get("category", ""))
    words = _said(str(row.get("topic", "")), row.get("figures") or {}, speech) or (
        str(row.get("recommendation", "")),
        str(row.get("expectedImprovement", "")),
        str(row.get("evidence", "")),
    )
    named = speech.say(_CATEGORIES[category]) if category in _CATEGORIES else category
    return AdviceItem(level, speech.say(f"priority.{level}"), named, *(clean(text) if text else "" for text in words))


def _said(topic: str, figures: Json, speech: Speech) -> tuple[str, str, str] | None:
    """Recommendation, what it could bring, and what was measured."""
    try:
        values = _values(topic, figures, speech)
        keys = _keys(topic, figures)
    except KeyError:
        return None
    what, expected, evidence = (speech.say(f"advice.{key}", **values) for key in keys)
    return what, expected, evidence


def _keys(topic: str, figures: Json) -> tuple[str, str, str]:
    """Which templates tell it."""
    match topic:
        case "bottleneck":
            known = bool(figures["mostlyAfter"])
            what, evidence = ("after", "after_evidence") if known else ("what", "evidence")
            return f"bottleneck.{what}", "bottleneck.expected", f"bottleneck.{evidence}"
        case "variants" if "aloneSeconds" not in figures:
            return "variants.what", "variants.no_standard", "variants.evidence"
        case "variants":
            saves = "expected" if figures["savingSeconds"] > 0 else "not_slower"
            return "variants.what", f"variants.{saves}", "variants.times_evidence"
        case "rework" | "resource" | "rejected" | "identical" | "starts":
            return f"{topic}.what", f"{topic}.expected", f"{topic}.evidence"
        case _:
            raise KeyError(topic)


#: How figures of recommendations are shown, by the end of their key or their whole key.
_SHARES = {"share", "mostlyAfterShare", "shareOfCases"}
_NAMES = {"activity", "resource", "mostlyAfter"}


def _values(topic: str, figures: Json, speech: Speech) -> dict[str, str]:
    """Each figure as text; `part` is the saving's share of the average case."""
    shown = {key: _shown(key, value, speech) for key, value in figures.items() if value is not None}
    saving, average = figures.get("savingSeconds"), figures.get("averageSeconds")
    if saving is not None:
        shown["part"] = speech.percent(saving / average if average else 0.0)
    if topic == "rejected":
        shown["part"] = speech.percent(figures["records"] / figures["total"])
    return shown


def _shown(key: str, value: Any, speech: Speech) -> str:
    if key in _NAMES:
        return quoted(value, speech)
    if key.endswith("Seconds"):
        return speech.duration(value)
    if isinstance(value, int | float):
        return speech.percent(value) if key in _SHARES else speech.count(value)
    return clean(str(value))
