"""How long a run will take and what it will cost: from earlier runs of its type and from configured prices. Pure;
never invented.

An interval leaves out as many of the earlier runs as a share of `1 - _HOLDS` allows (conformal prediction: if the next
run is drawn as they were, every place among them is equally likely for it). From twenty earlier runs on it holds for at
least eight of the next ten, which `tests/unit/test_engine_estimates.py` tries on many kinds of durations. Between sizes
of input the earlier runs are compared by the power of the size that fits them best, drawn to proportion.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from lodestream_server.engine.models import EngineSettings
from lodestream_server.runs.bodies import Range, Resources
from lodestream_server.store.reading import Past

#: Share of the next runs that an interval is made to hold; more than is promised, because machines and logs change.
_HOLDS = 0.9
#: Weight of "twice the data, twice the time" against what the earlier runs say, in squared logarithms of size.
_PRIOR = 0.5
#: Shortest time that is told from none.
_LEAST_S = 0.001
#: Four times what the longest time limit allows. An interval beyond it comes from sizes too unlike to compare.
_LONGEST_S = 30 * 86_400.0
#: Beyond this exponent there is no float.
_STEEPEST = 700.0


def duration(history: Sequence[Past], size_bytes: int | None) -> Range | None:
    """Between what comparable runs took; None without any, and where they say nothing of such a size."""
    if not size_bytes:
        low, high = _inner([max(past.duration_s, _LEAST_S) for past in history]) or (None, None)
    else:
        low, high = _of_size([past for past in history if past.size_bytes], size_bytes) or (None, None)
    return None if low is None or high is None or high > _LONGEST_S else Range(round(low, 3), round(high, 3))


@dataclass(frozen=True, slots=True)
class _Power:
    """Times go like the size to the power `grows`, give or take `uncertain`; `middle` is the mean size, a logarithm."""

    grows: float
    middle: float
    uncertain: float

    def scale(self, size: float) -> float:
        """The time of such a size against that of the middle one."""
        return math.exp(min(self.grows * (math.log(size) - self.middle), _STEEPEST))

    def doubt(self, size: float) -> float:
        """Factor to either side for not knowing `grows` better, the larger the farther from the sizes seen."""
        return math.exp(min(2 * self.uncertain * abs(math.log(size) - self.middle), _STEEPEST))


def _of_size(history: Sequence[Past], size_bytes: int) -> tuple[float, float] | None:
    if not history:
        return None
    sizes = [float(past.size_bytes or 1) for past in history]
    times = [max(past.duration_s, _LEAST_S) for past in history]
    power = _fit([math.log(size) for size in sizes], [math.log(time) for time in times])
    inner = _inner([time / power.scale(size) for size, time in zip(sizes, times, strict=True)])
    if inner is None:
        return None
    scale, doubt = power.scale(size_bytes), power.doubt(size_bytes)
    return inner[0] * scale / doubt, inner[1] * scale * doubt


def _fit(sizes: Sequence[float], times: Sequence[float]) -> _Power:
    """Least squares over logarithms, drawn to proportion: where all sizes are alike that is all there is."""
    count = len(sizes)
    middle, level = sum(sizes) / count, sum(times) / count
    weight = _PRIOR + sum((size - middle) ** 2 for size in sizes)
    both = sum((size - middle) * (time - level) for size, time in zip(sizes, times, strict=True))
    grows = (_PRIOR + both) / weight
    rest = sum((time - level - grows * (size - middle)) ** 2 for size, time in zip(sizes, times, strict=True))
    return _Power(grows, middle, math.sqrt(rest / max(1, count - 2) / weight))


def _inner(values: Sequence[float]) -> tuple[float, float] | None:
    """The shortest stretch between two of the values that the next one falls into with a chance of `_HOLDS`."""
    if not values:
        return None
    ordered = sorted(values)
    steps = min(len(ordered) - 1, math.ceil(_HOLDS * (len(ordered) + 1)))
    starts = range(len(ordered) - steps)
    first = min(starts, key=lambda start: ordered[start + steps] - ordered[start])
    return ordered[first], ordered[first + steps]


def disk_bytes(history: Sequence[Past], size_bytes: int | None) -> int | None:
    """What the files of such a run should take: in proportion to its input, as in the middle one of the earlier runs;
    None without any that were measured."""
    if size_bytes:
        shares = [past.disk_bytes / past.size_bytes for past in history if past.disk_bytes and past.size_bytes]
        return round(median(shares) * size_bytes) if shares else None
    measured = [past.disk_bytes for past in history if past.disk_bytes]
    return round(median(measured)) if measured else None


def middle_s(estimate: Range | None) -> float | None:
    """One figure for planning."""
    return None if estimate is None else (estimate.low_s + estimate.high_s) / 2


def cost_usd(settings: EngineSettings, resources: Resources, seconds: float | None) -> float | None:
    """What so many seconds of these resources cost; None without both prices."""
    if seconds is None or settings.price_cpu_hour is None or settings.price_gb_hour is None:
        return None
    per_hour = resources.cpu_units * settings.price_cpu_hour + resources.memory_bytes / 1e9 * settings.price_gb_hour
    return round(per_hour * seconds / 3600, 4)
