"""How long a run will take and what it will cost: from earlier runs of its type and from configured prices. Pure;
never invented."""

from collections.abc import Sequence

from lodestream_server.engine.models import EngineSettings
from lodestream_server.runs.bodies import Range, Resources
from lodestream_server.store.reading import Past

#: Inputs within this factor count as the same size.
_SIMILAR = 2.0
#: With fewer of the same size, all of them count, in proportion to their size.
_ENOUGH = 3


def duration(history: Sequence[Past], size_bytes: int | None) -> Range | None:
    """The tenth to the ninetieth percentile of comparable runs; None without any."""
    comparable = _comparable(history, size_bytes)
    if not comparable:
        return None
    return Range(round(_quantile(comparable, 0.1), 3), round(_quantile(comparable, 0.9), 3))


def middle_s(estimate: Range | None) -> float | None:
    """One figure for planning."""
    return None if estimate is None else (estimate.low_s + estimate.high_s) / 2


def cost_usd(settings: EngineSettings, resources: Resources, seconds: float | None) -> float | None:
    """What so many seconds of these resources cost; None without both prices."""
    if seconds is None or settings.price_cpu_hour is None or settings.price_gb_hour is None:
        return None
    per_hour = resources.cpu_units * settings.price_cpu_hour + resources.memory_bytes / 1e9 * settings.price_gb_hour
    return round(per_hour * seconds / 3600, 4)


def _comparable(history: Sequence[Past], size_bytes: int | None) -> list[float]:
    if not size_bytes:
        return sorted(past.duration_s for past in history)
    sized = [(past.size_bytes, past.duration_s) for past in history if past.size_bytes]
    similar = [took for size, took in sized if size_bytes / _SIMILAR <= size <= size_bytes * _SIMILAR]
    if len(similar) >= _ENOUGH:
        return sorted(similar)
    return sorted(took * size_bytes / size for size, took in sized)


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
