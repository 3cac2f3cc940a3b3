"""Stopping a worker's run, rung by rung: the flag, then SIGTERM, then SIGKILL; forced, straight to the last."""

import asyncio
from datetime import timedelta

from lodestream_server.engine.clock import Clock
from lodestream_server.executors.port import Died, Outcome, Seat, Stopped
from lodestream_server.runs.bodies import Rung

#: Share of the grace that belongs to the flag; the rest is SIGTERM's, so that the last rung comes when the grace is
#: over.
_FLAG_SHARE = 0.8


class Ladder:
    """The rungs for one seat. Climbing starts once; forcing it again goes to the top."""

    def __init__(self, seat: Seat, clock: Clock, grace_s: float) -> None:
        self._seat = seat
        self._clock = clock
        self._grace_s = grace_s
        self._begun = asyncio.Event()
        self._climbing: asyncio.Task[None] | None = None
        self._forced = False

    def begun(self) -> None:
        """The worker has the run: from now on the flag reaches it."""
        self._begun.set()

    def climb(self, *, force: bool) -> None:
        """Starts from the bottom, or goes to the top."""
        if force and not self._forced:
            self._forced = True
            self.drop()
            self._seat.signal("SIGKILL")
        elif self._climbing is None and not self._forced:
            self._climbing = asyncio.create_task(self._climb())

    def drop(self) -> None:
        """Climbs no further."""
        if self._climbing is not None:
            self._climbing.cancel()

    async def _climb(self) -> None:
        begin = self._clock.now()
        await self._begun.wait()
        self._seat.ask_to_stop()
        await self._clock.sleep_until(begin + timedelta(seconds=_FLAG_SHARE * self._grace_s))
        self._seat.signal("SIGTERM")
        await self._clock.sleep_until(begin + timedelta(seconds=self._grace_s))
        self._seat.signal("SIGKILL")


def rung(outcome: Outcome) -> Rung:
    """What stopped the work; "none" when it ended by itself before anything could."""
    match outcome:
        case Stopped():
            return "flag"
        case Died(by=by) if by is not None:
            return by
        case _:
            return "none"
