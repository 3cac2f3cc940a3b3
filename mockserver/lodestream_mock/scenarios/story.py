"""What a scenario file says, as frozen values: stories that runs play, the runs that are there from the start, and what
a submission plays.

All times of a story are whole milliseconds since the run was created. Made by `reading`, played by
`lodestream_mock.play`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

NOTHING: Mapping[str, Any] = MappingProxyType({})


def nothing() -> Mapping[str, Any]:
    """The empty mapping, for fields that have none."""
    return NOTHING


class Kind(StrEnum):
    """What can happen to a run; the order is the order of things that happen at the same moment."""

    SUBMITTED = "submitted"
    WAITING = "waiting"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    STARTED = "started"
    PHASE_COMPLETED = "phase_completed"
    PHASE_STARTED = "phase_started"
    SAMPLE = "sample"
    LOG = "log"
    MILESTONE = "milestone"
    WARNING = "warning"
    ERROR = "error"
    PROGRESS = "progress"
    ARTIFACT = "artifact"
    CANCEL_REQUESTED = "cancel_requested"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


RANK = {kind: rank for rank, kind in enumerate(Kind)}
TERMINAL = frozenset({Kind.COMPLETED, Kind.FAILED, Kind.CANCELLED, Kind.TIMED_OUT})


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens to a run at a moment. `told` marks those that a documented payload tells in its words."""

    at: int
    kind: Kind
    phase: str = ""
    text: str = ""
    details: Mapping[str, Any] = field(default_factory=nothing)
    level: str = ""
    component: str = ""
    told: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run fails: an upper-snake reason for programs and a sentence for people."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of an operation, or a stage of a job. `share` is its part of the whole in percent; `marks` are pairs
    (moment, percent of the phase) in order."""

    name: str
    starts: int
    ends: int
    share: float
    marks: tuple[tuple[int, float], ...] = ()
    records: int | None = None
    results: Mapping[str, Any] = field(default_factory=nothing)
    metrics: Mapping[str, Any] = field(default_factory=nothing)
    validation: Mapping[str, Any] = field(default_factory=nothing)
    component: str = ""
    activity: str = ""
    fails: Failure | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """A sample of what a run uses from a moment on. CPU in percent of a core, memory in bytes, records per second."""

    at: int
    cpu: float
    memory: int
    rate: float = 0.0
    stage: str = ""


@dataclass(frozen=True, slots=True)
class ArtifactStory:
    """A file that a run leaves behind; its content is made up when it is asked for."""

    artifact_id: str
    name: str
    type: str
    format: str
    description: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A moment that the step clock stops at; `answers` maps methods to the documented example shown exactly then."""

    at: int
    answers: Mapping[str, str] = field(default_factory=nothing)


@dataclass(frozen=True, slots=True)
class Story:
    """The life of a run from beginning to end. `created` is in milliseconds since 1970."""

    key: str
    kind: str
    name: str
    type: str
    created: int
    description: str = ""
    priority: str = "Normal"
    submitted_by: str = "user123"
    waits: int = 0
    worker: str = "worker-node-01"
    execution_id: str = ""
    timeout: int = 7_200_000
    estimate: tuple[int, int] | None = None
    resource: Mapping[str, Any] = field(default_factory=nothing)
    cpu_units: int = 2
    memory_gb: float = 4
    phases: tuple[Phase, ...] = ()
    told: tuple[Happening, ...] = ()
    usage: tuple[Usage, ...] = ()
    artifacts: tuple[ArtifactStory, ...] = ()
    results: str = ""
    cancel: tuple[int, str, str] | None = None
    keyframes: tuple[Keyframe, ...] = ()
    on_retry: str = ""
    prerequisites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunThere:
    """A run that is there when a session begins, already `age` milliseconds old."""

    run_id: str
    story: str
    age: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """An operation of a batch: its key, what it plays, its documented id and the keys it waits for."""

    key: str
    story: str
    run_id: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchStory:
    """A batch that submissions play; `batch_id` and `age` only for one that is there from the start."""

    key: str
    name: str
    steps: tuple[Step, ...]
    description: str = ""
    batch_id: str = ""
    age: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario in one language. `now` is the server's instant at the session's beginning, milliseconds since
    1970. A pinned one answers the documented payloads for documented ids as long as its clock stands at the beginning.
    """

    name: str
    title: str
    language: str
    now: int
    description: str = ""
    clock: str = "frozen"
    pinned: bool = False
    workers: int = 4
    stories: Mapping[str, Story] = field(default_factory=nothing)
    runs: tuple[RunThere, ...] = ()
    batches: tuple[BatchStory, ...] = ()
    submit: Mapping[str, str] = field(default_factory=nothing)
