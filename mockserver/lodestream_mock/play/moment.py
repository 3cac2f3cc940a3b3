"""A run at a moment: its state, phase, percentages and counts, computed from what it plays."""

from dataclasses import dataclass

from lodestream.v1.common_pb2 import RunState, StageStatus
from lodestream_mock.play.played import Played
from lodestream_mock.scenarios.story import Kind, Phase, Usage


@dataclass(frozen=True, slots=True)
class Moment:
    """Times are milliseconds since the run was created; percentages 0 to 100 in whole numbers.

    `sequence` is the number of the last happening so far. `phase` is the one at work, or the last one that began.
    """

    at: int
    state: RunState.ValueType
    phase: Phase | None
    number: int
    phase_percent: float
    percent: float
    started: int | None
    ended: int | None
    sequence: int
    usage: Usage | None

    @property
    def elapsed(self) -> int:
        """From the first start to now or to the end."""
        if self.started is None:
            return 0
        return (self.at if self.ended is None else self.ended) - self.started

    @property
    def running(self) -> bool:
        """True while a worker is at it."""
        return self.state == RunState.RUN_STATE_RUNNING


def moment(played: Played, at: int) -> Moment:
    """The run `at` milliseconds after it was created."""
    story, end = played.story, played.end
    over = at >= end.at
    now = min(at, end.at)
    began = [phase for phase in story.phases if phase.starts <= now]
    started = story.waits if now >= story.waits and not (over and never_began(played)) else None
    phase = began[-1] if began and started is not None else None
    phase_percent = _percent(phase, now) if phase else 0.0
    done = sum(item.share for item in began[:-1])
    percent = float(int(done + (phase.share * phase_percent / 100 if phase else 0) + 1e-9))
    if over and end.kind is Kind.COMPLETED:
        percent = phase_percent = 100.0
    return Moment(
        at=at,
        state=end.state if over else _state(played, now),
        phase=phase,
        number=len(began) if phase else 0,
        phase_percent=phase_percent,
        percent=percent,
        started=started,
        ended=end.at if over else None,
        sequence=_sequence(played, at),
        usage=next((item for item in reversed(story.usage) if item.at <= now), None),
    )


def never_began(played: Played) -> bool:
    """True for a run that ended before a worker took it; one whose dependency failed ends when it would have begun."""
    failed_before = played.run.dependency_failed == played.end.at
    return played.end.at < played.story.waits or (failed_before and played.end.at == played.story.waits)


def stage_status(played: Played, phase: Phase, now: Moment) -> StageStatus.ValueType:
    """Where one phase stands."""
    at = now.at if now.ended is None else now.ended
    if now.started is None or phase.starts > at or (now.ended is not None and phase.starts >= at and phase.ends > at):
        return StageStatus.STAGE_STATUS_PENDING
    if phase.ends <= at and not phase.fails:
        return StageStatus.STAGE_STATUS_COMPLETED
    if now.ended is None:
        return StageStatus.STAGE_STATUS_RUNNING
    if played.end.kind is Kind.CANCELLED:
        return StageStatus.STAGE_STATUS_CANCELLED
    return StageStatus.STAGE_STATUS_FAILED


def stage_percent(phase: Phase, now: Moment) -> float:
    """Progress of one phase, 0 to 100."""
    return _percent(phase, now.at if now.ended is None else now.ended) if now.started is not None else 0.0


def records(phase: Phase, percent: float) -> int:
    """Records that a phase has handled at a percentage."""
    return int((phase.records or 0) * percent / 100)


def counts(played: Played, now: Moment) -> dict[str, int]:
    """Log lines so far by level."""
    out = {"DEBUG": 0, "INFO": 0, "WARN": 0, "ERROR": 0}
    for item in played.happenings[: now.sequence]:
        if item.kind is Kind.LOG:
            out[item.level] += 1
    return out


def stops(played: Played) -> list[int]:
    """Where the step clock stops: the story's keyframes, or else its start, its phases' ends and its end."""
    if played.story.keyframes:
        moments = {frame.at for frame in played.story.keyframes}
    else:
        moments = {played.story.waits, *(phase.ends for phase in played.story.phases)}
        moments |= {at for phase in played.story.phases for at, _ in phase.marks[1:2]}
    return sorted({0, *(at for at in moments if at < played.end.at), played.end.at})


def _state(played: Played, now: int) -> RunState.ValueType:
    if now < played.run.blocked:
        return RunState.RUN_STATE_BLOCKED
    if now < played.run.scheduled:
        return RunState.RUN_STATE_SCHEDULED
    return RunState.RUN_STATE_QUEUED if now < played.story.waits else RunState.RUN_STATE_RUNNING


def _percent(phase: Phase, now: int) -> float:
    """Straight lines between the marks, rounded down."""
    if now >= phase.ends and not phase.fails:
        return 100.0
    points = [(phase.starts, 0.0), *phase.marks]
    if not phase.fails:
        points.append((phase.ends, 100.0))
    before = [point for point in points if point[0] <= now] or points[:1]
    after = next((point for point in points if point[0] > now), None)
    at, percent = before[-1]
    if after is None or after[0] == at:
        return percent
    return float(int(percent + (after[1] - percent) * (now - at) / (after[0] - at) + 1e-9))


def _sequence(played: Played, at: int) -> int:
    """How many things have happened by then, by bisection."""
    low, high = 0, len(played.happenings)
    while low < high:
        middle = (low + high) // 2
        if played.happenings[middle].at <= at:
            low = middle + 1
        else:
            high = middle
    return low
