"""A batch: operations that need each other, as one thing. Its state is computed from theirs, never stored. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lodestream_server.runs.bodies import CancelRequested, Json, Range
from lodestream_server.runs.graph import longest_s
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import ENDED, WAITING, State


@dataclass(frozen=True, slots=True)
class Step:
    """An operation of a batch, by its key there."""

    key: str
    run_id: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """What a failure means for the others: stop all, or begin no more, or (as said) go on with those that do not need
    it."""

    stop_on_first_failure: bool = False
    continue_independent: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    """What was submitted, `callbacks` as they came; and the first cancellation of it as a whole, if there was one."""

    batch_id: str
    tenant_id: str
    project_id: str
    name: str
    created: datetime
    steps: tuple[Step, ...]
    description: str = ""
    submitted_by: str = ""
    policy: FailurePolicy = field(default_factory=FailurePolicy)
    callbacks: Json = field(default_factory=dict)
    cancel: CancelRequested | None = None


@dataclass(frozen=True, slots=True)
class BatchState:
    """A batch and its runs, in the order of its steps."""

    batch: Batch
    runs: tuple[RunState, ...]

    @property
    def state(self) -> State:
        """QUEUED before the first start, RUNNING, then how it ended: the worst of its operations."""
        states = {run.state for run in self.runs}
        if states <= ENDED:
            worst = (State.FAILED, State.TIMED_OUT, State.CANCELLED)
            return next((state for state in worst if state in states), State.COMPLETED)
        begun = any(run.started is not None or run.has_ended for run in self.runs)
        return State.RUNNING if begun else State.QUEUED

    @property
    def percent(self) -> float:
        """Mean of its operations."""
        return sum(run.percent for run in self.runs) / len(self.runs) if self.runs else 0.0

    @property
    def has_ended(self) -> bool:
        """Whether its last operation has."""
        return all(run.has_ended for run in self.runs)

    @property
    def ended(self) -> datetime | None:
        """When its last operation did."""
        return max((run.ended for run in self.runs if run.ended), default=None) if self.has_ended else None


def remaining(state: BatchState, left_s: Mapping[str, Range | None]) -> Range | None:
    """Along the longest path still ahead; `left_s` by run id. None when something on the way is unknown."""
    keys = [step.key for step in state.batch.steps]
    needs = [step.needs for step in state.batch.steps]
    spans = {step.key: left_s[step.run_id] for step in state.batch.steps}
    low = longest_s(keys, needs, {key: span.low_s if span else None for key, span in spans.items()})
    high = longest_s(keys, needs, {key: span.high_s if span else None for key, span in spans.items()})
    return Range(low, high) if low is not None and high is not None else None


def to_cancel(state: BatchState) -> Sequence[RunState]:
    """Runs that the batch's policy ends now, because of those that went wrong."""
    wrong = any(run.has_ended and run.state is not State.COMPLETED for run in state.runs)
    policy = state.batch.policy
    if not wrong:
        return ()
    if policy.stop_on_first_failure:
        return [run for run in state.runs if not run.has_ended]
    if not policy.continue_independent:
        return [run for run in state.runs if run.state in WAITING]
    return ()
