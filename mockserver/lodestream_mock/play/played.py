"""A story as one run plays it: its phases where they fall, its end, and everything that happens, numbered.

The number of a happening is its place in the list, from 1; the last one is the only terminal one. What a session
decides later (a cancellation) cuts the list and never renumbers what came before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lodestream.v1.common_pb2 import RunState
from lodestream_mock.play.run import Run
from lodestream_mock.scenarios.story import RANK, Failure, Happening, Kind, Phase, Story

_TIMELINE = frozenset(
    {Kind.STARTED, Kind.PHASE_STARTED, Kind.PHASE_COMPLETED, Kind.MILESTONE, Kind.WARNING, Kind.ERROR, Kind.PROGRESS}
)
_ENDS = {
    Kind.COMPLETED: RunState.RUN_STATE_COMPLETED,
    Kind.FAILED: RunState.RUN_STATE_FAILED,
    Kind.CANCELLED: RunState.RUN_STATE_CANCELLED,
    Kind.TIMED_OUT: RunState.RUN_STATE_TIMED_OUT,
}


@dataclass(frozen=True, slots=True)
class End:
    """How and when a run ends; `error` for failures and time-outs, `by` and `text` for cancellations."""

    at: int
    kind: Kind
    error: Failure | None = None
    by: str = ""
    text: str = ""

    @property
    def state(self) -> RunState.ValueType:
        """The terminal state."""
        return _ENDS[self.kind]


@dataclass(frozen=True, slots=True)
class Played:
    """A run's whole life: `happenings` in order, `end` the last of them; `planned_end` is when the script would have
    ended."""

    run: Run
    story: Story
    end: End
    planned_end: int
    happenings: tuple[Happening, ...]


def play(story: Story, run: Run) -> Played:
    """The life of a run."""
    told = _adapted(story, run)
    planned = _planned(told)
    end = _end(told, run, planned)
    happenings = sorted(_all(told, run, end), key=lambda item: (item.at, RANK[item.kind]))
    return Played(run, told, end, planned.at, tuple(happenings))


def _adapted(story: Story, run: Run) -> Story:
    """The story with the caller's names, its phases after the ones that are kept, and after what the run waits for."""
    echoed = replace(
        story,
        name=run.name or story.name,
        description=run.description or story.description,
        type=run.type or story.type,
        priority=run.priority or story.priority,
        timeout=_limit(story, run),
    )
    if run.kept:
        echoed = _resumed(echoed, run.kept)
    return _later(echoed, run.held) if run.held else echoed


def _limit(story: Story, run: Run) -> int:
    """The caller's time limit, from the time that was set for the run; a story that means to run into its own one keeps
    it."""
    if run.timeout is None:
        return story.timeout + run.scheduled
    own = story.timeout < _planned(story).at
    return (min(story.timeout, run.timeout) if own else run.timeout) + run.scheduled


def _resumed(story: Story, kept: int) -> Story:
    """The first phases served by checkpoints: they take no time, and what they said is not said again."""
    begin = story.waits
    saved = sum(phase.ends - phase.starts for phase in story.phases[:kept])
    done = tuple(replace(phase, starts=begin, ends=begin, marks=(), kept=True) for phase in story.phases[:kept])
    rest = tuple(_moved(phase, -saved) for phase in story.phases[kept:])
    names = {phase.name for phase in done}
    told = tuple(replace(item, at=item.at - saved) for item in story.told if item.phase not in names)
    usage = tuple(replace(item, at=max(begin, item.at - saved)) for item in story.usage)
    return replace(story, phases=done + rest, told=told, usage=usage, keyframes=())


def _later(story: Story, by: int) -> Story:
    return replace(
        story,
        waits=story.waits + by,
        phases=tuple(_moved(phase, by) for phase in story.phases),
        told=tuple(replace(item, at=item.at + by) for item in story.told),
        usage=tuple(replace(item, at=item.at + by) for item in story.usage),
        keyframes=(),
    )


def _moved(phase: Phase, by: int) -> Phase:
    marks = tuple((at + by, percent) for at, percent in phase.marks)
    return replace(phase, starts=phase.starts + by, ends=phase.ends + by, marks=marks)


def _planned(story: Story) -> End:
    for phase in story.phases:
        if phase.fails:
            return End(phase.ends, Kind.FAILED, phase.fails, text=phase.fails.message)
    return End(story.phases[-1].ends if story.phases else story.waits, Kind.COMPLETED)


def _end(story: Story, run: Run, planned: End) -> End:
    """Whatever comes first: the script's end, its own cancellation, the time limit, or what was decided."""
    ends = [planned]
    if story.cancel:
        at, by, reason = story.cancel
        ends.append(End(at, Kind.CANCELLED, by=by, text=reason))
    if planned.at > story.timeout:
        limit = Failure("TIMEOUT", "The run reached its time limit.")
        ends.append(End(story.timeout, Kind.TIMED_OUT, limit, text=limit.message))
    if run.dependency_failed is not None:
        cause = Failure("DEPENDENCY_FAILED", "An operation that this one depends on did not complete.")
        ends.append(End(run.dependency_failed, Kind.FAILED, cause, text=cause.message))
    if run.cancelled:
        ends.append(End(run.cancelled.at, Kind.CANCELLED, by=run.cancelled.by, text=run.cancelled.reason))
    return min(ends, key=lambda end: end.at)


def _all(story: Story, run: Run, end: End) -> Iterator[Happening]:
    limit = max((item.at for item in story.told if item.told and item.kind in _TIMELINE), default=-1)
    begins = run.dependency_failed != end.at
    for item in _generated(story, run):
        if not begins and item.kind not in (Kind.SUBMITTED, Kind.WAITING) and item.at >= end.at:
            continue
        if item.at <= end.at and not (item.kind in _TIMELINE and item.at <= limit):
            yield item
    for item in story.told:
        if item.at <= end.at:
            yield item
    if end.kind is Kind.CANCELLED:
        yield Happening(end.at, Kind.CANCEL_REQUESTED, text=end.text, details={"requestedBy": end.by})
    yield Happening(end.at, end.kind, text=end.text)


def _generated(story: Story, run: Run) -> Iterator[Happening]:
    yield Happening(0, Kind.SUBMITTED)
    if run.blocked or run.dependency_failed is not None:
        yield Happening(0, Kind.WAITING)
    if run.scheduled > run.blocked:
        yield Happening(run.blocked, Kind.SCHEDULED)
    yield Happening(run.held, Kind.QUEUED)
    yield Happening(story.waits, Kind.STARTED)
    for phase in story.phases:
        yield Happening(phase.starts, Kind.PHASE_STARTED, phase.name)
        for at, _ in phase.marks:
            yield Happening(at, Kind.PROGRESS, phase.name)
        if not phase.fails:
            yield Happening(phase.ends, Kind.PHASE_COMPLETED, phase.name)
    for sample in story.usage:
        yield Happening(sample.at, Kind.SAMPLE)
    if story.phases and not any(phase.fails for phase in story.phases):
        for artifact in story.artifacts:
            yield Happening(story.phases[-1].ends, Kind.ARTIFACT, story.phases[-1].name, artifact.artifact_id)
