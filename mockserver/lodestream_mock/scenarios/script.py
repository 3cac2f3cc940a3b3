"""What happens in a story: its phases where they fall, what is said in them, and what documented payloads tell."""

from collections.abc import Iterator, Mapping
from typing import Any

from lodestream import documented
from lodestream.v1 import tracking_pb2 as tracking
from lodestream.wire import numbers
from lodestream_mock.scenarios.spans import epoch_ms, milliseconds
from lodestream_mock.scenarios.story import NOTHING, Failure, Happening, Kind, Phase

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


def text(value: Any, language: str) -> str:
    """A text in a language; English where it has none in it."""
    return str(value.get(language) or value["en"]) if isinstance(value, dict) else str(value)


def phases(entries: list[dict[str, Any]], begin: int, language: str) -> tuple[tuple[Phase, ...], list[Happening]]:
    """The phases one after the other, the first at `begin`, and what is said in them."""
    whole = sum(milliseconds(entry["takes"]) for entry in entries) or 1
    out: list[Phase] = []
    happenings: list[Happening] = []
    for entry in entries:
        takes, fails = milliseconds(entry["takes"]), entry.get("fails")
        said = entry.get("says", [])
        name = text(entry["name"], language)
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
                activity=text(entry.get("activity", name), language),
                fails=Failure(fails["reason"], text(fails["message"], language)) if fails else None,
            )
        )
        for line in said:
            happenings += _said(line, name, begin, entry.get("component", ""), language)
        begin += takes
    return tuple(out), happenings


def _said(line: Mapping[str, Any], phase: str, begin: int, component: str, language: str) -> Iterator[Happening]:
    """The happenings of one line of `says`; progress lines are marks of the phase instead."""
    kind = next((kind for kind in (Kind.LOG, Kind.MILESTONE, Kind.WARNING, Kind.ERROR) if kind.value in line), None)
    if kind is None:
        return
    message = text(line["message"] if kind is Kind.LOG else line[kind.value], language)
    count, every = line.get("count", 1), milliseconds(line.get("every", "0s"))
    at = begin + milliseconds(line.get("at", "0s"))
    for n in range(count):
        yield Happening(
            at=at + n * every,
            kind=kind,
            phase=phase,
            text=message.replace("{n}", str(n + 1)).replace("{count}", str(count)),
            details=line.get("details", NOTHING),
            level=_level(line[kind.value], n) if kind is Kind.LOG else "",
            component=line.get("component", component or phase.replace(" ", "")),
        )


def told(data: Mapping[str, Any], created: int, language: str) -> Iterator[Happening]:
    """What documented payloads tell: log lines and timeline entries, word for word."""
    if name := data.get("logs"):
        for entry in documented.example(name, language)["logs"]:
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
        for entry in documented.example(name, language)["timeline"]:
            yield Happening(
                at=epoch_ms(entry["timestamp"]) - created,
                kind=_TOLD_KINDS[known[entry["eventType"]]],
                phase=entry["details"].get("stageName", ""),
                text=entry["description"],
                details=entry["details"],
                told=True,
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
