"""Progress of a run as people ask for it: elapsed, expected, stage by stage. A view: pure, from the folded state
and the time.

What is to come is computed from what was measured: the run's own pace once enough of it is done, else its estimate
from earlier runs. Without either it is absent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lodestream_server.runs.state import PhaseState, RunState
from lodestream_server.runs.states import PhaseStatus

#: Percent after which the run's own pace says more than history.
_TELLING = 10.0


@dataclass(frozen=True, slots=True)
class StageProgress:
    """A stage, and when it should start and end if it has not."""

    phase: PhaseState
    duration_s: float | None = None
    estimated_start: datetime | None = None
    estimated_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The whole run. `elapsed_s` counts from the first start to the end or now; 0 before it."""

    percent: float
    started: datetime | None
    elapsed_s: float
    remaining_s: float | None
    estimated_completion: datetime | None
    stages: tuple[StageProgress, ...]
    #: Records per second of the running stage, measured.
    rate: float | None
    activity: str | None


def progress(run: RunState, now: datetime) -> Progress:
    """The run's progress at that instant."""
    remaining = remaining_s(run, now)
    current = run.current
    return Progress(
        percent=run.percent,
        started=run.started,
        elapsed_s=elapsed_s(run, now),
        remaining_s=remaining,
        estimated_completion=None if remaining is None else now + timedelta(seconds=remaining),
        stages=tuple(_stages(run, now, remaining)),
        rate=current.rate if current else None,
        activity=current.activity if current else None,
    )


def elapsed_s(run: RunState, now: datetime) -> float:
    """Seconds since the first start."""
    if run.started is None:
        return 0.0
    return max(0.0, ((run.ended or now) - run.started) / timedelta(seconds=1))


def remaining_s(run: RunState, now: datetime) -> float | None:
    """Seconds still to come while a worker is at it; None when nothing is known to compute it from."""
    return _left_s(run, elapsed_s(run, now)) if run.at_work else None


def saved_s(run: RunState) -> float | None:
    """Seconds of work that a run which was stopped did not do any more; None when nothing is known to compute it
    from."""
    return _left_s(run, elapsed_s(run, run.ended or run.updated))


def _left_s(run: RunState, spent: float) -> float | None:
    if run.percent >= _TELLING:
        return spent * (100.0 - run.percent) / run.percent
    if run.estimate is None:
        return None
    return max(0.0, (run.estimate.low_s + run.estimate.high_s) / 2 - spent)


def _stages(run: RunState, now: datetime, remaining: float | None) -> Sequence[StageProgress]:
    open_shares = {phase.name: phase.weight * (1 - phase.percent / 100) for phase in run.phases}
    whole = sum(open_shares.values())
    at, stages = now, []
    for phase in run.phases:
        begin = at
        if remaining is not None and whole > 0:
            at += timedelta(seconds=remaining * open_shares[phase.name] / whole)
        known = remaining is not None
        stages.append(
            StageProgress(
                phase,
                _duration_s(phase, now),
                begin if known and phase.status is PhaseStatus.PENDING else None,
                at if known and phase.status in (PhaseStatus.PENDING, PhaseStatus.RUNNING) else None,
            )
        )
    return stages


def _duration_s(phase: PhaseState, now: datetime) -> float | None:
    if phase.duration_s is not None or phase.started is None:
        return phase.duration_s
    return max(0.0, ((phase.ended or now) - phase.started) / timedelta(seconds=1))
