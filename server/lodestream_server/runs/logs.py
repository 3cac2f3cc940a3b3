"""A run's log lines: warnings and errors of the timeline are lines too. A view: pure, from events."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from lodestream_server.runs.bodies import ErrorNoted, Json, Level, Logged, Warned
from lodestream_server.runs.events import Event

#: The kinds of events that are lines.
KINDS = frozenset({Logged.KIND, Warned.KIND, ErrorNoted.KIND})
_RANK: dict[Level, int] = {"DEBUG": 0, "INFO": 1, "WARN": 2, "ERROR": 3}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log; `sequence` is its event's."""

    sequence: int
    time: datetime
    level: Level
    message: str
    component: str = ""
    phase: str = ""
    details: Json = field(default_factory=dict)


def line(event: Event) -> Line | None:
    """The line that an event is; None when it is none."""
    match event.body:
        case Logged(level, message, component, phase, details):
            return Line(event.sequence, event.time, level, message, component, phase, details)
        case Warned(issue, component, phase, details):
            return Line(event.sequence, event.time, "WARN", issue, component, phase, details)
        case ErrorNoted(description, component, phase, details):
            return Line(event.sequence, event.time, "ERROR", description, component, phase, details)
        case _:
            return None


def logs(
    events: Iterable[Event],
    *,
    level: Level = "INFO",
    from_time: datetime | None = None,
    to_time: datetime | None = None,
    limit: int = 1000,
) -> tuple[Line, ...]:
    """Lines of that level and above it, oldest first; both times are inclusive.

    Without `from_time` the limit keeps the newest lines, with it the first ones from there on.
    """
    found = [here for event in events if (here := line(event)) is not None and shows(here, level)]
    if from_time is not None:
        found = [here for here in found if here.time >= from_time]
    if to_time is not None:
        found = [here for here in found if here.time <= to_time]
    kept = found[:limit] if from_time is not None else found[max(0, len(found) - limit) :]
    return tuple(kept)


def shows(here: Line, level: Level) -> bool:
    """Whether a line passes the threshold."""
    return _RANK[here.level] >= _RANK[level]
