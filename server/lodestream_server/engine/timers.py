"""What is due when: scheduled starts, back-offs, deadlines. One task sleeps until the next; commits keep the list
current."""

import asyncio
import contextlib
import heapq
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from lodestream_server.engine.clock import Clock
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State

log = logging.getLogger(__name__)

#: While the store cannot write, it is asked again after this.
_AGAIN = timedelta(seconds=1)


def next_due(run: RunState, queue_limit_s: float | None = None) -> datetime | None:
    """When time alone will change the run; None: never."""
    if run.has_ended or run.state is State.CANCELLING:
        return None
    waits = {
        State.SCHEDULED: run.scheduled_at,
        State.RETRY_WAIT: run.retry_at,
        State.QUEUED: waits_until(run, queue_limit_s),
    }.get(run.state)
    return min((due for due in (waits, run.deadline) if due is not None), default=None)


def waits_until(run: RunState, queue_limit_s: float | None) -> datetime | None:
    """When a queued run has waited for longer than runs may; None: never."""
    if run.queued_at is None or queue_limit_s is None:
        return None
    return run.queued_at + timedelta(seconds=queue_limit_s)


class Timers:
    """Calls `due(run_id)` when a run's time has come; the receiver looks at the run itself."""

    def __init__(self, clock: Clock, due: Callable[[str], Awaitable[None]], queue_limit_s: float | None = None) -> None:
        self._clock = clock
        self._queue_limit_s = queue_limit_s
        self._due = due
        self._heap: list[tuple[datetime, str]] = []
        self._when: dict[str, datetime] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def seen(self, run: RunState) -> None:
        """A run as it stands after a commit."""
        when = next_due(run, self._queue_limit_s)
        if when is None:
            self._when.pop(run.run_id, None)
        elif self._when.get(run.run_id) != when:
            self._note(run.run_id, when)

    def start(self) -> None:
        """Begins to watch the clock."""
        self._task = asyncio.create_task(self._watch(), name="timers")

    async def stop(self) -> None:
        """Ends the watch."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _note(self, run_id: str, when: datetime) -> None:
        self._when[run_id] = when
        heapq.heappush(self._heap, (when, run_id))
        self._changed.set()

    async def _watch(self) -> None:
        while True:
            await self._sleep()
            while self._heap and self._heap[0][0] <= self._clock.now():
                when, run_id = heapq.heappop(self._heap)
                if self._when.get(run_id) != when:  # moved or gone since it was noted
                    continue
                del self._when[run_id]
                try:
                    await self._due(run_id)
                except Exception:
                    log.exception("what was due for %s could not be done; trying again", run_id)
                    self._note(run_id, self._clock.now() + _AGAIN)

    async def _sleep(self) -> None:
        self._changed.clear()
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self._changed.wait())]
        if self._heap:
            waits.append(asyncio.create_task(self._clock.sleep_until(self._heap[0][0])))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
