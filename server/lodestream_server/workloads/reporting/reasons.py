"""Why a case is unusual, in words: from a topic and its figures, in any language.

Reports say it in their language; learning says the same in English in its results and in anomalies.csv.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lodestream_server.workloads.mining.report.fit import clean
from lodestream_server.workloads.mining.spoken import shortened
from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.speech import Speech, speech_of

#: Longest name of an activity or resource within a reason.
LONGEST = 40

_NAMES = {"activity", "after", "resource"}


def told(topic: str, figures: Mapping[str, Any], speech: Speech) -> str:
    """One reason without a full stop. Raises KeyError for an unknown topic or an absent figure."""

    def quoted(name: object) -> str:
        return speech.say("quoted", name=shortened(clean(str(name)), LONGEST))

    return _told(topic, figures, speech, quoted)


def in_english(topic: str, figures: Mapping[str, Any]) -> str:
    """The reason as results and tables of learning have it: plain quotation marks and spaces."""
    return _told(topic, figures, speech_of("en"), lambda name: f"'{name}'").replace("\u00a0", " ")


def reasons_of(row: Json, speech: Speech, most: int) -> str:
    """The first reasons of an anomaly as sentences. Runs of earlier versions have English words only, and keep them."""
    try:
        said = [told(one["topic"], one["figures"], speech) for one in row["reasonFigures"][:most]]
    except KeyError:
        said = [shortened(clean(reason), 120) for reason in row["reasons"][:most]]
    return " ".join(speech.capitalised(text) + "." for text in said)


def _told(topic: str, figures: Mapping[str, Any], speech: Speech, quoted: Callable[[object], str]) -> str:
    shown = {name: quoted(value) if name in _NAMES else _shown(name, value, speech) for name, value in figures.items()}
    return speech.say(f"reason.{_key(topic, figures)}", **shown)


def _key(topic: str, figures: Mapping[str, Any]) -> str:
    """Which template tells it: another one where nothing is usual, nobody else does so, or more is the same."""
    match topic:
        case "stall" if "usualSeconds" not in figures:
            return "stall_new"
        case "variant" if figures["cases"] == 1:
            return "variant_alone"
        case "missing" if figures["more"]:
            return "missing_more"
        case _:
            return topic


def _shown(name: str, value: Any, speech: Speech) -> str:
    if name.endswith("Seconds"):
        return speech.duration(value)
    return speech.percent(value) if name == "share" else speech.count(value)
