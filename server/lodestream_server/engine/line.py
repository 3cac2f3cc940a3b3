"""The queue in memory, and its order, kept until it changes: every start and every answer about a place asks for it.

A deep queue is put in order now and then only, for sorting ten thousand runs takes longer than starting one. Between
two sorts it is served from the head of the last order, and what came since is looked at beside it.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from lodestream_server.engine.fairness import Shares
from lodestream_server.engine.queue import Waiting, in_order, level
from lodestream_server.runs.states import Priority

#: Up to that many are put in order whenever something changed: well below a millisecond.
_SHALLOW = 100
#: How many of a deep queue's first may be passed over because they do not fit.
_HEADS = 32
#: An order is good for so long, and for so many times as long as it took to make: a twentieth of the time is sorting.
_FRESH_S, _SHARE = 1.0, 20


class Line:
    """Waiting runs by id, and the order in which they come."""

    def __init__(self) -> None:
        self._queue: dict[str, Waiting] = {}
        self._by_priority: Counter[Priority] = Counter()
        self._arrived: dict[str, Waiting] = {}
        self._order: list[Waiting] = []
        self._begin = 0
        self._outdated = True
        self._made: datetime | None = None
        self._took_s = 0.0

    def __len__(self) -> int:
        return len(self._queue)

    def get(self, run_id: str) -> Waiting | None:
        """The run, if it waits."""
        return self._queue.get(run_id)

    def put(self, waiting: Waiting) -> None:
        """Adds a run, or takes note of what changed about it."""
        self.drop(waiting.run_id)
        self._queue[waiting.run_id] = self._arrived[waiting.run_id] = waiting
        self._by_priority[waiting.priority] += 1
        self._outdated = True

    def drop(self, run_id: str) -> None:
        """Takes a run out; absent is fine."""
        if (gone := self._queue.pop(run_id, None)) is not None:
            self._arrived.pop(run_id, None)
            self._by_priority[gone.priority] -= 1
            self._outdated = True

    @property
    def deep(self) -> bool:
        """Whether its order may be a little old."""
        return len(self._queue) > _SHALLOW

    def as_urgent(self, priority: Priority) -> int:
        """How many wait that are as urgent or more, whatever their age."""
        return sum(count for other, count in self._by_priority.items() if other >= priority)

    def in_order(self, now: datetime, shares: Shares) -> list[Waiting]:
        """All that wait, the next first."""
        self._sort(now, shares)
        known = [waiting for waiting in islice(self._order, self._begin, None) if self._waits(waiting)]
        return known + list(self._arrived.values())

    def candidates(self, now: datetime, shares: Shares) -> Sequence[Waiting]:
        """Those among whom the next one is."""
        if not self.deep:
            return list(self._queue.values())
        self._sort(now, shares)
        heads = list(islice(self._heads(), _HEADS))
        lowest = min((level(waiting, now) for waiting in heads[:1]), default=0)
        tenants = {waiting.tenant_id for waiting in heads}
        return heads + [
            waiting
            for waiting in self._arrived.values()
            if level(waiting, now) > lowest or waiting.tenant_id not in tenants
        ]

    def everybody(self) -> Mapping[str, Waiting]:
        """All that wait, by id."""
        return self._queue

    def _heads(self) -> Iterator[Waiting]:
        while self._begin < len(self._order) and not self._waits(self._order[self._begin]):
            self._begin += 1
        return (waiting for waiting in islice(self._order, self._begin, None) if self._waits(waiting))

    def _waits(self, waiting: Waiting) -> bool:
        return self._queue.get(waiting.run_id) is waiting

    def _sort(self, now: datetime, shares: Shares) -> None:
        fresh = timedelta(seconds=max(_FRESH_S, _SHARE * self._took_s))
        stale = self._made is None or not timedelta() <= now - self._made < fresh
        if not stale and (self.deep or not self._outdated):
            return
        begin = time.perf_counter()
        self._order = in_order(self._queue.values(), now, shares.used_s(now))
        self._took_s = time.perf_counter() - begin
        self._made, self._begin, self._outdated = now, 0, False
        self._arrived.clear()
