"""What the engine asks of whoever works on runs. The local pool implements it; another one could reach other machines.

A seat is one worker taken for one run: begin, listen to its words until an outcome, release. Stopping has three
rungs, each harder.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from lodestream_server.runs.bodies import Body, Json
from lodestream_server.workloads.phase import DatasetFile, EarlierRun, ResourceFile


@dataclass(frozen=True, slots=True)
class PhaseOrder:
    """A phase to run: its function as "module:function"; `known_complete` when the log has its end already."""

    name: str
    function: str
    version: int = 1
    component: str = ""
    known_complete: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """All that a worker needs to know of a run; `dataset_sha256` belongs to the dataset; `inputs` has a
    fingerprint for everything else that it works on; `lease_s` is the silence after which its worker counts as hung,
    where it is not the server's own."""

    run_id: str
    epoch: int
    run_name: str
    parameters: Json
    phases: tuple[PhaseOrder, ...]
    folder: Path
    memory_bytes: int = 0
    dataset: DatasetFile | None = None
    dataset_sha256: str = ""
    datasets: tuple[DatasetFile, ...] = ()
    resources: tuple[ResourceFile, ...] = ()
    sources: tuple[EarlierRun, ...] = ()
    inputs: tuple[str, ...] = ()
    lease_s: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """Events to be, oldest first, each with its age in seconds; to be committed together."""

    facts: tuple[tuple[Body, float], ...]


@dataclass(frozen=True, slots=True)
class Done:
    """All phases ended well."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The work saw the flag and stopped by itself."""


@dataclass(frozen=True, slots=True)
class Broke:
    """A phase failed. `traceback` of an unexpected fault is for the server's log only."""

    reason: str
    message: str
    phase: str
    details: Json = field(default_factory=dict)
    traceback: str = ""


Signal = Literal["SIGTERM", "SIGKILL"]


@dataclass(frozen=True, slots=True)
class Died:
    """The worker is gone without an outcome. `by` is the signal when we sent it, else None.

    `reason`: WORKER_HUNG, OUT_OF_MEMORY, WORKER_KILLED (by somebody else), WORKER_VANISHED (exit 0), WORKER_CRASHED.
    """

    reason: str
    message: str
    by: Signal | None = None


Outcome = Done | Stopped | Broke | Died


class Seat(Protocol):
    """One worker, for one run."""

    @property
    def node(self) -> str:
        """Name of the worker, as people see it."""

    @property
    def pid(self) -> int:
        """Its process id."""

    async def begin(self, assignment: Assignment) -> None:
        """Hands the run over. A worker that died meanwhile shows in its words."""

    def words(self) -> AsyncIterator[Told | Outcome]:
        """What the worker says, ending with exactly one outcome."""

    def ask_to_stop(self) -> None:
        """First rung: the flag that the work looks at."""

    def signal(self, which: Signal) -> None:
        """Second and third rung; the third takes the whole process group. Harmless when it is gone already."""

    async def release(self) -> None:
        """Gives the seat back; when this returns, nothing of the run is running any more."""


class Executor(Protocol):
    """Some seats."""

    @property
    def seats(self) -> int:
        """How many runs can be at work at once."""

    @property
    def free(self) -> int:
        """How many of them are not taken."""

    async def open(self, freed: Callable[[], None]) -> None:
        """Starts the workers; `freed` is called on the loop whenever a seat becomes free."""

    async def take(self) -> Seat:
        """A seat, waiting for its worker to be ready. Call only while `free` is positive."""

    async def close(self) -> None:
        """Ends all workers at once, with whatever they are doing."""
