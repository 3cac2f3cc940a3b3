"""A run's log lines: warnings and errors of the timeline are lines too. A view: pure, from events."""

from dataclasses import dataclass, field
from datetime import datetime

from lodestream_server.runs.bodies import ErrorNoted, Json, Level, Logged, Warned
from lodestream_server.runs.events import Event

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


def shows(here: Line, level: Level) -> bool:
    """Whether a line passes the threshold."""
    return _RANK[here.level] >= _RANK[level]
