"""Who is next. Pure: the dispatcher asks it whenever a seat is free; the same order gives positions and expected
starts."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lodestream_server.runs.bodies import Resources
from lodestream_server.runs.states import Priority


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued run, as far as its turn is concerned."""

    run_id: str
    tenant_id: str
    priority: Priority
    queued_at: datetime
    resources: Resources


@dataclass(frozen=True, slots=True)
class Capacity:
    """What is free on the machine."""

    seats: int


def choose(queue: Iterable[Waiting], capacity: Capacity, now: datetime) -> Waiting | None:
    """The run to start next; None when nothing fits."""
    return min(queue, key=_turn, default=None) if capacity.seats > 0 else None


def in_order(queue: Iterable[Waiting], now: datetime) -> list[Waiting]:
    """The queue in the order in which runs would start if no more came."""
    return sorted(queue, key=_turn)


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


def _turn(waiting: Waiting) -> tuple[int, datetime, str]:
    return -waiting.priority, waiting.queued_at, waiting.run_id
