"""Time as an argument: the engine asks a clock and never the system, so that tests decide what time it is."""

import asyncio
from datetime import UTC, datetime
from typing import Protocol

#: Longest sleep at a stretch: the system's clock may be set meanwhile.
_STRETCH_S = 60.0


class Clock(Protocol):
    """What time it is, and waiting for a time."""

    def now(self) -> datetime:
        """The instant, in UTC."""

    async def sleep_until(self, when: datetime) -> None:
        """Returns when that instant has come, at once if it has passed."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)

    async def sleep_until(self, when: datetime) -> None:
        """See `Clock.sleep_until`."""
        while (left_s := (when - self.now()).total_seconds()) > 0:  # noqa: ASYNC110  # time passes, nobody sets it
            await asyncio.sleep(min(left_s, _STRETCH_S))
