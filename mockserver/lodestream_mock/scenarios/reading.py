"""Plain data of a scenario file -> `Scenario`, in one language.

The data has passed `checking`; nothing is checked twice here. A text may be one string, or `{en: ..., tr: ...}`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from lodestream import documented
from lodestream.v1 import tracking_pb2 as tracking
from lodestream.wire import numbers
from lodestream.wire.amounts import size_bytes
from lodestream_mock.scenarios.spans import milliseconds, span
from lodestream_mock.scenarios.story import (
    NOTHING,
    ArtifactStory,
    BatchStory,
    Failure,
    Happening,
    Keyframe,
    Kind,
    Phase,
    RunThere,
    Scenario,
    Step,
    Story,
    Usage,
)

_EVENT = tracking.TimelineEventType
_TOLD_KINDS: Mapping[int, Kind] = {
    _EVENT.TIMELINE_EVENT_TYPE_JOB_STARTED: Kind.STARTED,
    _EVENT.TIMELINE_EVENT_TYPE_STAGE_STARTED: Kind.PHASE_STARTED,
    _EVENT.TIMELINE_EVENT_TYPE_STAGE_COMPLETED: Kind.PHASE_COMPLETED,
    _EVENT.TIMELINE_EVENT_TYPE_MILESTONE: Kind.MILESTONE,
    _EVENT.TIMELINE_EVENT_TYPE_WARNING: Kind.WARNING,
    _EVENT.TIMELINE_EVENT_TYPE_ERROR: Kind.ERROR,
    _EVENT.TIMELINE_EVENT_TYPE_PROGRESS: Kind.PROGRESS,
}
_OUTPUT_TYPES = {
    "ProcessMiningReport": "Report",
    "EnrichedDataset": "Dataset",
    "ProcessMap": "Visualization",
    "AnalyticsModel": "Model",
}


def scenario_of(data: Mapping[str, Any], language: str) -> Scenario:
    """The scenario of a file's data."""
    reader = _Reader(language)
    stories = {key: reader.story(key, story) for key, story in data.get("stories", {}).items()}
    return Scenario(
        name=data["scenario"],
        title=reader.text(data["title"]),
        language=language,
        description=reader.text(data.get("description", "")).strip(),
        now=epoch_ms(data["now"]),
        clock=data.get("clock", "frozen"),
        pinned=data.get("pinned", False),
        workers=data.get("workers", 4),
        stories=stories,
        runs=tuple(_runs(data.get("runs", []))),
        batches=tuple(reader.batch(key, batch) for key, batch in data.get("batches", {}).items()),
        submit=data.get("submit", {}),
    )


def epoch_ms(instant: str) -> int:
    """Milliseconds since 1970 of an ISO 8601 instant with its offset. Raises ValueError."""
    moment = datetime.fromisoformat(instant)
    if moment.tzinfo is None:
        raise ValueError(f"{instant!r} has no offset: end it with Z")
    return round(moment.timestamp() * 1000)


def _runs(entries: list[dict[str, Any]]) -> Iterator[RunThere]:
    """`repeat` makes many runs of an entry, each `every` younger than the one before; `{n}` in the id is its number."""
    for entry in entries:
        count, every = entry.get("repeat", 1), milliseconds(entry.get("every", "0s"))
        age = milliseconds(entry.get("age", "0s"))
        for n in range(1, count + 1):
            run_id = entry["id"].replace("{n}", f"{n:012d}")
            name = entry.get("name", "").replace("{n}", str(n))
            yield RunThere(run_id, entry["story"], max(0, age - (n - 1) * every), name)


class _Reader:
    def __init__(self, language: str) -> None:
        self.language = language

    def text(self, value: Any) -> str:
        return str(value.get(self.language) or value["en"]) if isinstance(value, dict) else str(value)

    def story(self, key: str, data: Mapping[str, Any]) -> Story:
        created, waits = epoch_ms(data["created"]), milliseconds(data.get("waits", "0s"))
        phases, happenings = self.phases(data.get("phases", []), waits)
        cancel = data.get("cancelled")
        optional = {name: data[name] for name in ("priority", "worker", "resource") if name in data}
        return Story(
            key=key,
            kind=data["kind"],
            name=self.text(data["name"]),
            type=data["type"],
            created=created,
            description=self.text(data.get("description", "")),
            submitted_by=data.get("submittedBy", "user123"),
            execution_id=data.get("executionId", ""),
            waits=waits,
            timeout=milliseconds(data.get("timeout", "2h")),
            estimate=span(data["estimate"]) if "estimate" in data else None,
            cpu_units=data.get("cpuUnits", 2),
            memory_gb=data.get("memoryGB", 4),
            phases=phases,
            told=(*happenings, *self.told(data, created)),
            usage=tuple(
                Usage(
                    milliseconds(entry["at"]),
                    entry["cpu"],
                    size_bytes(entry["memory"]),
                    entry.get("rate", 0.0),
                    self.text(entry.get("stage", "")),
                )
                for entry in data.get("usage", [])
            ),
            artifacts=self.artifacts(data.get("artifacts", [])),
            results=data.get("results", ""),
            cancel=(milliseconds(cancel["after"]), cancel["by"], self.text(cancel["reason"])) if cancel else None,
            keyframes=tuple(
                Keyframe(milliseconds(entry["at"]), entry.get("answers", NOTHING))
                for entry in data.get("keyframes", [])
            ),
            on_retry=data.get("onRetry", ""),
            prerequisites=tuple(data.get("prerequisites", [])),
            **optional,
        )

    def phases(self, entries: list[dict[str, Any]], begin: int) -> tuple[tuple[Phase, ...], list[Happening]]:
        whole = sum(milliseconds(entry["takes"]) for entry in entries) or 1
        out: list[Phase] = []
        happenings: list[Happening] = []
        for entry in entries:
            takes, fails = milliseconds(entry["takes"]), entry.get("fails")
            said = entry.get("says", [])
            name = self.text(entry["name"])
            out.append(
                Phase(
                    name=name,
                    starts=begin,
                    ends=begin + (milliseconds(fails["after"]) if fails else takes),
                    share=entry.get("share", 100 * takes / whole),
                    marks=_marks(said, begin) or _quarters(begin, takes),
                    records=entry.get("records"),
                    results=entry.get("results", NOTHING),
                    metrics=entry.get("metrics", NOTHING),
                    validation=entry.get("validation", NOTHING),
                    component=entry.get("component", name.replace(" ", "")),
                    activity=self.text(entry.get("activity", name)),
                    fails=Failure(fails["reason"], self.text(fails["message"])) if fails else None,
                )
            )
            for line in said:
                happenings += self.said(line, name, begin, entry.get("component", ""))
            begin += takes
        return tuple(out), happenings

    def said(self, line: Mapping[str, Any], phase: str, begin: int, component: str) -> Iterator[Happening]:
        """The happenings of one line of `says`; progress lines are marks of the phase instead."""
        kind = next((kind for kind in (Kind.LOG, Kind.MILESTONE, Kind.WARNING, Kind.ERROR) if kind.value in line), None)
        if kind is None:
            return
        text = self.text(line["message"] if kind is Kind.LOG else line[kind.value])
        count, every = line.get("count", 1), milliseconds(line.get("every", "0s"))
        at = begin + milliseconds(line.get("at", "0s"))
        for n in range(count):
            yield Happening(
                at=at + n * every,
                kind=kind,
                phase=phase,
                text=text.replace("{n}", str(n + 1)).replace("{count}", str(count)),
                details=line.get("details", NOTHING),
                level=_level(line[kind.value], n) if kind is Kind.LOG else "",
                component=line.get("component", component or phase.replace(" ", "")),
            )

    def told(self, data: Mapping[str, Any], created: int) -> Iterator[Happening]:
        """What documented payloads tell: log lines and timeline entries, word for word."""
        if name := data.get("logs"):
            for entry in documented.example(name, self.language)["logs"]:
                yield Happening(
                    at=epoch_ms(entry["timestamp"]) - created,
                    kind=Kind.LOG,
                    phase=entry["stage"],
                    text=entry["message"],
                    details=entry["details"],
                    level=entry["level"],
                    component=entry["component"],
                    told=True,
                )
        if name := data.get("timeline"):
            known = numbers(tracking.TimelineEventType.DESCRIPTOR)
            for entry in documented.example(name, self.language)["timeline"]:
                yield Happening(
                    at=epoch_ms(entry["timestamp"]) - created,
                    kind=_TOLD_KINDS[known[entry["eventType"]]],
                    phase=entry["details"].get("stageName", ""),
                    text=entry["description"],
                    details=entry["details"],
                    told=True,
                )

    def artifacts(self, data: Any) -> tuple[ArtifactStory, ...]:
        """Listed ones, or those of a documented result; their file name is their id."""
        if isinstance(data, str):
            return tuple(self.documented_artifacts(data))
        return tuple(
            ArtifactStory(
                entry["file"],
                self.text(entry["name"]),
                entry["type"],
                entry["format"],
                self.text(entry.get("description", "")),
                entry.get("kind", ""),
            )
            for entry in data
        )

    def documented_artifacts(self, name: str) -> Iterator[ArtifactStory]:
        payload = documented.example(name, self.language)
        outputs = payload.get("results", {})
        for entry in payload.get("artifacts", []):
            file = entry["downloadUrl"].rsplit("/", 1)[1]
            yield ArtifactStory(file, entry["name"], entry["type"], entry["format"], entry["description"])
        for entry in [outputs["primaryOutput"], *outputs["additionalOutputs"]] if outputs else []:
            file, kind = entry["downloadUrl"].rsplit("/", 1)[1], entry["type"]
            yield ArtifactStory(file, entry["title"], _OUTPUT_TYPES[kind], entry["format"], kind=kind)

    def batch(self, key: str, data: Mapping[str, Any]) -> BatchStory:
        steps = (
            Step(step["key"], step["story"], step.get("id", ""), tuple(step.get("after", []))) for step in data["steps"]
        )
        return BatchStory(
            key=key,
            name=self.text(data["name"]),
            steps=tuple(steps),
            description=self.text(data.get("description", "")),
            batch_id=data.get("id", ""),
            age=milliseconds(data.get("age", "0s")),
        )


def _marks(said: list[dict[str, Any]], begin: int) -> tuple[tuple[int, float], ...]:
    return tuple(
        (begin + milliseconds(line.get("at", "0s")), float(line["progress"])) for line in said if "progress" in line
    )


def _quarters(begin: int, takes: int) -> tuple[tuple[int, float], ...]:
    """Where a phase says nothing about its progress: a report at each quarter."""
    return tuple((begin + takes * quarter // 4, 25.0 * quarter) for quarter in (1, 2, 3)) if takes else ()


def _level(levels: Any, n: int) -> str:
    """One level, or a list of them to go round in."""
    return str(levels[n % len(levels)]) if isinstance(levels, list) else str(levels)
