"""`Phase` as a workload sees it in the worker: what it says goes to the reporter, what it asks comes from the
assignment."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from lodestream_server.runs.bodies import (
    Body,
    Json,
    Logged,
    MetricsChanged,
    Milestone,
    Progressed,
    Warned,
)
from lodestream_server.worker.reporter import Reporter
from lodestream_server.workloads.phase import (
    ArtifactType,
    Cancelled,
    DatasetFile,
    EarlierRun,
    Finished,
    Level,
    ResourceFile,
)

#: How much the newest interval counts in the rate shown: half a second of it alone would flicker.
_NEWEST = 0.4


@dataclass(frozen=True, slots=True)
class Published:
    """A file that the phase wants to be downloadable."""

    path: Path
    name: str
    type: str
    kind: str
    description: str
    records: int | None


@dataclass(slots=True)
class LivePhase:
    """One phase at work; implements `workloads.phase.Phase`."""

    name: str
    component: str
    parameters: Mapping[str, Any]
    dataset: DatasetFile | None
    out: Path
    scratch: Path
    memory_bytes: int
    run_name: str
    finished: Mapping[str, Finished]
    stop: threading.Event
    reporter: Reporter
    datasets: Mapping[str, DatasetFile] = field(default_factory=dict)
    resources: Mapping[str, ResourceFile] = field(default_factory=dict)
    sources: Sequence[EarlierRun] = ()
    published: list[Published] = field(default_factory=list)
    left: list[Published] = field(default_factory=list)
    done: int | None = None
    _total: int | None = None
    _activity: str | None = None
    #: Between the working thread, which adds figures, and the reporting one, which takes them.
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _metrics: Json = field(default_factory=dict)
    _told: tuple[int | None, int | None, str | None] = (None, None, None)
    _rate: float | None = None
    _measured: tuple[float, int] = field(default_factory=lambda: (time.monotonic(), 0))

    def before(self, phase_name: str) -> Finished:
        """See `Phase.before`."""
        return self.finished[phase_name]

    def progress(self, done: int, total: int | None = None, activity: str | None = None) -> None:
        """See `Phase.progress`. Only notes the values; the reporting thread takes them from here."""
        self.done = max(self.done or 0, int(done))
        if total is not None:
            self._total = int(total)
        if activity is not None:
            self._activity = activity
        self.check()

    def log(self, level: Level, message: str, /, **details: Any) -> None:
        """See `Phase.log`."""
        self.reporter.say(Logged(level, message, self.component, self.name, plain(details)))
        self.check()

    def warn(self, issue: str, /, **details: Any) -> None:
        """See `Phase.warn`."""
        self.reporter.say(Warned(issue, self.component, self.name, plain(details)))
        self.check()

    def milestone(self, description: str, /, **details: Any) -> None:
        """See `Phase.milestone`."""
        self.reporter.say(Milestone(description, self.name, plain(details)))
        self.check()

    def metrics(self, **values: Any) -> None:
        """See `Phase.metrics`."""
        with self._lock:
            self._metrics |= plain(values)
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
        """See `Phase.artifact`. Raises ValueError for a path outside `out`."""
        self._inside(path)
        self.published.append(Published(path, name, type, kind, description, records))
        self.check()

    def leave(self, path: Path, *, name: str, type: ArtifactType, kind: str = "", description: str = "") -> None:
        """See `Phase.leave`. Raises ValueError for a path outside `out`."""
        self._inside(path)
        self.left.append(Published(path, name, type, kind, description, None))

    def check(self) -> None:
        """See `Phase.check`."""
        if self.stop.is_set():
            raise Cancelled

    def latest(self) -> list[Body]:
        """Progress and figures that changed since this was asked last; for the reporter."""
        changes: list[Body] = []
        now = (self.done, self._total, self._activity)
        if now != self._told and self.done is not None:
            self._told = now
            changes.append(self._progressed())
        with self._lock:
            values, self._metrics = self._metrics, {}
        if values:
            changes.append(MetricsChanged(self.name, values))
        return changes

    def _inside(self, path: Path) -> None:
        if not path.resolve().is_relative_to(self.out.resolve()):
            raise ValueError(f"{path.name} is not inside the phase's out folder")

    def _progressed(self) -> Progressed:
        done = self.done or 0
        percent = min(100.0, 100.0 * done / self._total) if self._total else None
        return Progressed(
            self.name,
            done=done,
            total=self._total,
            percent=round(percent, 2) if percent is not None else None,
            activity=self._activity,
            rate=self._measure(done),
        )

    def _measure(self, done: int) -> float | None:
        then, before = self._measured
        now = time.monotonic()
        if done > before and now > then:
            newest = (done - before) / (now - then)
            self._rate = newest if self._rate is None else _NEWEST * newest + (1 - _NEWEST) * self._rate
            self._measured = (now, done)
        return round(self._rate, 1) if self._rate is not None else None


def plain(value: Any) -> Any:
    """JSON values of it: NaN and infinity become null, what JSON does not know becomes text."""
    try:
        return orjson.loads(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))
    except (TypeError, ValueError):  # an integer beyond 64 bits, a lone surrogate
        if isinstance(value, Mapping):
            return {str(key): plain(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [plain(inner) for inner in value]
        return str(value).encode("utf-8", "replace").decode()
