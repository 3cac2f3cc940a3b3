"""From events to what an endpoint is told: a fold over a run's events, the same after a crash as before it.

Each event gives at most one telling to an endpoint, so (endpoint, run, sequence) names a delivery. Pure; the feeds
call it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Final

from lodestream_server.delivery.endpoints import Wishes
from lodestream_server.runs import bodies
from lodestream_server.runs.batch import BatchState
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import apply
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import PhaseStatus, RunKind

#: The word for each way in which an operation ends.
ENDS: Final[Mapping[str, str]] = {
    bodies.Completed.KIND: "operation.completed",
    bodies.Failed.KIND: "operation.failed",
    bodies.TimedOut.KIND: "operation.failed",
    bodies.Cancelled.KIND: "operation.cancelled",
}
#: What a line of the log is told as where debug lines were asked for; it has no word of its own in a registration.
DEBUG = "debug"
#: Words that are told only when the work has moved on by the endpoint's step.
STEPPED = frozenset({"operation.progress", "progressUpdate"})


@dataclass(frozen=True, slots=True)
class Told:
    """Where an endpoint stands with a run: the run after the last event seen, and the percent last told.

    `cut`: events of the run are no longer kept, so `run` is how it stands since its end, and only that is still told.
    """

    run: RunState | None = None
    percent: float = 0.0
    cut: bool = False

    def reaches(self, event: Event) -> bool:
        """Whether the event is the one right after the last one seen."""
        return not self.cut and event.sequence == (self.run.last_sequence if self.run else 0) + 1


@dataclass(frozen=True, slots=True)
class Telling:
    """Something to tell: `word` is the registered word for it, `run` the run right after the event."""

    word: str
    event: Event
    run: RunState
    #: For a batch's callbacks: the batch right after the event.
    batch: BatchState | None = None

    @property
    def time(self) -> datetime:
        """When it happened."""
        return self.event.time


def step(wishes: Wishes, told: Told, event: Event) -> tuple[Told, Telling | None]:
    """The next stand, and what the event gives to tell."""
    run = apply(told.run, event)
    for word in _words(wishes, told.run, run, event):
        if word not in STEPPED:
            return Told(run, told.percent), Telling(word, event, run)
        if run.percent - told.percent >= wishes.step:
            return Told(run, run.percent), Telling(word, event, run)
    return replace(told, run=run), None


def ending(wishes: Wishes, run: RunState, event: Event) -> Telling | None:
    """What the end of a run gives to tell, with nothing known of what came before; `run` is how it stands since."""
    words = _words(wishes, None, run, event) if event.ends_run else []
    return Telling(words[0], event, run) if words else None


def delivery_id(endpoint_id: str, run_id: str, sequence: int) -> str:
    """The delivery's id, the same whenever it is computed: receivers know a repetition by it."""
    return "dlv-" + blake2b(f"{endpoint_id}/{run_id}/{sequence}".encode(), digest_size=16).hexdigest()


def _words(wishes: Wishes, before: RunState | None, run: RunState, event: Event) -> list[str]:
    if wishes.priorities and run.priority not in wishes.priorities:
        return []
    words = _operation_words(before, run, event) if run.kind is RunKind.OPERATION else _job_words(event)
    return [word for word in words if word in wishes.events or _asked_beside(wishes, word)]


def _asked_beside(wishes: Wishes, word: str) -> bool:
    return (word == DEBUG and wishes.debug) or (word == "error" and wishes.errors)


def _operation_words(before: RunState | None, run: RunState, event: Event) -> tuple[str, ...]:
    match event.body:
        # Being handed back without fault goes on with the same attempt; that is no second start.
        case bodies.Started(attempt) if before is None or attempt != before.attempt:
            return ("operation.started",)
        case bodies.Progressed():
            return ("operation.progress",)
        case bodies.PhaseCompleted(phase):
            again = before is not None and before.phase(phase).status is PhaseStatus.COMPLETED
            return ("operation.progress",) if again else ("operation.phase.completed", "operation.progress")
    return (ENDS[event.kind],) if event.ends_run else ()


def _job_words(event: Event) -> tuple[str, ...]:
    match event.body:
        case bodies.PhaseStarted():
            return ("stageStarted",)
        case bodies.Progressed():
            return ("progressUpdate",)
        case bodies.PhaseCompleted():
            return ("stageCompleted", "progressUpdate")
        case bodies.ErrorNoted() | bodies.Logged("ERROR"):
            return ("error",)
        case bodies.Warned() | bodies.Logged("WARN"):
            return ("warning",)
        case bodies.Logged("DEBUG"):
            return (DEBUG,)
        case bodies.Completed():
            return ("jobCompleted", "job.completed")
        case bodies.Failed() | bodies.TimedOut():
            return ("jobCompleted", "job.failed")
        case bodies.Cancelled():
            return ("jobCompleted", "job.cancelled")
    return ()
