"""What can happen to a run: one frozen dataclass per kind of event. `KIND` is the stored name and never changes its
meaning.

A field may be added with a default (old events then read as if they had it); none may be renamed or removed: logs
live for years. Durations are seconds, sizes bytes, instants UTC. `phase` is the phase's name. The engine and the
workers write them; `fold.apply`, the views and the shapes read them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from lodestream_server.runs.states import Priority, RunKind

Json = dict[str, Any]
Level = Literal["DEBUG", "INFO", "WARN", "ERROR"]
#: What stopped the work of a cancelled run: nothing was running, the flag it looks at, or a signal.
Rung = Literal["none", "flag", "SIGTERM", "SIGKILL"]


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """A phase to come; `weight` is its share of the overall percent, relative to the others'."""

    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Resources:
    """What a run asks the machine for."""

    cpu_units: float = 1.0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ResourceRef:
    """The registered thing a job says it runs (`resource` of the documented request)."""

    type: str
    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """Between `low_s` and `high_s` seconds."""

    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True)
class Submitted:
    """First event of every run: all that the caller said. `extras` keeps documented settings that only later parts
    read."""

    KIND: ClassVar[str] = "submitted"
    tenant_id: str
    project_id: str
    kind: RunKind
    type: str
    name: str
    phases: tuple[PhasePlan, ...]
    description: str = ""
    priority: Priority = Priority.NORMAL
    submitted_by: str = ""
    parameters: Json = field(default_factory=dict)
    dataset_id: str | None = None
    size_bytes: int | None = None
    resource: ResourceRef | None = None
    resources: Resources = Resources()
    timeout_s: float | None = None
    scheduled_at: datetime | None = None
    deadline: datetime | None = None
    estimate: Range | None = None
    extras: Json = field(default_factory=dict)
    #: The run that this one tries again, and the how manieth time that is.
    origin: str = ""
    retry_number: int = 0
    #: The batch it belongs to, and its name in there.
    batch_id: str = ""
    operation_key: str = ""
    #: Runs that must complete first.
    dependencies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Blocked:
    """Waits for other runs to end."""

    KIND: ClassVar[str] = "blocked"
    waiting_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """Its input is there: what the run `source` left, or worked on itself."""

    KIND: ClassVar[str] = "bound"
    dataset_id: str
    source: str
    size_bytes: int | None = None
    estimate: Range | None = None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Waits for its time."""

    KIND: ClassVar[str] = "scheduled"
    at: datetime


@dataclass(frozen=True, slots=True)
class Queued:
    """Waits for a free worker."""

    KIND: ClassVar[str] = "queued"


@dataclass(frozen=True, slots=True)
class Reprioritized:
    """Somebody changed how urgent it is, before it started."""

    KIND: ClassVar[str] = "reprioritized"
    priority: Priority
    by: str = ""


@dataclass(frozen=True, slots=True)
class Allocated:
    """It may use something else of the machine from now on. `reason`: MACHINE_LIMIT, RETRY or OUT_OF_MEMORY."""

    KIND: ClassVar[str] = "allocated"
    resources: Resources
    before: Resources
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """A worker took it. Attempts count from 1; being handed back without fault does not count one."""

    KIND: ClassVar[str] = "started"
    attempt: int
    node: str
    pid: int
    execution_id: str
    resources: Resources = Resources()


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase began; `order` counts from 1."""

    KIND: ClassVar[str] = "phase-started"
    phase: str
    order: int


@dataclass(frozen=True, slots=True)
class Progressed:
    """Records done (of total, when known) in the phase; `rate` is records per second, measured."""

    KIND: ClassVar[str] = "progressed"
    phase: str
    done: int
    total: int | None = None
    percent: float | None = None
    activity: str | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class MetricsChanged:
    """Figures of a phase as they stand; later values replace earlier ones by key."""

    KIND: ClassVar[str] = "metrics-changed"
    phase: str
    values: Json


@dataclass(frozen=True, slots=True)
class Logged:
    """A line that a person may want to read."""

    KIND: ClassVar[str] = "logged"
    level: Level
    message: str
    component: str = ""
    phase: str = ""
    details: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Warned:
    """A finding worth a look: on the timeline, and a WARN line of the log."""

    KIND: ClassVar[str] = "warned"
    issue: str
    component: str = ""
    phase: str = ""
    details: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Milestone:
    """A result worth knowing before the end."""

    KIND: ClassVar[str] = "milestone"
    description: str
    phase: str = ""
    details: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErrorNoted:
    """Something failed that did not end the run: on the timeline, and an ERROR line of the log."""

    KIND: ClassVar[str] = "error-noted"
    description: str
    component: str = ""
    phase: str = ""
    details: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArtifactStored:
    """A file for download. `path` is relative to the run's folder, with forward slashes."""

    KIND: ClassVar[str] = "artifact-stored"
    artifact_id: str
    phase: str
    name: str
    type: str
    path: str
    size_bytes: int
    sha256: str
    kind: str = ""
    format: str = ""
    description: str = ""
    records: int | None = None


@dataclass(frozen=True, slots=True)
class PhaseCompleted:
    """A phase ended well. `kept`: its checkpoint was found whole and it was not run again."""

    KIND: ClassVar[str] = "phase-completed"
    phase: str
    duration_s: float
    results: Json = field(default_factory=dict)
    records: int | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Sampled:
    """What the worker's process group used. CPU is percent of one core; times and I/O count since the attempt began."""

    KIND: ClassVar[str] = "sampled"
    cpu_percent: float
    rss_bytes: int
    cpu_s: float = 0.0
    elapsed_s: float = 0.0
    read_bytes: int | None = None
    written_bytes: int | None = None
    io_operations: int | None = None
    threads: int | None = None
    #: Files of the run.
    disk_bytes: int | None = None
    phase: str = ""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wants it stopped. A second one with `force` escalates. `notify`: the run's callbacks hear of its end."""

    KIND: ClassVar[str] = "cancel-requested"
    by: str = ""
    reason: str = ""
    force: bool = False
    preserve: bool = True
    notify: bool = True


@dataclass(frozen=True, slots=True)
class Requeued:
    """Handed back to the queue: `reason` is SERVER_RESTARTED, SERVER_DRAINING or what became of the worker."""

    KIND: ClassVar[str] = "requeued"
    reason: str
    message: str = ""
    #: The run's own worker died under it; three of these end the run.
    worker_died: bool = False


@dataclass(frozen=True, slots=True)
class RetryPlanned:
    """The attempt failed; the next one waits until `at`."""

    KIND: ClassVar[str] = "retry-planned"
    at: datetime
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Completed:
    """The end: all phases ended well."""

    KIND: ClassVar[str] = "completed"


@dataclass(frozen=True, slots=True)
class Failed:
    """The end: `reason` is UPPER_SNAKE, `message` is for people; `error_id` finds an unexpected fault in the
    server's log."""

    KIND: ClassVar[str] = "failed"
    reason: str
    message: str
    phase: str | None = None
    error_id: str | None = None
    details: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a cancellation did: which rung stopped the work, how long that took, what is kept and what was freed."""

    rung: Rung
    took_s: float = 0.0
    phases_kept: tuple[str, ...] = ()
    released: Resources | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The end: stopped on request."""

    KIND: ClassVar[str] = "cancelled"
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The end: the deadline passed, or (`reason` QUEUE_LIMIT) it waited in the queue for longer than runs may."""

    KIND: ClassVar[str] = "timed-out"
    timeout_s: float | None = None
    phase: str | None = None
    reason: str = ""


Body = (
    Submitted
    | Blocked
    | Bound
    | Scheduled
    | Queued
    | Reprioritized
    | Allocated
    | Started
    | PhaseStarted
    | Progressed
    | MetricsChanged
    | Logged
    | Warned
    | Milestone
    | ErrorNoted
    | ArtifactStored
    | PhaseCompleted
    | Sampled
    | CancelRequested
    | Requeued
    | RetryPlanned
    | Completed
    | Failed
    | Cancelled
    | TimedOut
)
Ending = Completed | Failed | Cancelled | TimedOut
