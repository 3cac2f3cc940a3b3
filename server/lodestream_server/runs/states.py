"""The states of a run, the words around them, and the one table of what may become what. Pure; everybody reads it."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final


class State(StrEnum):
    """Where a run stands."""

    BLOCKED = "BLOCKED"
    SCHEDULED = "SCHEDULED"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    RETRY_WAIT = "RETRY_WAIT"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"


class RunKind(StrEnum):
    """Which of the two documented shapes a run has. Both are the same machine."""

    JOB = "job"
    OPERATION = "operation"


class Priority(IntEnum):
    """Higher goes first."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    CRITICAL = 4


class PhaseStatus(StrEnum):
    """Where a phase stands; the values are the documented words."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


ENDED: Final = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.TIMED_OUT})
#: A worker may be busy with it.
AT_WORK: Final = frozenset({State.RUNNING, State.CANCELLING})
#: Waits for its turn, a time, a dependency or a back-off; no worker knows of it.
WAITING: Final = frozenset({State.BLOCKED, State.SCHEDULED, State.QUEUED, State.RETRY_WAIT})

TRANSITIONS: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.BLOCKED: frozenset({State.SCHEDULED, State.QUEUED, State.FAILED, State.CANCELLED, State.TIMED_OUT}),
        State.SCHEDULED: frozenset({State.QUEUED, State.CANCELLED, State.TIMED_OUT}),
        State.QUEUED: frozenset({State.RUNNING, State.CANCELLED, State.TIMED_OUT}),
        State.RUNNING: frozenset(
            {
                State.COMPLETED,
                State.FAILED,
                State.RETRY_WAIT,
                State.CANCELLING,
                State.TIMED_OUT,
                State.QUEUED,  # its worker or its server died
            }
        ),
        State.RETRY_WAIT: frozenset({State.QUEUED, State.CANCELLED, State.TIMED_OUT}),
        State.CANCELLING: frozenset({State.CANCELLED}),
        State.COMPLETED: frozenset(),
        State.FAILED: frozenset(),
        State.CANCELLED: frozenset(),
        State.TIMED_OUT: frozenset(),
    }
)


def may_become(here: State, there: State) -> bool:
    """Whether the table allows the step."""
    return there in TRANSITIONS[here]
