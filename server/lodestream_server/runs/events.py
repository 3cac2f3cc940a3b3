"""An event: a fact about a run, numbered within the run and within the store. Everything else is computed from
these."""

from dataclasses import dataclass
from datetime import datetime

from lodestream_server.runs.bodies import Body, Cancelled, Completed, Failed, TimedOut


@dataclass(frozen=True, slots=True)
class Event:
    """`sequence` counts 1, 2, 3 … without holes within the run; `position` is the order of commits over the whole
    store."""

    run_id: str
    sequence: int
    position: int
    #: UTC, microseconds; never before the run's previous event.
    time: datetime
    body: Body

    @property
    def kind(self) -> str:
        """The stable name of what happened."""
        return self.body.KIND

    @property
    def ends_run(self) -> bool:
        """Whether this is the last event of its run."""
        return isinstance(self.body, Completed | Failed | Cancelled | TimedOut)


#: Told along the way: what need not be kept once the run has ended, for its story and its results do without. A run's
#: last event is never one of them, so that positions are not given twice.
ALONG_THE_WAY = frozenset({"progressed", "metrics-changed", "logged", "sampled"})
ENDING_KINDS = frozenset(body.KIND for body in (Completed, Failed, Cancelled, TimedOut))
