"""What follows an attempt: which events its outcome becomes. Reads nothing and writes nothing, but for the zip of a
cancelled run.

A fault that another attempt may not meet waits for it, as the run's retryPolicy says; a worker's death costs an
attempt at once and ends the run when it is the last that the run may cost.
"""

import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from lodestream_server.engine import allocation
from lodestream_server.engine.allocation import MachineSize
from lodestream_server.engine.backoff import Dice, policy_of, retry_after_s
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.faults import noted
from lodestream_server.engine.leavings import Leavings
from lodestream_server.engine.stopping import rung
from lodestream_server.executors.port import Broke, Died, Done, Outcome, Stopped
from lodestream_server.runs.bodies import (
    Allocated,
    Body,
    Cancelled,
    Completed,
    Failed,
    Receipt,
    Requeued,
    RetryPlanned,
    TimedOut,
)
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State

log = logging.getLogger(__name__)

#: Why we stopped the work, where it was we.
Cause = Literal["cancel", "timeout", "drain", "memory"]
_OUT_OF_MEMORY = "OUT_OF_MEMORY"


class Aftermath:
    """Decides what follows."""

    def __init__(self, leavings: Leavings, clock: Clock, poison_limit: int, machine: MachineSize, dice: Dice) -> None:
        self._leavings = leavings
        self._clock = clock
        self._poison_limit = poison_limit
        self._machine = machine
        self._dice = dice

    async def of(self, run: RunState, outcome: Outcome, cause: Cause | None) -> Sequence[Body]:
        """The events that follow, to be committed together; the last one takes the run out of its seat."""
        if run.state is State.CANCELLING:
            return [*await self._leavings.kept(run), Cancelled(self._receipt(run, outcome))]
        phase = run.current.name if run.current else None
        if cause == "timeout":
            return [TimedOut(run.timeout_s, phase)]
        match outcome:
            case Done():
                return [Completed()]
            case Broke():
                return self._again_or(run, _failed(run.run_id, outcome), str(outcome.details.get("fault", "")))
            case Died() | Stopped() if cause == "drain":
                return [Requeued("SERVER_DRAINING", "The server is shutting down.")]
            case Died() if cause == "memory":
                return self._again_or(run, Failed(_OUT_OF_MEMORY, "The run needed more memory than it may use.", phase))
            case Died() | Stopped():
                return self._put_back(run, outcome, phase)

    def _put_back(self, run: RunState, outcome: Died | Stopped, phase: str | None) -> Sequence[Body]:
        reason, message = "WORKER_STOPPED", "The worker stopped without being asked."
        if isinstance(outcome, Died):
            reason, message = outcome.reason, outcome.message
        if run.worker_deaths + 1 < self._poison_limit:
            return [Requeued(reason, message, worker_died=True)]
        failed = Failed(reason, message, phase)
        return [*noted(failed), failed]

    def _again_or(self, run: RunState, failed: Failed, kind: str = "") -> Sequence[Body]:
        wait_s = retry_after_s(policy_of(run.extras), failed.reason, run.attempts_spent, self._dice)
        more = self._more_memory(run) if failed.reason == _OUT_OF_MEMORY else []
        # With the memory it had, it would only run out of it again.
        if wait_s is None or (failed.reason == _OUT_OF_MEMORY and not more):
            return [*noted(failed, kind), failed]
        at = self._clock.now() + timedelta(seconds=wait_s)
        return [*noted(failed, kind, again=True), *more, RetryPlanned(at, failed.reason, failed.message)]

    def _more_memory(self, run: RunState) -> list[Allocated]:
        wanted = allocation.granted(allocation.doubled_memory(run.resources), self._machine)
        if wanted.memory_bytes <= run.resources.memory_bytes:
            return []
        return [Allocated(wanted, run.resources, _OUT_OF_MEMORY)]

    def _receipt(self, run: RunState, outcome: Outcome) -> Receipt:
        asked = run.cancel_requested_at or self._clock.now()
        keeps = run.cancel is None or run.cancel.preserve
        return Receipt(
            rung=rung(outcome),
            took_s=max(0.0, round((self._clock.now() - asked).total_seconds(), 3)),
            phases_kept=run.finished if keeps else (),
            released=run.resources,
        )


def _failed(run_id: str, broke: Broke) -> Failed:
    if broke.reason != "INTERNAL":
        return Failed(broke.reason, broke.message, broke.phase or None, details=broke.details)
    error_id = secrets.token_hex(6)
    log.error("%s failed in %s, error id %s\n%s", run_id, broke.phase, error_id, broke.traceback)
    kind = f" ({fault})" if (fault := broke.details.get("fault")) else ""
    message = f"An unexpected fault{kind}; the error id {error_id} finds it in the server's log."
    return Failed("INTERNAL", message, broke.phase or None, error_id)
