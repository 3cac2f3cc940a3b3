"""From the events of a batch's operations to what its callbacks are told: a fold over them in commit order. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from lodestream_server.delivery.endpoints import Wishes
from lodestream_server.delivery.tellings import ENDS, Telling
from lodestream_server.runs.batch import Batch, BatchState
from lodestream_server.runs.bodies import Started
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import apply
from lodestream_server.runs.state import RunState


@dataclass(frozen=True, slots=True)
class BatchTold:
    """The batch's runs after the events seen, in the order of its steps; None for one that has had none."""

    batch: Batch
    runs: tuple[RunState | None, ...]

    @classmethod
    def begin(cls, batch: Batch) -> "BatchTold":
        """Before the first event."""
        return cls(batch, (None,) * len(batch.steps))

    @property
    def whole(self) -> BatchState | None:
        """The batch as it is; None while a run of it is unknown."""
        known = [run for run in self.runs if run is not None]
        return BatchState(self.batch, tuple(known)) if len(known) == len(self.runs) else None


def step(wishes: Wishes, told: BatchTold, event: Event) -> tuple[BatchTold, Telling | None]:
    """The next stand, and what an event of one of the batch's runs gives to tell."""
    place = next(index for index, one in enumerate(told.batch.steps) if one.run_id == event.run_id)
    run = apply(told.runs[place], event)
    after = BatchTold(told.batch, (*told.runs[:place], run, *told.runs[place + 1 :]))
    word = next((word for word in _words(told, after, event) if word in wishes.events), None)
    return after, Telling(word, event, run, after.whole) if word is not None else None


def fold(wishes: Wishes, batch: Batch, events: Iterable[Event]) -> BatchTold:
    """The stand after these events."""
    told = BatchTold.begin(batch)
    for event in events:
        told, _ = step(wishes, told, event)
    return told


def _words(before: BatchTold, after: BatchTold, event: Event) -> tuple[str, ...]:
    if isinstance(event.body, Started):
        return () if any(run is not None and run.started for run in before.runs) else ("batch.started",)
    if not event.ends_run:
        return ()
    over = after.whole is not None and after.whole.has_ended
    return (ENDS[event.kind], "batch.completed") if over else (ENDS[event.kind],)
