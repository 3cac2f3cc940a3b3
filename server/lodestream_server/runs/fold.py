"""The fold: state from events, and the guard of the state machine. Pure; the store applies it inside the
transaction that appends.

What it keeps true: sequences have no holes, transitions follow the table, nothing follows an ending, the overall
percent never falls.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from lodestream_server.runs.bodies import (
    Allocated,
    ArtifactStored,
    Blocked,
    Bound,
    Cancelled,
    CancelRequested,
    Completed,
    ErrorNoted,
    Failed,
    Level,
    Logged,
    MetricsChanged,
    Milestone,
    PhaseCompleted,
    PhaseStarted,
    Progressed,
    Queued,
    Reprioritized,
    Requeued,
    RetryPlanned,
    Sampled,
    Scheduled,
    Started,
    Submitted,
    TimedOut,
    Warned,
)
from lodestream_server.runs.events import Event
from lodestream_server.runs.state import LogCounts, PhaseState, RunState
from lodestream_server.runs.states import AT_WORK, WAITING, PhaseStatus, Priority, State, may_become

#: A run that has not completed shows less than 100 %, however much of the last phase is done.
ALMOST = 99.0


class IllegalTransition(Exception):
    """The table of states does not allow this step."""


class BrokenSequence(Exception):
    """The event does not follow the last one."""


def replay(events: Iterable[Event]) -> RunState:
    """The state after all these events, which begin with a run's first. Raises ValueError when there are none."""
    state: RunState | None = None
    for event in events:
        state = apply(state, event)
    if state is None:
        raise ValueError("a run has at least its Submitted event")
    return state


def apply(state: RunState | None, event: Event) -> RunState:
    """The state after the event. Raises BrokenSequence, IllegalTransition; KeyError for a phase that the run does
    not have."""
    if state is None:
        return _begin(event)
    if event.sequence != state.last_sequence + 1:
        raise BrokenSequence(f"{state.run_id}: {event.sequence} does not follow {state.last_sequence}")
    if state.has_ended:
        raise IllegalTransition(f"{state.run_id} has ended as {state.state}; {event.kind} cannot follow")
    changed = _apply_body(state, event)
    return replace(changed, updated=event.time, last_sequence=event.sequence, last_position=event.position)


def _begin(event: Event) -> RunState:
    body = event.body
    if not isinstance(body, Submitted) or event.sequence != 1:
        raise BrokenSequence(f"{event.run_id}: a run begins with its Submitted event, numbered 1")
    shared = {name: getattr(body, name) for name in _COPIED}
    phases = tuple(PhaseState(plan.name, order, plan.weight) for order, plan in enumerate(body.phases, start=1))
    return RunState(
        run_id=event.run_id,
        created=event.time,
        updated=event.time,
        phases=phases,
        # The next event of the same commit says what it waits for; a dependency is the first thing anything can
        # wait for.
        state=State.BLOCKED,
        last_sequence=1,
        last_position=event.position,
        **shared,
    )


_COPIED = (
    "tenant_id",
    "project_id",
    "kind",
    "type",
    "name",
    "description",
    "priority",
    "submitted_by",
    "parameters",
    "dataset_id",
    "size_bytes",
    "resource",
    "resources",
    "timeout_s",
    "scheduled_at",
    "deadline",
    "estimate",
    "extras",
    "origin",
    "retry_number",
    "batch_id",
    "operation_key",
    "dependencies",
)


def _apply_body(state: RunState, event: Event) -> RunState:
    match event.body:
        case Submitted():
            raise IllegalTransition(f"{state.run_id} was submitted already")
        case Blocked(waiting_for):
            return _blocked(state, waiting_for)
        case Bound() as body:
            return _bound(state, body)
        case Scheduled(at):
            return _step(_unblocked(state, event.time), State.SCHEDULED, scheduled_at=at)
        case Queued():
            free = _unblocked(state, event.time)
            return _step(free, State.QUEUED, queued_at=event.time, retry_at=None)
        case Reprioritized(priority):
            return _reprioritized(state, priority)
        case Allocated(resources):
            return replace(state, resources=resources)
        case Started() as body:
            return _started(state, body, event.time)
        case PhaseStarted(phase):
            return _phase_started(state, phase, event.time)
        case Progressed() as body:
            return _progressed(state, body)
        case MetricsChanged(phase, values):
            return _with_phase(state, phase, metrics={**state.phase(phase).metrics, **values})
        case Logged(level):
            return replace(state, logs=_counted(state.logs, level, event.time))
        case Warned():
            return replace(state, warnings=state.warnings + 1, logs=_counted(state.logs, "WARN", event.time))
        case Milestone():
            return state
        case ErrorNoted():
            return replace(state, errors=state.errors + 1, logs=_counted(state.logs, "ERROR", event.time))
        case ArtifactStored():
            return replace(state, artifacts=state.artifacts + 1)
        case PhaseCompleted() as body:
            return _phase_completed(state, body, event.time)
        case Sampled() as body:
            return replace(state, sample=body, peak_rss_bytes=max(state.peak_rss_bytes, body.rss_bytes))
        case CancelRequested() as body:
            return _cancel_requested(state, body, event.time)
        case Requeued(worker_died=worker_died):
            return _requeued(state, worker_died)
        case RetryPlanned(at):
            return _left(_step(state, State.RETRY_WAIT, retry_at=at, attempts_spent=state.attempts_spent + 1))
        case Completed():
            return _step(state, State.COMPLETED, ended=event.time, percent=100.0)
        case Failed() as body:
            return _close(_step(state, State.FAILED, ended=event.time, failure=body), PhaseStatus.FAILED, event.time)
        case Cancelled(receipt):
            keeps = state.cancel is None or state.cancel.preserve
            artifacts = state.artifacts if keeps else 0
            stopped = _step(state, State.CANCELLED, ended=event.time, receipt=receipt, artifacts=artifacts)
            return _close(stopped, PhaseStatus.CANCELLED, event.time)
        case TimedOut():
            return _close(_step(state, State.TIMED_OUT, ended=event.time), PhaseStatus.FAILED, event.time)
        case other:
            assert_never(other)


def _step(state: RunState, there: State, **changes: Any) -> RunState:
    if not may_become(state.state, there):
        raise IllegalTransition(f"{state.run_id} is {state.state}; it cannot become {there}")
    return replace(state, state=there, **changes)


def _blocked(state: RunState, waiting_for: tuple[str, ...]) -> RunState:
    if state.state is not State.BLOCKED:
        raise IllegalTransition(f"{state.run_id} is {state.state}; it cannot become {State.BLOCKED}")
    return replace(state, waiting_for=waiting_for)


def _unblocked(state: RunState, now: datetime) -> RunState:
    """Nothing is waited for any more. A time limit that could not begin before begins now."""
    if state.state is not State.BLOCKED:
        return state
    deadline = state.deadline
    if deadline is None and state.timeout_s is not None:
        deadline = now + timedelta(seconds=state.timeout_s)
    return replace(state, waiting_for=(), deadline=deadline)


def _bound(state: RunState, body: Bound) -> RunState:
    if state.state is not State.BLOCKED:
        raise IllegalTransition(f"{state.run_id} is {state.state}; its input is settled")
    return replace(
        state,
        dataset_id=body.dataset_id,
        size_bytes=body.size_bytes,
        estimate=body.estimate or state.estimate,
        parameters={**state.parameters, "datasetId": body.dataset_id},
    )


def _reprioritized(state: RunState, priority: Priority) -> RunState:
    if state.state not in WAITING:
        raise IllegalTransition(f"{state.run_id} is {state.state}; its turn has come already")
    return replace(state, priority=priority)


def _started(state: RunState, body: Started, now: datetime) -> RunState:
    return _step(
        state,
        State.RUNNING,
        epoch=state.epoch + 1,
        attempt=body.attempt,
        node=body.node,
        pid=body.pid,
        execution_id=body.execution_id,
        resources=body.resources,
        started=state.started or now,
        attempt_started=now,
    )


def _requeued(state: RunState, worker_died: bool) -> RunState:
    # It keeps its age: what it lost was not its turn.
    deaths, spent = state.worker_deaths + worker_died, state.attempts_spent + worker_died
    return _left(_step(state, State.QUEUED, worker_deaths=deaths, attempts_spent=spent))


def _left(state: RunState) -> RunState:
    """The attempt is over, the run is not: nobody holds it, and phases that were running are to be run again."""
    phases = tuple(
        PhaseState(phase.name, phase.order, phase.weight) if phase.status is not PhaseStatus.COMPLETED else phase
        for phase in state.phases
    )
    return replace(state, epoch=state.epoch + 1, phases=phases, pid=None, cpu_s_before=state.cpu_s, sample=None)


def _phase_started(state: RunState, name: str, now: datetime) -> RunState:
    _at_work(state)
    fresh = PhaseState(name, state.phase(name).order, state.phase(name).weight, PhaseStatus.RUNNING, started=now)
    return replace(state, phases=tuple(fresh if phase.name == name else phase for phase in state.phases))


def _progressed(state: RunState, body: Progressed) -> RunState:
    _at_work(state)
    before = state.phase(body.phase)
    percent = max(before.percent, min(100.0, body.percent if body.percent is not None else 0.0))
    changed = _with_phase(
        state,
        body.phase,
        percent=percent,
        done=max(before.done or 0, body.done),
        total=body.total if body.total is not None else before.total,
        activity=body.activity or before.activity,
        rate=body.rate if body.rate is not None else before.rate,
    )
    return _with_percent(changed)


def _phase_completed(state: RunState, body: PhaseCompleted, now: datetime) -> RunState:
    _at_work(state)
    before = state.phase(body.phase)
    records = body.records if body.records is not None else before.done
    changed = _with_phase(
        state,
        body.phase,
        status=PhaseStatus.COMPLETED,
        started=before.started or now,
        ended=now,
        duration_s=body.duration_s,
        percent=100.0,
        done=records,
        records=records,
        kept=body.kept,
    )
    return _with_percent(changed)


def _with_percent(state: RunState) -> RunState:
    whole = sum(phase.weight for phase in state.phases)
    if whole <= 0:
        return state
    done = sum(phase.weight * phase.percent for phase in state.phases) / whole
    return replace(state, percent=max(state.percent, min(done, ALMOST)))


def _cancel_requested(state: RunState, body: CancelRequested, now: datetime) -> RunState:
    wanted: dict[str, Any] = {"cancel": body, "cancel_requested_at": state.cancel_requested_at or now}
    return _step(state, State.CANCELLING, **wanted) if state.state is State.RUNNING else replace(state, **wanted)


def _close(state: RunState, status: PhaseStatus, now: datetime) -> RunState:
    phases = tuple(
        replace(phase, status=status, ended=now) if phase.status is PhaseStatus.RUNNING else phase
        for phase in state.phases
    )
    return replace(state, phases=phases)


def _with_phase(state: RunState, name: str, **changes: Any) -> RunState:
    _at_work(state)
    changed = replace(state.phase(name), **changes)
    return replace(state, phases=tuple(changed if phase.name == name else phase for phase in state.phases))


def _at_work(state: RunState) -> None:
    if state.state not in AT_WORK:
        raise IllegalTransition(f"{state.run_id} is {state.state}; no worker may speak for it")


def _counted(counts: LogCounts, level: Level, now: datetime) -> LogCounts:
    key = level.lower()
    return replace(counts, first=counts.first or now, last=now, **{key: getattr(counts, key) + 1})
