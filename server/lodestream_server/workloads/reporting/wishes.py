"""What a report is asked to be: read from the run's parameters, with the faults that only the phases can see.

Pure; the server's declaration (workloads/declared/reports.py) has checked types and words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lodestream_server.workloads.phase import BadInput, EarlierRun, Phase

#: Formats by the words that ask for them, in any case.
FORMATS = {
    "PDF": "PDF",
    "POWERPOINT": "PowerPoint",
    "PPTX": "PowerPoint",
    "HTML": "HTML",
    "CSV": "CSV",
    "JSON": "JSON",
    "EXCEL": "Excel",
    "XLSX": "Excel",
}

#: Names of runs that say nothing about what they report on.
_NAMELESS = {"", "report generation", "reportgeneration"}

_HOW_TO_NAME = (
    "Name a completed run in parameters.sourceRunId (or sourceOperationId, sourceJobId), or submit the report in a "
    "batch after the operation that it reports on."
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """`formats` in the order they were asked for, each once; `unknown` are words that name none."""

    report_type: str
    language: str
    formats: tuple[str, ...]
    unknown: tuple[str, ...]
    pictures: bool
    title: str


def wishes(parameters: Mapping[str, Any]) -> Wishes:
    """Nothing said means: an executive summary as PDF, in English, with pictures. `outputOptions` may say it as for
    other operations. Raises BadInput when no format that was asked for exists."""
    options = parameters.get("outputOptions") or {}
    asked = parameters.get("exportFormats") or options.get("exportFormats") or ["PDF"]
    words = [str(word).strip() for word in asked]
    formats = tuple(dict.fromkeys(FORMATS[word.upper()] for word in words if word.upper() in FORMATS))
    if not formats:
        raise BadInput(
            f"parameters.exportFormats names no known format ({', '.join(words)[:80]}): give some of "
            f"{', '.join(dict.fromkeys(FORMATS.values()))}.",
            reason="UNKNOWN_FORMAT",
        )
    return Wishes(
        report_type(parameters),
        language(parameters),
        formats,
        tuple(word for word in dict.fromkeys(words) if word.upper() not in FORMATS),
        wants_pictures(parameters),
        str(parameters.get("title") or ""),
    )


# One by one, so that a phase reads no parameter that does not concern it: what a retry changes runs again only where it
# was read.


def report_type(parameters: Mapping[str, Any]) -> str:
    """executive_summary, detailed or comparison."""
    return str(parameters.get("reportType") or "executive_summary")


def language(parameters: Mapping[str, Any]) -> str:
    """The report's language."""
    return str(parameters.get("language") or "en")


def wants_pictures(parameters: Mapping[str, Any]) -> bool:
    """Whether there are a map and charts; `outputOptions` may say it as for other operations."""
    said = parameters.get("includeVisualizations")
    if said is None:
        said = (parameters.get("outputOptions") or {}).get("createVisualizations")
    return said is not False


def ordered(phase: Phase) -> Sequence[EarlierRun]:
    """The runs to report on, each once: the baseline of a comparison first, then the others in their order.

    Raises BadInput when there is none, or not enough of them for a comparison.
    """
    runs = list({run.run_id: run for run in phase.sources}.values())
    if not runs:
        raise BadInput(f"There is nothing to report on. {_HOW_TO_NAME}", reason="NO_SOURCE")
    baseline = phase.parameters.get("baselineRunId")
    runs.sort(key=lambda run: run.run_id != baseline)
    if report_type(phase.parameters) == "comparison":
        runs = [run for run in runs if _mined(run)]
        if len(runs) < 2:
            raise BadInput(
                f"A comparison needs two completed process mining runs and has {len(runs)}. Give both as "
                "parameters.baselineRunId and parameters.sourceRunId, or make the report depend on both in a batch.",
                reason="TOO_FEW_SOURCES",
            )
    return runs


def title_of(asked: str, run_name: str, names: Sequence[str]) -> str:
    """The title that was given, else the run's name where it says something, else what the report is about."""
    if asked.strip():
        return asked
    return run_name if run_name.strip().casefold() not in _NAMELESS else ", ".join(dict.fromkeys(names))


def _mined(run: EarlierRun) -> bool:
    return {"Process Discovery", "Performance Analysis"} <= {phase.name for phase in run.phases}
