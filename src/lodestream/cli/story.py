"""A run's events as a story for people: what to say when, and how far each phase is. Pure; `follow` shows it.

The same for jobs and operations, on a terminal and in a file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lodestream import wire
from lodestream.cli import texts
from lodestream.v1.common_pb2 import (
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    ArtifactType,
    LogEntry,
    LogLevel,
    Priority,
    RunState,
)
from lodestream.v1.event_pb2 import RunEvent

Noted = RunEvent.Noted


@dataclass(frozen=True, slots=True)
class Bar:
    """A phase as a bar shows it: waiting, running, done, or ended with the run before it was done."""

    name: str
    status: str = "waiting"
    percent: float = 0.0
    done: int = 0
    total: int = 0
    rate: float = 0.0
    activity: str = ""
    took_s: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Something to say. `style` is a rich style; `moves` marks plain progress, which a terminal shows as a bar."""

    event: RunEvent
    text: str
    style: str = ""
    moves: bool = False


@dataclass(slots=True)
class Story:
    """What is known of a run so far; fed with events in order."""

    name: str = ""
    percent: float = 0.0
    state: str = ""
    bars: dict[str, Bar] = field(default_factory=dict)
    level: int = LogLevel.LOG_LEVEL_INFO

    @property
    def succeeded(self) -> bool:
        """Whether the run ended with results."""
        return self.state == "Completed"

    def tell(self, event: RunEvent) -> list[Line]:
        """Takes an event in and returns what to say about it."""
        self.percent = event.percentage if event.HasField("percentage") else self.percent
        self.state = _WORDS.get(event.state, self.state)
        return [replace(line, event=event) for line in self._lines(event)]

    def bar(self, name: str, **changes: Any) -> Bar:
        """The phase's bar with changes."""
        self.bars[name] = replace(self.bars.get(name) or Bar(name), **changes)
        return self.bars[name]

    def _lines(self, event: RunEvent) -> Iterator[Line]:
        match event.WhichOneof("body"):
            case "submitted":
                yield from self._submitted(event.submitted)
            case "phase_started":
                yield from self._phase_started(event.phase_started)
            case "progressed":
                yield from self._progressed(event.progressed)
            case "phase_completed":
                yield from self._phase_completed(event.phase_completed)
            case "logged":
                if event.logged.level >= self.level:
                    yield self._logged(event.logged)
            case "noted":
                yield from self._noted(event.noted)
            case "queued":
                again = _AGAIN.get(event.queued.reason, event.queued.reason)
                yield _said(f"Waits for a worker{f' again: {again}' if again else ''}", "yellow" if again else "dim")
            case "waiting":
                yield _said(_waits(event.waiting), "yellow")
            case "started":
                attempt = f", attempt {event.started.attempt}" if event.started.attempt > 1 else ""
                yield _said(f"Started on {event.started.worker_node}{attempt}")
            case "artifact_stored":
                yield _said(_stored(event.artifact_stored), "blue")
            case "cancel_requested":
                yield _said(_asked_to_stop(event.cancel_requested), "yellow")
            case "completed" | "failed" | "cancelled" | "timed_out" as kind:
                for bar in [bar for bar in self.bars.values() if bar.status == "running"]:
                    self.bar(bar.name, status="ended")
                yield _said(_ended(kind, event), "bold green" if kind == "completed" else "bold red")

    def _logged(self, entry: LogEntry) -> Line:
        who = f"{entry.component}: " if entry.component else ""
        sign, style = _LOG_SIGNS.get(entry.level, ("·", ""))
        return _said(f"{sign} {who}{entry.message}", style)

    def _submitted(self, body: RunEvent.Submitted) -> Iterator[Line]:
        self.name = body.name
        for phase in body.phases:
            self.bar(phase)
        urgent = _PRIORITIES.get(body.priority, "")
        by = f" by {body.submitted_by}" if body.submitted_by else ""
        yield _said(f"{body.type} “{body.name}” was submitted{by}{f', priority {urgent}' if urgent else ''}")

    def _phase_started(self, body: RunEvent.PhaseStarted) -> Iterator[Line]:
        self.bar(body.phase, status="running", percent=0.0, done=0, total=0, activity="")
        yield _said(f"▶ {body.phase}", "bold")

    def _progressed(self, body: RunEvent.Progressed) -> Iterator[Line]:
        bar = self.bar(
            body.phase,
            status="running",
            percent=body.phase_percentage,
            done=body.records_processed,
            total=body.total_records,
            rate=body.records_per_second,
            activity=body.activity,
        )
        records = f", {texts.of_text(bar.done, bar.total)} records" if bar.done else ""
        rate = f", {texts.rate_text(bar.rate)}" if bar.rate else ""
        doing = f": {bar.activity}" if bar.activity else ""
        yield Line(RunEvent(), f"  {bar.name} {bar.percent:.0f} %{records}{rate}{doing}", "dim", moves=True)

    def _phase_completed(self, body: RunEvent.PhaseCompleted) -> Iterator[Line]:
        took_s = texts.seconds(body.duration)
        records = body.records_processed
        self.bar(body.phase, status="done", percent=100.0, done=records, total=records, took_s=took_s, activity="")
        how = "kept from before" if body.kept else texts.span_text(took_s)
        yield _said(f"✔ {body.phase}: {how}{f', {records:,} records' if records else ''}", "green")

    def _noted(self, body: RunEvent.Noted) -> Iterator[Line]:
        sign, style = _SIGNS.get(body.kind, ("·", ""))
        yield _said(f"{sign} {body.description}", style)


_WORDS: Final = wire.words(RunState.DESCRIPTOR, "en")
_PRIORITIES: Final = wire.words(Priority.DESCRIPTOR, "en")
_LEVELS: Final = wire.words(LogLevel.DESCRIPTOR, "en")
_TYPES: Final = wire.words(ArtifactType.DESCRIPTOR, "en")
_LOG_SIGNS: Final[dict[int, tuple[str, str]]] = {LOG_LEVEL_WARN: ("!", "yellow"), LOG_LEVEL_ERROR: ("✘", "red")}
_SIGNS: Final[dict[int, tuple[str, str]]] = {
    Noted.KIND_MILESTONE: ("★", "cyan"),
    Noted.KIND_WARNING: ("!", "yellow"),
    Noted.KIND_ERROR: ("✘", "red"),
}
_AWAITED: Final = {"SCHEDULED": "its time", "RETRY": "its next attempt", "DEPENDENCY": "other runs"}
_AGAIN: Final = {
    "WORKER_DIED": "its worker died",
    "SERVER_RESTARTED": "the server was restarted",
    "DRAINED": "the server was stopped",
}


def log_text(entry: LogEntry) -> str:
    """A log line without its time: level, component, message, and the facts that belong to it."""
    facts = texts.details_text(wire.to_dict(entry.details)) if entry.HasField("details") else ""
    who = f"{entry.component}: " if entry.component else ""
    return f"{_LEVELS.get(entry.level, ''):<5} {who}{entry.message}{f'  {facts}' if facts else ''}"


def _said(text: str, style: str = "") -> Line:
    return Line(RunEvent(), text, style)


def _waits(body: RunEvent.Waiting) -> str:
    until = f", {texts.instant_text(body.until)}" if body.HasField("until") else ""
    return f"Waits for {_AWAITED.get(body.reason, body.reason)}{until}"


def _stored(body: RunEvent.ArtifactStored) -> str:
    from lodestream.wire.amounts import size_text

    kind = _TYPES.get(body.type, "File")
    return f"+ {body.name} ({kind}, {body.format}, {size_text(body.size_bytes)})"


def _asked_to_stop(body: RunEvent.CancelRequested) -> str:
    how = "be stopped at once" if body.force else "stop"
    return f"{body.requested_by or 'Somebody'} asked for it to {how}{f': {body.reason}' if body.reason else ''}"


def _ended(kind: str, event: RunEvent) -> str:
    match kind:
        case "completed":
            records = event.completed.records_processed
            took = texts.span_text(texts.seconds(event.completed.duration))
            return f"Completed in {took}{f', {records:,} records' if records else ''}"
        case "failed":
            where = f" in {event.failed.stage}" if event.failed.stage else ""
            number = f" (error id {event.failed.error_id})" if event.failed.error_id else ""
            return f"Failed{where}: {event.failed.message}{number}"
        case "timed_out":
            limit = event.timed_out
            at = f", {texts.instant_text(limit.timeout_at)}" if limit.HasField("timeout_at") else ""
            return f"Stopped at its time limit{at}"
    by = f" by {event.cancelled.cancelled_by}" if event.cancelled.cancelled_by else ""
    return f"Cancelled{by}{f': {event.cancelled.reason}' if event.cancelled.reason else ''}"
