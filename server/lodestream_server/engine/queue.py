"""Who is next. Pure: the dispatcher asks it whenever a seat is free; the same order gives positions and expected
starts.

The order is: level, then the tenant that had least of the machine lately, then the turn within the tenant. A run's
level is its priority, raised by one for every `AGEING_S` it waits; within a level its turn is when it came, and each
priority counts as having come `AGEING_S` earlier. So whatever keeps coming, a run is at the highest level after
three times that, its own tenant's runs that may still go before it are finitely many, and the others alternate.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from lodestream_server.runs.bodies import Resources
from lodestream_server.runs.states import Priority

#: Waiting for so long is worth one priority: ten minutes are a long wait for somebody who looks at a screen.
AGEING_S = 600.0
#: A run that does not fit lets smaller ones pass for so long, then the machine is kept free for it.
PATIENCE_S = 60.0
#: What a run of unknown length counts for in the shares of the tenants.
NOMINAL_S = 60.0

_NONE: Mapping[str, float] = MappingProxyType({})
_Key = tuple[int, float, float, str]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued run, as far as its turn is concerned. `front`: before everything else of its priority."""

    run_id: str
    tenant_id: str
    priority: Priority
    queued_at: datetime
    resources: Resources
    project_id: str = ""
    front: bool = False
    expected_s: float | None = None
    epoch: int = 0

    @property
    def cost_s(self) -> float:
        """What its start is charged to its tenant."""
        return NOMINAL_S if self.expected_s is None else self.expected_s


@dataclass(frozen=True, slots=True)
class Capacity:
    """What is free on the machine."""

    seats: int
    cpu_units: float = math.inf
    memory_bytes: float = math.inf

    def fits(self, asked: Resources) -> bool:
        """Whether a run that asks for so much can start."""
        # Units are added and taken away as floats: a thousandth of a core is no reason to wait.
        roomy = asked.cpu_units <= self.cpu_units + 0.001
        return self.seats > 0 and roomy and asked.memory_bytes <= self.memory_bytes


def choose(
    queue: Iterable[Waiting], capacity: Capacity, now: datetime, used_s: Mapping[str, float] = _NONE
) -> Waiting | None:
    """The run to start next; None when nothing fits. `used_s`: what each tenant had of the machine lately."""
    if capacity.seats <= 0:
        return None
    left = [(_key(waiting, now, used_s.get(waiting.tenant_id, 0.0)), waiting) for waiting in queue]
    heapq.heapify(left)
    while left:
        _, waiting = heapq.heappop(left)
        if capacity.fits(waiting.resources):
            return waiting
        if _waited_s(waiting, now) >= PATIENCE_S:
            return None
    return None


def in_order(queue: Iterable[Waiting], now: datetime, used_s: Mapping[str, float] = _NONE) -> list[Waiting]:
    """The queue in the order in which runs would start if no more came and all fitted."""
    return list(_starts(_lines(queue, now), now, dict(used_s)))


def level(waiting: Waiting, now: datetime) -> int:
    """Its priority, raised by its age."""
    return min(int(Priority.CRITICAL), waiting.priority + int(_waited_s(waiting, now) // AGEING_S))


def expected_starts(
    order: Sequence[Waiting],
    durations_s: Mapping[str, float | None],
    remaining_s: Sequence[float | None],
    seats: int,
    now: datetime,
) -> dict[str, datetime]:
    """When each should start: seats become free as running work ends, and are filled in order.

    `durations_s` by run id, `remaining_s` of what is running. From the first unknown on nothing can be said.
    """
    if seats <= 0 or any(left is None for left in remaining_s):
        return {}
    free_at = [left for left in remaining_s if left is not None] + [0.0] * max(0, seats - len(remaining_s))
    heapq.heapify(free_at)
    starts: dict[str, datetime] = {}
    for waiting in order:
        start_s = heapq.heappop(free_at)
        starts[waiting.run_id] = now + timedelta(seconds=start_s)
        if (duration_s := durations_s.get(waiting.run_id)) is None:
            break
        heapq.heappush(free_at, start_s + duration_s)
    return starts


def _lines(queue: Iterable[Waiting], now: datetime) -> dict[str, list[Waiting]]:
    """Each tenant's own order, last one first, so that the next is popped from the end."""
    lines: dict[str, list[Waiting]] = {}
    for waiting in queue:
        lines.setdefault(waiting.tenant_id, []).append(waiting)
    for line in lines.values():
        line.sort(key=lambda waiting: _key(waiting, now, 0.0), reverse=True)
    return lines


def _starts(lines: dict[str, list[Waiting]], now: datetime, used_s: dict[str, float]) -> Iterator[Waiting]:
    heads = [(_key(line[-1], now, used_s.get(tenant, 0.0)), tenant) for tenant, line in lines.items()]
    heapq.heapify(heads)
    while heads:
        _, tenant = heapq.heappop(heads)
        line = lines[tenant]
        waiting = line.pop()
        yield waiting
        used_s[tenant] = used_s.get(tenant, 0.0) + waiting.cost_s
        if line:
            heapq.heappush(heads, (_key(line[-1], now, used_s[tenant]), tenant))


def _key(waiting: Waiting, now: datetime, used_s: float) -> _Key:
    return -level(waiting, now), used_s, _turn_s(waiting), waiting.run_id


def _turn_s(waiting: Waiting) -> float:
    earlier = 3 * AGEING_S if waiting.front else 0.0
    return waiting.queued_at.timestamp() - waiting.priority * AGEING_S - earlier


def _waited_s(waiting: Waiting, now: datetime) -> float:
    return max(0.0, (now - waiting.queued_at) / timedelta(seconds=1))
