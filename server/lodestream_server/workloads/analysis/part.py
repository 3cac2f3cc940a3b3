"""`Part`: a piece of a phase that looks like a phase of its own, so that mining's phase functions can work inside it.

It has its own folders and earlier phases; its progress becomes a stretch of the whole phase's progress. Everything else
goes to the phase it belongs to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lodestream_server.workloads.phase import (
    ArtifactType,
    DatasetFile,
    EarlierRun,
    Finished,
    Level,
    Phase,
    ResourceFile,
)


@dataclass(slots=True)
class Part:
    """Implements `Phase`. `begin` and `length` are its stretch of `whole` records; a quiet part says nothing but
    warnings. `about` tells its warnings and files from those of its neighbours."""

    phase: Phase
    out: Path
    scratch: Path
    earlier: Mapping[str, Finished]
    begin: int
    length: int
    whole: int
    quiet: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    dataset: DatasetFile | None = None
    about: str = ""
    name: str = field(init=False)
    datasets: Mapping[str, DatasetFile] = field(init=False)
    resources: Mapping[str, ResourceFile] = field(init=False)
    sources: Sequence[EarlierRun] = field(init=False)
    memory_bytes: int = field(init=False)
    run_name: str = field(init=False)

    def __post_init__(self) -> None:
        """Takes over what it shares with the phase, and makes its folders."""
        phase = self.phase
        self.name, self.run_name, self.memory_bytes = phase.name, phase.run_name, phase.memory_bytes
        self.datasets, self.resources, self.sources = phase.datasets, phase.resources, phase.sources
        self.out.mkdir(parents=True, exist_ok=True)
        self.scratch.mkdir(parents=True, exist_ok=True)

    def before(self, phase_name: str) -> Finished:
        """See `Phase.before`."""
        return self.earlier[phase_name]

    def progress(self, done: int, total: int | None = None, activity: str | None = None) -> None:
        """See `Phase.progress`."""
        share = min(self.length, self.length * done // total) if total else 0
        self.phase.progress(self.begin + share, self.whole or None, activity)

    def log(self, level: Level, message: str, /, **details: Any) -> None:
        """See `Phase.log`."""
        if self.quiet:
            self.phase.check()
        else:
            self.phase.log(level, message, **details)

    def warn(self, issue: str, /, **details: Any) -> None:
        """See `Phase.warn`."""
        self.phase.warn(f"{self.about}: {issue}" if self.about else issue, **details)

    def milestone(self, description: str, /, **details: Any) -> None:
        """See `Phase.milestone`."""
        if self.quiet:
            self.phase.check()
        else:
            self.phase.milestone(description, **details)

    def metrics(self, **values: Any) -> None:
        """See `Phase.metrics`."""
        if self.quiet:
            self.phase.check()
        else:
            self.phase.metrics(**values)

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
        name = f"{name} of {self.about}" if self.about else name
        self.phase.artifact(path, name=name, type=type, kind=kind, description=description, records=records)

    def leave(self, path: Path, *, name: str, type: ArtifactType, kind: str = "", description: str = "") -> None:
        """See `Phase.leave`."""
        self.phase.leave(path, name=name, type=type, kind=kind, description=description)

    def check(self) -> None:
        """See `Phase.check`."""
        self.phase.check()
