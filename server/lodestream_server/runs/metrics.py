"""What a run used, over time: samples of its worker and its pace, summed up per interval. A view: pure, from events
in order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from lodestream_server.runs.bodies import PhaseCompleted, PhaseStarted, Progressed, Sampled
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
class _Bin:
    cpu: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    records: int = 0
    phase: str = ""


def metrics(events: Iterable[Event], *, interval: timedelta = timedelta(minutes=5)) -> Metrics:
    """Sums up the events of a run, of which only those of `KINDS` matter."""
    bins: dict[datetime, _Bin] = {}
    samples: list[tuple[datetime, Sampled]] = []
    rates: list[float] = []
    done: dict[str, int] = {}
    for event in events:
        here = bins.setdefault(_begin(event.time, interval), _Bin()) if event.kind in KINDS else _Bin()
        match event.body:
            case Sampled() as body:
                samples.append((event.time, body))
                here.cpu.append(body.cpu_percent)
                here.memory.append(body.rss_bytes)
                here.phase = body.phase or here.phase
            case Progressed() as body:
                here.records += max(0, body.done - done.get(body.phase, 0))
                done[body.phase] = body.done
                here.phase = body.phase
                rates += [body.rate] if body.rate is not None else []
            case PhaseStarted(phase):
                # A phase that begins again counts from nothing again.
                done.pop(phase, None)
                here.phase = phase
            case _:
                pass
    return Metrics(
        latest=samples[-1][1] if samples else None,
        mean_cpu_percent=_mean([sample.cpu_percent for _, sample in samples]),
        peak_rss_bytes=max((sample.rss_bytes for _, sample in samples), default=0),
        iops=_iops(samples),
        history=tuple(_interval(begin, here, interval) for begin, here in sorted(bins.items())),
        trends=Trends(
            trend([sample.cpu_percent for _, sample in samples]),
            trend([sample.rss_bytes for _, sample in samples]),
            trend(rates),
        ),
    )


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
    mean_memory = _mean(here.memory)
    return Interval(
        begin,
        _mean(here.cpu),
        None if mean_memory is None else int(mean_memory),
        round(here.records / interval.total_seconds(), 1),
        here.phase,
    )


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 1) if values else None


def _iops(samples: Sequence[tuple[datetime, Sampled]]) -> float | None:
    if len(samples) < 2:
        return None
    (_, before), (_, after) = samples[-2:]
    took_s = after.elapsed_s - before.elapsed_s
    if took_s <= 0 or before.io_operations is None or after.io_operations is None:
        return None
    return round((after.io_operations - before.io_operations) / took_s, 1)
