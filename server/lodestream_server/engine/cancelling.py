"""Cancelling, in every state, and what time does to a run. The request is durable first; the answer follows the
terminal commit."""

from collections.abc import Sequence

from lodestream.errors import RunAlreadyEnded
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.dispatcher import Dispatcher
from lodestream_server.engine.leavings import Leavings
from lodestream_server.engine.models import CancelOrder
from lodestream_server.engine.timers import waits_until
from lodestream_server.runs.bodies import Body, Cancelled, CancelRequested, Queued, Receipt, TimedOut
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import WAITING, State
from lodestream_server.store.appending import Fact, Guard, RaceLost
from lodestream_server.store.store import Store


class Canceller:
    """Changes runs from outside their attempt; every step is guarded by the state it was decided on."""

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        clock: Clock,
        leavings: Leavings,
        queue_limit_s: float | None = None,
    ) -> None:
        self._leavings = leavings
        self._store = store
        self._dispatcher = dispatcher
        self._clock = clock
        self._queue_limit_s = queue_limit_s

    async def cancel(self, run_id: str, order: CancelOrder) -> RunState:
        """The cancelled run, with its receipt; the same one when it was cancelled before. Raises RunAlreadyEnded."""
        while True:
            run = await self._store.run(run_id)
            if run.state is State.CANCELLED:
                return run
            if run.has_ended:
                raise RunAlreadyEnded(f"The run has ended as {run.state} and cannot be cancelled any more.")
            try:
                await self._request(run, order)
            except RaceLost:  # it moved on between the look and the step: look again
                continue
            return await self.ended(run_id)

    async def cancel_queued(self, run_id: str, order: CancelOrder) -> bool:
        """Cancels a run that waits in the queue; whether it did. One that was started meanwhile goes on."""
        run = await self._store.run(run_id)
        try:
            if run.state is State.QUEUED:
                await self._request(run, order)
                return True
        except RaceLost:
            pass
        return False

    async def ended(self, run_id: str) -> RunState:
        """The run after its terminal commit; waits for it."""
        run = await self._store.run(run_id)
        async for _ in self._store.batches(run_id, run.last_sequence):
            pass
        return await self._store.run(run_id)

    async def due(self, run_id: str) -> None:
        """Time has come for a run: its start, its next attempt, or its end."""
        while True:
            run, now = await self._store.run(run_id), self._clock.now()
            late = run.deadline is not None and run.deadline <= now
            try:
                if run.has_ended or run.state is State.CANCELLING:
                    return
                if late and run.state in WAITING:
                    await self._step(run, [TimedOut(run.timeout_s)])
                elif late:
                    self._time_out(run_id)
                elif run.state is State.QUEUED and self._waited_too_long(run):
                    await self._step(run, [TimedOut(self._queue_limit_s, reason="QUEUE_LIMIT")])
                elif run.state in (State.SCHEDULED, State.RETRY_WAIT):
                    await self._step(run, [Queued()])
            except RaceLost:
                continue
            return

    async def _request(self, run: RunState, order: CancelOrder) -> None:
        request = CancelRequested(order.by, order.reason, order.force, order.preserve, order.notify)
        if run.state in WAITING:
            kept = await self._leavings.kept(run) if order.preserve else []
            receipt = Receipt("none", 0.0, run.finished if order.preserve else ())
            await self._step(run, [request, *kept, Cancelled(receipt)])
            return
        escalates = order.force and not (run.cancel and run.cancel.force)
        if run.state is State.RUNNING or escalates:
            await self._step(run, [request])
            if (attempt := self._dispatcher.attempt(run.run_id)) is not None:
                attempt.stop("cancel", force=order.force)

    def _waited_too_long(self, run: RunState) -> bool:
        until = waits_until(run, self._queue_limit_s)
        return until is not None and until <= self._clock.now()

    def _time_out(self, run_id: str) -> None:
        if (attempt := self._dispatcher.attempt(run_id)) is not None:
            attempt.stop("timeout")

    async def _step(self, run: RunState, bodies: Sequence[Body]) -> RunState:
        now = self._clock.now()
        facts = [Fact(body, now) for body in bodies]
        return await self._store.append(run.run_id, facts, Guard(frozenset({run.state}), run.epoch))
