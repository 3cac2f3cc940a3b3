"""The attempts under way, by run: made in a seat that the dispatcher has given to a run, and stopped from outside."""

import contextlib

from lodestream_server.engine.aftermath import Aftermath, Cause
from lodestream_server.engine.assignments import Assignments, Unassignable
from lodestream_server.engine.attempt import Attempt
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.ids import Ids
from lodestream_server.engine.models import EngineSettings
from lodestream_server.executors.port import Seat
from lodestream_server.runs.bodies import Failed, Started
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store.appending import Fact, Guard, RaceLost
from lodestream_server.store.store import Store


class Attempts:
    """Those of one engine."""

    def __init__(
        self,
        store: Store,
        assignments: Assignments,
        clock: Clock,
        ids: Ids,
        settings: EngineSettings,
        aftermath: Aftermath,
    ) -> None:
        self._store = store
        self._assignments = assignments
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self._aftermath = aftermath
        self._attempts: dict[str, Attempt] = {}

    def of(self, run_id: str) -> Attempt | None:
        """The run's attempt, while it is in a seat."""
        return self._attempts.get(run_id)

    def runs(self) -> list[RunState]:
        """Runs in seats."""
        return [attempt.run for attempt in self._attempts.values()]

    def stop_all(self, cause: Cause) -> None:
        """Begins to stop all work."""
        for attempt in [*self._attempts.values()]:
            attempt.stop(cause)

    async def make(self, run_id: str, seat: Seat) -> None:
        """From the order for the worker to whatever ends the attempt."""
        run = await self._store.run(run_id)
        try:
            assignment = await self._assignments.of(run)
        except Unassignable as fault:
            await self._refuse(run_id, seat, fault)
            return
        execution_id = self._ids.new(self._clock.now(), "exec-")
        attempt = Attempt(run, seat, self._store, self._clock, self._settings, execution_id, self._aftermath)
        self._attempts[run_id] = attempt
        try:
            await attempt.supervise(assignment)
        finally:
            if self._attempts.get(run_id) is attempt:
                del self._attempts[run_id]

    async def _refuse(self, run_id: str, seat: Seat, fault: Unassignable) -> None:
        # The run was fine when it was submitted: its type or its dataset has gone since.
        now = self._clock.now()
        started = Started(1, seat.node, seat.pid, self._ids.new(now, "exec-"))
        with contextlib.suppress(RaceLost):
            facts = [Fact(started, now), Fact(Failed(fault.reason, str(fault)), now)]
            await self._store.append(run_id, facts, Guard(frozenset({State.QUEUED})))
