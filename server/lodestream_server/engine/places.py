"""Places in the queue and what follows from them: when a run should start, how long it should take, what it should
cost."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from lodestream_server.engine import estimates
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.dispatcher import Dispatcher
from lodestream_server.engine.models import EngineSettings, QueuePlace, Submission
from lodestream_server.engine.queue import Waiting, expected_starts
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store.store import Store


class Places:
    """What the queue looks like from the outside."""

    def __init__(self, store: Store, dispatcher: Dispatcher, clock: Clock, settings: EngineSettings) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._clock = clock
        self._settings = settings

    async def every(self) -> tuple[QueuePlace, ...]:
        """All queued runs in the order of their turns."""
        order = self._dispatcher.in_order()
        starts = self._starts(order)
        places = [
            QueuePlace(await self._store.run(waiting.run_id), position, starts.get(waiting.run_id))
            for position, waiting in enumerate(order, start=1)
        ]
        return tuple(places)

    async def of(self, run_id: str) -> QueuePlace | None:
        """A queued run's place; None when it does not wait in the queue."""
        ahead = self._dispatcher.ahead(run_id)
        if ahead is None:
            return None
        return QueuePlace(await self._store.run(run_id), len(ahead), self._starts(ahead).get(run_id))

    def submission(self, run: RunState, repeated: bool = False) -> Submission:
        """What there is to say of a run that was just accepted."""
        position, start = self._first_place(run)
        cost = estimates.cost_usd(self._settings, run.resources, estimates.middle_s(run.estimate))
        return Submission(run, repeated, position, start, run.estimate, cost)

    def _first_place(self, run: RunState) -> tuple[int | None, datetime | None]:
        line = self._dispatcher.line
        if run.state is State.SCHEDULED:
            return None, run.scheduled_at
        if line.get(run.run_id) is None:
            return None, None
        if line.deep:  # a submission does not wait for thousands to be put in order
            return line.as_urgent(run.priority), None
        ahead = self._dispatcher.ahead(run.run_id) or ()
        return len(ahead), self._starts(ahead).get(run.run_id)

    def _starts(self, order: Sequence[Waiting]) -> Mapping[str, datetime]:
        now = self._clock.now()
        durations = {waiting.run_id: waiting.expected_s for waiting in order}
        remaining = [_remaining_s(run, now) for run in self._dispatcher.at_work()]
        return expected_starts(order, durations, remaining, self._dispatcher.seats, now)


def _remaining_s(run: RunState, now: datetime) -> float | None:
    middle = estimates.middle_s(run.estimate)
    elapsed = (now - (run.attempt_started or now)) / timedelta(seconds=1)
    return None if middle is None else max(0.0, middle - elapsed)
