"""What callers hand to the engine and get from it, beside the folded state itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lodestream_server.engine.keeping import Policy
from lodestream_server.runs.bodies import Range, ResourceRef, Resources
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import Priority, RunKind
from lodestream_server.store.quotas import NO_QUOTAS, Quotas
from lodestream_server.store.reading import Scope
from lodestream_server.store.requests import RequestId


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the engine is set up; sizes in bytes, times in seconds."""

    #: Runs at work at once; also the number of worker processes.
    seats: int = 2
    #: Memory a run may use when it does not say; 0: the machine's, shared between the seats.
    run_memory_bytes: int = 0
    #: What all runs may use together; 0: the machine's cores, and the memory of all seats.
    cpu_units: float = 0.0
    memory_bytes: int = 0
    #: A run that waits in the queue for longer ends there; None: it waits as long as it takes.
    queue_limit_s: float | None = None
    largest_upload_bytes: int = 20 * 10**9
    #: What one tenant may take of the store.
    quotas: Quotas = NO_QUOTAS
    #: What is kept for how long; everything for ever when left out.
    retention: Policy = field(default_factory=Policy)
    #: From the flag to SIGKILL.
    grace_s: float = 5.0
    #: Silence after which a worker counts as hung.
    lease_s: float = 15.0
    #: A run that killed this many workers is not given another.
    poison_limit: int = 3
    #: Name of this machine in answers; workers are numbered after it.
    node: str = "worker-node"
    #: US dollars; without both there are no costs in answers.
    price_cpu_hour: float | None = None
    price_gb_hour: float | None = None
    #: Environment of worker processes beyond the few harmless names they are given.
    worker_environment: Mapping[str, str] = field(default_factory=dict)
    #: "module:function" that describes an uploaded dataset, in a process of its own.
    describe: str = "lodestream_server.workloads.mining.describe:describe"
    describe_timeout_s: float = 600.0


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be. `parameters` and `extras` are JSON values. No `name`: the type's. `scheduled_at` in the past
    means now."""

    scope: Scope
    kind: RunKind
    type: str
    name: str = ""
    description: str = ""
    priority: Priority = Priority.NORMAL
    submitted_by: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    resource: ResourceRef | None = None
    timeout_s: float | None = None
    scheduled_at: datetime | None = None
    #: Callbacks, notifications, retryPolicy … as submitted.
    extras: Mapping[str, Any] = field(default_factory=dict)
    #: The caller's id for this one effect: a second send gives the same run.
    request: RequestId | None = None
    #: Runs of the project that must complete first; without a datasetId, what they leave is the input.
    dependencies: tuple[str, ...] = ()
    #: What follows is for the engine: retries and batches.
    origin: RunState | None = None
    retry_number: int = 0
    batch_id: str = ""
    operation_key: str = ""
    #: Instead of what the parameters ask for.
    resources: Resources | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """What a submission gave. `repeated`: the run was there already. Estimates are absent without history."""

    run: RunState
    repeated: bool = False
    queue_position: int | None = None
    estimated_start: datetime | None = None
    estimate: Range | None = None
    estimated_cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """How to cancel: `force` skips the flag and SIGTERM; `preserve` keeps what finished phases produced; `notify` lets
    the run's callbacks hear of it."""

    by: str = ""
    reason: str = ""
    force: bool = False
    preserve: bool = True
    notify: bool = True


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """A waiting run's place, counted from 1 over all tenants, and when its turn should come if that can be known."""

    run: RunState
    position: int
    estimated_start: datetime | None = None


@dataclass(frozen=True, slots=True)
class WaitReason:
    """One thing that a run waits for: an UPPER_SNAKE reason, a sentence, and the run or instant meant."""

    reason: str
    message: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a run waits for, in a sentence and one by one; nothing when it does not wait."""

    run: RunState
    sentence: str
    reasons: tuple[WaitReason, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryOrder:
    """How to try a run again. `parameters` are merged over the original's, null removing a key; `take_over` keeps
    finished phases whose inputs and parameters are unchanged; `keep_original` False drops the original's files."""

    by: str = ""
    reason: str = ""
    take_over: bool = True
    parameters: Mapping[str, Any] | None = None
    timeout_s: float | None = None
    priority: Priority | None = None
    policy: Mapping[str, Any] | None = None
    keep_original: bool = True
    front: bool = False
    double_memory: bool = False
    request: RequestId | None = None


@dataclass(frozen=True, slots=True)
class Retried:
    """The new run and what it takes over: names of phases, their records and their share of the whole in percent.

    `first_phase` is the first that runs; None when all are taken over.
    """

    submission: Submission
    origin: RunState
    phases: tuple[str, ...] = ()
    records: int = 0
    percent: float = 0.0
    first_phase: str | None = None
