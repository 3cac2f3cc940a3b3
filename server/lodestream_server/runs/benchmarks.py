"""A run against earlier ones of its type: how long they took, how quick they were, how near their estimates came. A
view: pure, from folded states."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from lodestream_server.runs.state import PhaseState, RunState
from lodestream_server.runs.states import PhaseStatus, State

#: Times that differ by no more than this share are similar; documented: within five percent.
_SIMILAR = 0.05
#: Inputs within this factor count as the same size.
_SAME_SIZE = 2.0


@dataclass(frozen=True, slots=True)
class Benchmarks:
    """What earlier runs show. `rate` is their mean of records per second; `accuracy` how near their estimates came,
    percent; `stage_efficiency` the time they took for the stages that this one has done, of the time it took, percent.
    `faster`, `similar` and `slower` are shares of them in percent, None while it is not known how long this one
    takes."""

    mean_s: float
    rate: float | None = None
    faster: float | None = None
    similar: float | None = None
    slower: float | None = None
    accuracy: float | None = None
    stage_efficiency: float | None = None


def benchmarks(run: RunState, takes_s: float | None, completed: Sequence[RunState]) -> Benchmarks | None:
    """The run, which takes so long in all if that is known, against those that completed before it ended; None when
    there are none."""
    earlier = [one for one in completed if _is_earlier(one, run)]
    if not earlier:
        return None
    times = [_took_s(one) for one in earlier]
    rates = [rate for one in earlier if (rate := _rate(one)) is not None]
    near = [share for one in earlier if (share := _nearness(one)) is not None]
    found = Benchmarks(
        sum(times) / len(times), _mean(rates), accuracy=_mean(near), stage_efficiency=_stage_efficiency(run, earlier)
    )
    if takes_s is None:
        return found
    faster, similar, slower = _shares(takes_s, times)
    return replace(found, faster=faster, similar=similar, slower=slower)


def _is_earlier(one: RunState, run: RunState) -> bool:
    if one.run_id == run.run_id or one.state is not State.COMPLETED or one.ended is None or one.started is None:
        return False
    return run.ended is None or one.ended <= run.ended


def _took_s(run: RunState) -> float:
    assert run.ended is not None
    assert run.started is not None
    return (run.ended - run.started) / timedelta(seconds=1)


def _rate(run: RunState) -> float | None:
    """Records of the phase that had most of them, over the whole time."""
    records, took_s = max((phase.records or 0 for phase in run.phases), default=0), _took_s(run)
    return records / took_s if records and took_s > 0 else None


def _nearness(run: RunState) -> float | None:
    """Percent: 100 when it took what the middle of its estimate said, 50 when it took twice or half of that."""
    if run.estimate is None:
        return None
    expected, took_s = (run.estimate.low_s + run.estimate.high_s) / 2, _took_s(run)
    longer = max(expected, took_s)
    return 100 * min(expected, took_s) / longer if longer > 0 else 100.0


def _shares(takes_s: float, times: Sequence[float]) -> tuple[float, float, float]:
    similar = sum(abs(time - takes_s) <= _SIMILAR * time for time in times)
    faster = sum(takes_s < time * (1 - _SIMILAR) for time in times)
    whole = len(times)
    return 100 * faster / whole, 100 * similar / whole, 100 * (whole - faster - similar) / whole


def _stage_efficiency(run: RunState, earlier: Sequence[RunState]) -> float | None:
    """Over the stages done by this run and by those of its size."""
    alike = [one for one in earlier if _is_same_size(one, run)]
    expected = took = 0.0
    for phase in run.phases:
        known = [time for one in alike for other in one.phases if (time := _measured_s(other, phase.name)) is not None]
        took_s = _measured_s(phase, phase.name)
        if known and took_s is not None:
            expected += sum(known) / len(known)
            took += took_s
    return 100 * expected / took if took else None


def _measured_s(phase: PhaseState, name: str) -> float | None:
    """What the phase of that name took; None when it was not done, or taken over."""
    done = phase.name == name and phase.status is PhaseStatus.COMPLETED and not phase.kept
    return phase.duration_s if done else None


def _is_same_size(one: RunState, run: RunState) -> bool:
    if not one.size_bytes or not run.size_bytes:
        return one.size_bytes == run.size_bytes
    return 1 / _SAME_SIZE <= one.size_bytes / run.size_bytes <= _SAME_SIZE


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
