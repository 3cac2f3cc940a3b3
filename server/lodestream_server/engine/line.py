"""The queue's order, kept until it changes: every answer about a place asks for it. Deep queues are put in order once
a second at most, for sorting ten thousand runs takes longer than accepting one."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from lodestream_server.engine.fairness import Shares
from lodestream_server.engine.queue import Waiting, in_order

#: Up to that many are put in order whenever something changed: well below a millisecond.
_SHALLOW = 300
#: Levels rise and use fades meanwhile.
_FRESH = timedelta(seconds=1)


class Line:
    """The order as it was computed last."""

    def __init__(self) -> None:
        self.outdated = True
        self._made: datetime | None = None
        self._order: list[Waiting] = []

    def of(self, queue: Mapping[str, Waiting], now: datetime, shares: Shares) -> list[Waiting]:
        """The order of that queue; in a deep one it may be a second old."""
        stale = self._made is None or not timedelta() <= now - self._made < _FRESH
        if stale or (self.outdated and len(queue) <= _SHALLOW):
            self._order = in_order(queue.values(), now, shares.used_s(now))
            self._made, self.outdated = now, False
        return self._order
