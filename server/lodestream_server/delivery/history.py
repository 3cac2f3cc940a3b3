"""Where an endpoint stands with a run, found again from the log: after a restart, and for a delivery sent again.

Retention may have cut the log of a run that has ended; its end is there still, and is told.
"""

import asyncio
from collections.abc import Sequence
from functools import reduce

from lodestream.errors import RunNotFound
from lodestream_server.delivery.endpoints import Wishes
from lodestream_server.delivery.tellings import Telling, Told, ending, step
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import replay
from lodestream_server.store.reading import events_of
from lodestream_server.store.store import Store


async def told_up_to(store: Store, wishes: Wishes, run_id: str, sequence: int) -> Told:
    """The stand after that event of the run, folded from its first; cut when some of them are gone."""
    if sequence == 0:
        return Told()
    events = await _events(store, run_id, sequence)
    if len(events) < sequence:
        return Told(cut=True)
    # A long story takes a while to fold; others have their turn meanwhile.
    return await asyncio.to_thread(_fold, wishes, events)


async def see(store: Store, wishes: Wishes, told: Told, event: Event) -> tuple[Told, Telling | None]:
    """The next stand, and what the event gives to tell. Raises RunNotFound."""
    if told.reaches(event):
        return step(wishes, told, event)
    run = await store.run(event.run_id)
    return Told(run, cut=True), ending(wishes, run, event)


async def telling_of(store: Store, word: str, run_id: str, sequence: int) -> Telling | None:
    """What was told about that event; None when the log no longer holds what it takes to say it again."""
    events = await _events(store, run_id, sequence)
    if len(events) == sequence:
        return Telling(word, events[-1], await asyncio.to_thread(replay, events))
    if not events or events[-1].sequence != sequence or not events[-1].ends_run:
        return None
    try:
        return Telling(word, events[-1], await store.run(run_id))
    except RunNotFound:
        return None


async def _events(store: Store, run_id: str, sequence: int) -> tuple[Event, ...]:
    """What is kept of the run up to that event."""
    events = await store.read(lambda db: events_of(db, run_id, 0, None, sequence))
    return tuple(event for event in events if event.sequence <= sequence)


def _fold(wishes: Wishes, events: Sequence[Event]) -> Told:
    return reduce(lambda told, event: step(wishes, told, event)[0], events, Told())
