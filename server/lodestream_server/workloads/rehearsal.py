"""`Rehearsal`: a phase in memory, for tests, benches and the description of datasets. It records what a phase function
says and can ask it to stop.

It keeps the promises that the worker keeps (progress never decreases, artifacts lie inside `out`, values are JSON) and
raises AssertionError when a workload breaks one. This module imports no mining library.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lodestream_server.workloads.phase import (
    ArtifactType,
    Cancelled,
    DatasetFile,
    EarlierRun,
    Finished,
    Json,
    Level,
    PhaseFunction,
    ResourceFile,
)


@dataclass(frozen=True, slots=True)
class Line:
    """A log line, a warning or a milestone."""

    text: str
    details: Json
    level: Level = "INFO"


@dataclass(frozen=True, slots=True)
class Published:
    """A file given out for download."""

    path: Path
    name: str
    type: ArtifactType
    kind: str
    description: str
    records: int | None


@dataclass(slots=True)
class Rehearsal:
    """Implements `Phase` in a folder of its own: `folder/out` and `folder/scratch` are made when missing.

    `cancel_after` stops the phase at that many cancel points (0: at the first); None lets it run to its end.
    """

    folder: Path
    dataset: DatasetFile | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str = "Data Loading"
    memory_bytes: int = 1_000_000_000
    run_name: str = "Rehearsal"
    earlier: dict[str, Finished] = field(default_factory=dict)
    datasets: Mapping[str, DatasetFile] = field(default_factory=dict)
    resources: Mapping[str, ResourceFile] = field(default_factory=dict)
    sources: Sequence[EarlierRun] = ()
    cancel_after: int | None = None
    checks: int = 0
    done: int = 0
    total: int | None = None
    figures: Json = field(default_factory=dict)
    progressed: list[tuple[int, int | None, str | None]] = field(default_factory=list)
    logged: list[Line] = field(default_factory=list)
    warnings: list[Line] = field(default_factory=list)
    milestones: list[Line] = field(default_factory=list)
    artifacts: list[Published] = field(default_factory=list)
    left: list[Published] = field(default_factory=list)
    out: Path = field(init=False)
    scratch: Path = field(init=False)

    def __post_init__(self) -> None:
        """Makes the folders."""
        self.out, self.scratch = self.folder / "out", self.folder / "scratch"
        self.out.mkdir(parents=True, exist_ok=True)
        self.scratch.mkdir(parents=True, exist_ok=True)

    def run(self, function: PhaseFunction) -> Finished:
        """Runs a phase function here and returns what a later phase would find. Lets its exceptions pass."""
        results = function(self)
        json.dumps(results, allow_nan=False)
        return Finished(self.name, results, self.out)

    def before(self, phase_name: str) -> Finished:
        """See `Phase.before`."""
        return self.earlier[phase_name]

    def progress(self, done: int, total: int | None = None, activity: str | None = None) -> None:
        """See `Phase.progress`."""
        assert done >= self.done, f"progress fell from {self.done} to {done}"
        self.done, self.total = done, total if total is not None else self.total
        assert self.total is None or done <= self.total, f"{done} of {self.total} records are done"
        self.progressed.append((done, total, activity))
        self.check()

    def log(self, level: Level, message: str, /, **details: Any) -> None:
        """See `Phase.log`."""
        self.logged.append(Line(message, _plain(details), level))
        self.check()

    def warn(self, issue: str, /, **details: Any) -> None:
        """See `Phase.warn`."""
        self.warnings.append(Line(issue, _plain(details), "WARN"))
        self.check()

    def milestone(self, description: str, /, **details: Any) -> None:
        """See `Phase.milestone`."""
        self.milestones.append(Line(description, _plain(details)))
        self.check()

    def metrics(self, **values: Any) -> None:
        """See `Phase.metrics`."""
        self.figures.update(_plain(values))
        self.check()

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
        """See `Phase.artifact`."""
        assert path.is_relative_to(self.out), f"{path} is not inside {self.out}"
        assert path.is_file(), f"{path} was published, but not written"
        self.artifacts.append(Published(path, name, type, kind, description, records))
        self.check()

    def leave(self, path: Path, *, name: str, type: ArtifactType, kind: str = "", description: str = "") -> None:
        """See `Phase.leave`."""
        assert path.is_relative_to(self.out), f"{path} is not inside {self.out}"
        assert path.is_file(), f"{path} was left behind, but not written"
        self.left.append(Published(path, name, type, kind, description, None))

    def check(self) -> None:
        """See `Phase.check`."""
        self.checks += 1
        if self.cancel_after is not None and self.checks > self.cancel_after:
            raise Cancelled


def _plain(details: Mapping[str, Any]) -> Json:
    copy: Json = json.loads(json.dumps(dict(details), allow_nan=False))
    return copy
