"""What a run amounts to: the folded state that the store keeps beside the log, and that `get` and `list` answer from.

Only `fold.apply` makes new ones. Phase results are not in here, they can be large; `results.phase_results` takes
them from the log.
"""

from dataclasses import dataclass, field
from datetime import datetime

from lodestream_server.runs.bodies import (
    CancelRequested,
    Failed,
    Json,
    Range,
    Receipt,
    ResourceRef,
    Resources,
    Sampled,
)
from lodestream_server.runs.states import AT_WORK, ENDED, PhaseStatus, Priority, RunKind, State


@dataclass(frozen=True, slots=True)
class PhaseState:
    """A phase as it stands. `rate` is records per second; `percent` may fall when a new attempt begins the phase
    again."""

    name: str
    order: int
    weight: float = 1.0
    status: PhaseStatus = PhaseStatus.PENDING
    started: datetime | None = None
    ended: datetime | None = None
    duration_s: float | None = None
    percent: float = 0.0
    done: int | None = None
    total: int | None = None
    rate: float | None = None
    activity: str | None = None
    metrics: Json = field(default_factory=dict)
    records: int | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class LogCounts:
    """Lines of the run's log by level, and when the first and the last came."""

    debug: int = 0
    info: int = 0
    warn: int = 0
    error: int = 0
    first: datetime | None = None
    last: datetime | None = None

    @property
    def total(self) -> int:
        """All lines."""
        return self.debug + self.info + self.warn + self.error


@dataclass(frozen=True, slots=True)
class RunState:
    """A run after its event `last_sequence`."""

    run_id: str
    tenant_id: str
    project_id: str
    kind: RunKind
    type: str
    name: str
    created: datetime
    updated: datetime
    phases: tuple[PhaseState, ...]
    state: State
    description: str = ""
    priority: Priority = Priority.NORMAL
    submitted_by: str = ""
    parameters: Json = field(default_factory=dict)
    dataset_id: str | None = None
    size_bytes: int | None = None
    resource: ResourceRef | None = None
    resources: Resources = field(default_factory=Resources)
    timeout_s: float | None = None
    scheduled_at: datetime | None = None
    deadline: datetime | None = None
    estimate: Range | None = None
    extras: Json = field(default_factory=dict)
    origin: str = ""
    retry_number: int = 0
    batch_id: str = ""
    operation_key: str = ""
    dependencies: tuple[str, ...] = ()
    #: Rises whenever the run changes hands; what an earlier holder says is refused.
    epoch: int = 0
    attempt: int = 0
    #: Attempts that ended by a fault; being handed back without one costs nothing.
    attempts_spent: int = 0
    worker_deaths: int = 0
    waiting_for: tuple[str, ...] = ()
    retry_at: datetime | None = None
    #: When its age in the queue began; being handed back does not begin it again.
    queued_at: datetime | None = None
    #: When the first attempt began.
    started: datetime | None = None
    #: When the present attempt began.
    attempt_started: datetime | None = None
    ended: datetime | None = None
    last_sequence: int = 0
    last_position: int = 0
    #: 0 to 100, never falls; 100 only once COMPLETED.
    percent: float = 0.0
    node: str | None = None
    pid: int | None = None
    execution_id: str | None = None
    sample: Sampled | None = None
    peak_rss_bytes: int = 0
    #: CPU seconds of the attempts before this one.
    cpu_s_before: float = 0.0
    logs: LogCounts = LogCounts()
    warnings: int = 0
    errors: int = 0
    artifacts: int = 0
    cancel: CancelRequested | None = None
    cancel_requested_at: datetime | None = None
    receipt: Receipt | None = None
    failure: Failed | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in ENDED

    @property
    def at_work(self) -> bool:
        """Whether a worker may be busy with it."""
        return self.state in AT_WORK

    @property
    def current(self) -> PhaseState | None:
        """The phase that is running, or was when the run stopped; None before the first and after a completed run's
        last."""
        begun = [phase for phase in self.phases if phase.status not in (PhaseStatus.PENDING, PhaseStatus.COMPLETED)]
        return begun[-1] if begun else None

    @property
    def finished(self) -> tuple[str, ...]:
        """Names of the phases that ended well, in order."""
        return tuple(phase.name for phase in self.phases if phase.status is PhaseStatus.COMPLETED)

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all attempts."""
        return self.cpu_s_before + (self.sample.cpu_s if self.sample else 0.0)

    def phase(self, name: str) -> PhaseState:
        """The phase of that name. Raises KeyError."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise KeyError(name)
