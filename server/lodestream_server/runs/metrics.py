"""What a run used, over time: samples of its worker and its pace, summed up per interval. A view: pure, from events
in order."""

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from lodestream_server.runs.bodies import Body, PhaseCompleted, PhaseStarted, Progressed, Sampled
from lodestream_server.runs.events import Event

#: The kinds of events that say something about use and pace.
KINDS = frozenset({Sampled.KIND, Progressed.KIND, PhaseStarted.KIND, PhaseCompleted.KIND})
Trend = Literal["Increasing", "Decreasing", "Stable"]

#: Samples on either side that a trend needs.
_ENOUGH = 3
#: Change of the mean that counts as one.
_NOTABLE = 0.1


@dataclass(frozen=True, slots=True)
class Interval:
    """Means over one interval from `begin`; `rate` is records per second, `phase` the one at work at its end."""

    begin: datetime
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    rate: float = 0.0
    phase: str = ""


@dataclass(frozen=True, slots=True)
class Trends:
    """Second half against first half of the samples; None with too few."""

    cpu: Trend | None = None
    memory: Trend | None = None
    rate: Trend | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """All of it. `iops` is over the last two samples; the means and the peak are over the whole run."""

    latest: Sampled | None
    mean_cpu_percent: float | None
    peak_rss_bytes: int
    iops: float | None
    history: tuple[Interval, ...]
    trends: Trends


@dataclass(slots=True)
class _Mean:
    whole: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.whole += value
        self.count += 1

    @property
    def value(self) -> float | None:
        return round(self.whole / self.count, 1) if self.count else None


@dataclass(slots=True)
class _Bin:
    cpu: _Mean = field(default_factory=_Mean)
    memory: _Mean = field(default_factory=_Mean)
    records: int = 0
    phase: str = ""


def _numbers() -> "array[float]":
    return array("d")


@dataclass(slots=True)
class Meter:
    """Sums up the events of a run as they come: what was added once need not be read again. Some 24 bytes a sample."""

    interval: timedelta = timedelta(minutes=5)
    #: Number of the last event added.
    last: int = 0
    _bins: dict[datetime, _Bin] = field(default_factory=dict)
    _samples: deque[Sampled] = field(default_factory=lambda: deque(maxlen=2))
    _peak: int = 0
    _cpu: "array[float]" = field(default_factory=_numbers)
    _memory: "array[float]" = field(default_factory=_numbers)
    _rates: "array[float]" = field(default_factory=_numbers)
    _done: dict[str, int] = field(default_factory=dict)

    def add(self, events: Iterable[Event]) -> None:
        """The next events, in order; only those of `KINDS` matter."""
        for event in events:
            self.last = event.sequence
            if event.kind in KINDS:
                self._count(event.body, self._bins.setdefault(_begin(event.time, self.interval), _Bin()))

    def read(self) -> Metrics:
        """All of it so far."""
        return Metrics(
            latest=self._samples[-1] if self._samples else None,
            mean_cpu_percent=round(sum(self._cpu) / len(self._cpu), 1) if self._cpu else None,
            peak_rss_bytes=self._peak,
            iops=_iops(self._samples),
            history=tuple(_interval(begin, here, self.interval) for begin, here in sorted(self._bins.items())),
            trends=Trends(trend(self._cpu), trend(self._memory), trend(self._rates)),
        )

    def _count(self, body: Body, here: _Bin) -> None:
        match body:
            case Sampled():
                self._sampled(body, here)
            case Progressed():
                here.records += max(0, body.done - self._done.get(body.phase, 0))
                here.phase = body.phase
                self._done[body.phase] = body.done
                if body.rate is not None:
                    self._rates.append(body.rate)
            case PhaseStarted(phase):
                # A phase that begins again counts from nothing again.
                self._done.pop(phase, None)
                here.phase = phase
            case _:
                pass

    def _sampled(self, sample: Sampled, here: _Bin) -> None:
        self._samples.append(sample)
        self._peak = max(self._peak, sample.rss_bytes)
        for mean, numbers, value in (
            (here.cpu, self._cpu, sample.cpu_percent),
            (here.memory, self._memory, sample.rss_bytes),
        ):
            mean.add(value)
            numbers.append(value)
        here.phase = sample.phase or here.phase


def metrics(events: Iterable[Event], *, interval: timedelta = timedelta(minutes=5)) -> Metrics:
    """Sums up the events of a run, of which only those of `KINDS` matter."""
    meter = Meter(interval)
    meter.add(events)
    return meter.read()


def trend(values: Sequence[float]) -> Trend | None:
    """Where a row of values goes: the mean of its second half against that of its first."""
    half = len(values) // 2
    if half < _ENOUGH:
        return None
    before, after = sum(values[:half]) / half, sum(values[-half:]) / half
    if abs(after - before) <= _NOTABLE * max(abs(before), abs(after)):
        return "Stable"
    return "Increasing" if after > before else "Decreasing"


def _begin(time: datetime, interval: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (time - epoch) // interval * interval


def _interval(begin: datetime, here: _Bin, interval: timedelta) -> Interval:
    mean_memory = here.memory.value
    return Interval(
        begin,
        here.cpu.value,
        None if mean_memory is None else int(mean_memory),
        round(here.records / interval.total_seconds(), 1),
        here.phase,
    )


def _iops(samples: Sequence[Sampled]) -> float | None:
    if len(samples) < 2:
        return None
    before, after = samples
    took_s = after.elapsed_s - before.elapsed_s
    if took_s <= 0 or before.io_operations is None or after.io_operations is None:
        return None
    return round((after.io_operations - before.io_operations) / took_s, 1)
