"""An address that is told what happens, and which happenings it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lodestream_mock.scenarios.story import Kind, nothing

OPERATION_EVENTS: Mapping[Kind, str] = {
    Kind.STARTED: "operation.started",
    Kind.PROGRESS: "operation.progress",
    Kind.PHASE_COMPLETED: "operation.phase.completed",
    Kind.COMPLETED: "operation.completed",
    Kind.FAILED: "operation.failed",
    Kind.TIMED_OUT: "operation.failed",
    Kind.CANCELLED: "operation.cancelled",
}
JOB_EVENTS: Mapping[Kind, str] = {
    Kind.PHASE_STARTED: "stageStarted",
    Kind.PHASE_COMPLETED: "stageCompleted",
    Kind.PROGRESS: "progressUpdate",
    Kind.ERROR: "error",
    Kind.WARNING: "warning",
    Kind.COMPLETED: "jobCompleted",
    Kind.FAILED: "jobCompleted",
    Kind.TIMED_OUT: "jobCompleted",
    Kind.CANCELLED: "jobCompleted",
}
CALLBACK_EVENTS: Mapping[Kind, str] = {
    Kind.PROGRESS: "onProgress",
    Kind.COMPLETED: "onCompletion",
    Kind.FAILED: "onError",
    Kind.TIMED_OUT: "onError",
    Kind.CANCELLED: "onError",
}


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and when a delivery is tried again; milliseconds of the virtual clock."""

    most: int = 3
    delay: int = 60_000
    multiplier: float = 2.0
    longest: int = 3_600_000

    def wait(self, attempts: int) -> int | None:
        """How long to wait after so many attempts; None when there are no more."""
        return min(int(self.delay * self.multiplier ** (attempts - 1)), self.longest) if attempts <= self.most else None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`told` maps kinds of happening to the event's name; `events` are the names wanted, all when empty.

    `run_id` "" means every operation of the session. `since` and `until` are times of the session's clock.
    """

    endpoint_id: str
    url: str
    told: Mapping[Kind, str]
    since: int
    events: frozenset[str] = frozenset()
    run_id: str = ""
    types: frozenset[str] = frozenset()
    priorities: frozenset[str] = frozenset()
    min_increment: int = 0
    until: int | None = None
    secret: str = ""
    token: str = ""
    headers: Mapping[str, str] = field(default_factory=nothing)
    retries: Retries = Retries()

    def event_of(self, kind: Kind) -> str:
        """The name under which this endpoint is told a kind of happening; "" when it is not."""
        name = self.told.get(kind, "")
        return name if not self.events or name in self.events else ""

    def word_of(self, kind: Kind) -> str:
        """The word that a delivery says; callbacks use those of webhooks."""
        return OPERATION_EVENTS.get(kind, "") if self.told is CALLBACK_EVENTS else self.told.get(kind, "")
