"""Where an endpoint stands with a run, found again from the log: after a restart, and for a delivery sent again."""

import asyncio
from collections.abc import Sequence
from functools import reduce

from lodestream.errors import RunNotFound
from lodestream_server.delivery.endpoints import Wishes
from lodestream_server.delivery.tellings import Telling, Told, step
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import replay
from lodestream_server.store.reading import events_of
from lodestream_server.store.store import Store


async def told_up_to(store: Store, wishes: Wishes, run_id: str, sequence: int) -> Told:
    """The stand after that event of the run, folded from its first. Raises RunNotFound when that is gone."""
    if sequence == 0:
        return Told()
    events = await store.read(lambda db: events_of(db, run_id, 0, None, sequence))
    if len(events) < sequence:
        raise RunNotFound("The beginning of the run's log is no longer kept.")
    # A long story takes a while to fold; others have their turn meanwhile.
    return await asyncio.to_thread(_fold, wishes, events)


async def telling_of(store: Store, word: str, run_id: str, sequence: int) -> Telling | None:
    """What was told about that event; None when the log no longer holds it."""
    events = await store.read(lambda db: events_of(db, run_id, 0, None, sequence))
    if len(events) < sequence or events[0].sequence != 1:
        return None
    return Telling(word, events[-1], await asyncio.to_thread(replay, events))


def _fold(wishes: Wishes, events: Sequence[Event]) -> Told:
    return reduce(lambda told, event: step(wishes, told, event)[0], events, Told())
