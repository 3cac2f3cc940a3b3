"""The seam between the worker and a workload: what a phase function is given and may say.

A phase is a plain function `(phase: Phase) -> dict`. What it returns are the phase's free-form results (JSON values, no
NaN or infinity); files go to `phase.out`, which becomes visible under its final name only when the function has
returned. The worker process implements `Phase` over its pipe; tests use the in-memory twin in `rehearsal.py`.
This module imports no mining library.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

Json = dict[str, Any]
Level = Literal["DEBUG", "INFO", "WARN", "ERROR"]
ArtifactType = Literal["Report", "Visualization", "Dataset", "Model"]
PhaseFunction = Callable[["Phase"], Json]


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """A stored dataset as a workload sees it.

    `mapping` holds the columns given at upload or detected there: caseIdColumn, activityNameColumn, activityTimeColumn,
    startTimeColumn, resourceColumn, and for CSV delimiter, encoding, timestampFormat; a missing key means: detect.
    """

    dataset_id: str
    name: str
    path: Path
    format: Literal["csv", "xes", "xes.gz", "parquet"]
    size_bytes: int
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """What an earlier phase of the same run left behind: its results and the folder of its files."""

    name: str
    results: Json
    folder: Path


@dataclass(frozen=True, slots=True)
class ResourceFile:
    """The file of a registered resource: a notebook or a process model."""

    resource_id: str
    name: str
    type: Literal["Notebook", "Model"]
    path: Path


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run that has completed and whose results this one reads: its phases in order, the files of each in its
    folder."""

    run_id: str
    kind: Literal["job", "operation"]
    type: str
    name: str
    parameters: Mapping[str, Any]
    phases: tuple[Finished, ...]
    started: datetime | None = None
    ended: datetime | None = None


class Phase(Protocol):
    """One phase at work. Every method may raise `Cancelled`; let it pass, the worker catches it."""

    name: str
    #: The run's own parameters, as submitted (free-form; validated against the workload's schema at submission).
    parameters: Mapping[str, Any]
    #: None when the run names no dataset.
    dataset: DatasetFile | None
    #: Datasets that parameters of kind "dataset" name, by id; `dataset` is among them.
    datasets: Mapping[str, DatasetFile]
    #: Files of the resources that the run and its parameters of kind "resource" name, by id.
    resources: Mapping[str, ResourceFile]
    #: Runs that parameters of kind "run" name, in their order, then those that the run depends on.
    sources: Sequence[EarlierRun]
    #: An existing, empty folder for this phase's files; renamed into place when the phase ends.
    out: Path
    #: A folder for temporary files, removed when the phase ends.
    scratch: Path
    #: Memory this run may use, in bytes; work that could exceed it goes through the disk.
    memory_bytes: int
    #: Title of the run, for reports.
    run_name: str

    def before(self, phase_name: str) -> Finished:
        """A finished earlier phase. Raises KeyError when there is none of that name."""

    def progress(self, done: int, total: int | None = None, activity: str | None = None) -> None:
        """Records done of total in this phase, and what is being done now. Cheap: the worker throttles what it sends.

        Never decreases within a phase. Also a cancel point: raises Cancelled once the run is asked to stop.
        """

    def log(self, level: Level, message: str, /, **details: Any) -> None:
        """A line a person would want to read; details are JSON values."""

    def warn(self, issue: str, /, **details: Any) -> None:
        """A warning on the timeline and in the log: a data-quality finding, a fallback."""

    def milestone(self, description: str, /, **details: Any) -> None:
        """A milestone on the timeline: a result worth knowing before the end."""

    def metrics(self, **values: Any) -> None:
        """Figures of this stage as they stand (documented `stages[].metrics`); a later value replaces its key's."""

    def artifact(
        self,
        path: Path,
        *,
        name: str,
        type: ArtifactType,
        kind: str = "",
        description: str = "",
        records: int | None = None,
    ) -> None:
        """Publishes a file inside `out` for download; `kind` is the documented output kind (ProcessMap …).

        Published when the phase ends; name and description are shown to people.
        """

    def leave(self, path: Path, *, name: str, type: ArtifactType, kind: str = "", description: str = "") -> None:
        """Publishes a finished file inside `out` for the case that the phase does not end well: then it stays, and
        everything else in `out` goes. No cancel point; say it on the way out. `artifact` is for the other case.
        """

    def check(self) -> None:
        """A cancel point without news; call at least once a second inside long work."""


class Cancelled(Exception):
    """The run was asked to stop."""


class BadInput(Exception):
    """The data or the parameters cannot be used: the message names the fault and the fix; no retry can heal it."""

    def __init__(self, message: str, *, reason: str = "BAD_INPUT", **details: Any) -> None:
        super().__init__(message)
        self.reason = reason
        self.details = details
