"""How a watch behaves while the connection is at fault: how long it waits, and when it gives up. Does no I/O.

Called by `watching`.
"""

import random
import time
from dataclasses import dataclass
from typing import Final

from lodestream.client.problems import BrokenStream


@dataclass(frozen=True, slots=True)
class Patience:
    """How a watch behaves while nobody answers. All in seconds.

    Waits between tries double from `first_delay_s` to `longest_delay_s`, with full jitter, so that a thousand watchers
    of a server that restarts do not come back at once. `silence_s`: bookmarks come every 15 s, so three missing ones
    mean a dead connection.
    """

    give_up_s: float = 120.0
    first_delay_s: float = 0.1
    longest_delay_s: float = 5.0
    silence_s: float = 45.0

    def delay_s(self, tries: int) -> float:
        """The wait before try number `tries` + 1 in a row without news."""
        return random.uniform(0.0, min(self.longest_delay_s, self.first_delay_s * 2.0 ** min(tries, 16)))


DEFAULT_PATIENCE: Final = Patience()
#: A gap that is still there after so many resumptions from the same token is in the server's log itself.
GAPS_BEFORE_BROKEN: Final = 3


class Gap(Exception):
    """A frame skips a number that this kind of stream never skips."""


class Strain:
    """What a watch has been through since things last went well: decides how long to wait, and when to give up."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._tries = 0
        self._gaps: tuple[int, int] = (-1, 0)
        self._start: tuple[int, str] = (0, "")
        self._since = self._connected = time.monotonic()
        self._alive = True

    def connected(self, sequence: int, token: str) -> None:
        """A connection is tried from this place."""
        self._start, self._connected = (sequence, token), time.monotonic()

    def heard(self) -> None:
        """A frame came."""
        self._alive = True

    def gap(self, gap: Gap, sequence: int) -> None:
        """A number was skipped after `sequence`. Raises BrokenStream when the server does so again and again."""
        place, count = self._gaps
        self._gaps = (sequence, count + 1 if place == sequence else 1)
        if self._gaps[1] >= GAPS_BEFORE_BROKEN:
            raise BrokenStream(f"The server left out events: {gap}.") from None

    def broken(self, sequence: int, token: str) -> float | None:
        """The connection is gone: the wait before the next one, or None when it is time to give up."""
        now = time.monotonic()
        lasted = self._alive and now - self._connected > self._patience.longest_delay_s
        if self._alive:
            self._since = now
        self._tries = 0 if lasted or (sequence, token) != self._start else self._tries + 1
        self._alive = False
        return None if now - self._since > self._patience.give_up_s else self._patience.delay_s(self._tries)
