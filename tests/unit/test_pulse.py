"""The shared tail of a watched run: everybody hears everything, nobody holds the others up."""

import asyncio
from typing import Any

import pytest
from lodestream_server.runs.bodies import Logged
from lodestream_server.services.pulse import KEPT, Pulses

from tests.unit import runs_world


class Source:
    """A tail that a test feeds."""

    def __init__(self):
        self.batches: asyncio.Queue[Any] = asyncio.Queue()
        self.closed = asyncio.Event()
        self.opened_at = None

    async def tail(self, after):
        """See `Engine.batches`."""
        self.opened_at = after
        try:
            while (batch := await self.batches.get()) is not None:
                if isinstance(batch, Exception):
                    raise batch
                yield batch
        finally:
            self.closed.set()


def story(count):
    """That many events of a run."""
    return runs_world.story(*[Logged("INFO", "x")] * count)


async def heard(pulse, cursor, count):
    """The numbers of the next events after the cursor."""
    told: list[int] = []
    while len(told) < count:
        if new := pulse.after(cursor):
            told += [event.sequence for event in new]
            cursor = told[-1]
        else:
            await pulse.more()
    return told


async def test_all_watchers_hear_all_events():
    """In order, each once, from where they joined."""
    source, pulses, told = Source(), Pulses(), story(6)
    async with pulses.of("run", 2, source.tail) as first, pulses.of("run", 3, source.tail) as second:
        assert first is second
        listeners = asyncio.gather(heard(first, 2, 4), heard(second, 3, 3))
        for event in told[2:]:
            source.batches.put_nowait((event,))
        assert list(await listeners) == [[3, 4, 5, 6], [4, 5, 6]]
    assert source.opened_at == 2


async def test_a_slow_watcher_gets_what_waits_at_once():
    """One slice, however many batches it came in."""
    source, pulses, told = Source(), Pulses(), story(5)
    async with pulses.of("run", 0, source.tail) as pulse:
        for event in told:
            source.batches.put_nowait((event,))
        await heard(pulse, 0, 5)
        assert pulse.after(1) == tuple(told[1:])


async def test_who_fell_behind_the_window_is_told_so():
    """And goes to the store; the window stays bounded."""
    source, pulses, told = Source(), Pulses(), story(3 * KEPT)
    async with pulses.of("run", 0, source.tail) as pulse:
        source.batches.put_nowait(tuple(told[:KEPT]))
        await heard(pulse, 0, KEPT)
        source.batches.put_nowait(tuple(told[KEPT:]))
        while pulse.newest < 3 * KEPT:
            await pulse.more()
        assert pulse.after(0) is None
        assert len(pulse.after(2 * KEPT) or ()) == KEPT


async def test_silence_wakes_everybody_now_and_then():
    """An empty batch of the tail lets watchers look at the clock."""
    source, pulses = Source(), Pulses()
    async with pulses.of("run", 0, source.tail) as pulse:
        waiting = asyncio.create_task(pulse.more())
        await asyncio.sleep(0)
        source.batches.put_nowait(())
        await waiting
        assert pulse.after(0) == ()


async def test_the_last_watcher_turns_the_tail_off():
    """And the next one starts a new one."""
    source, pulses = Source(), Pulses()
    async with pulses.of("run", 0, source.tail) as pulse:
        await asyncio.sleep(0)
    assert source.closed.is_set()
    again = Source()
    async with pulses.of("run", 4, again.tail) as later:
        await asyncio.sleep(0)
        assert later is not pulse
        assert again.opened_at == 4


async def test_a_watcher_that_is_cancelled_leaves_the_others_in_peace():
    """Its place in the row is just empty."""
    source, pulses, told = Source(), Pulses(), story(1)
    async with pulses.of("run", 0, source.tail) as pulse:
        leaving, staying = asyncio.create_task(pulse.more()), asyncio.create_task(heard(pulse, 0, 1))
        await asyncio.sleep(0)
        leaving.cancel()
        source.batches.put_nowait(tuple(told))
        assert await staying == [1]


async def test_what_ends_the_tail_reaches_every_watcher():
    """Also those who come to wait after it."""
    source, pulses = Source(), Pulses()
    async with pulses.of("run", 0, source.tail) as pulse:
        waiting = asyncio.create_task(heard(pulse, 0, 1))
        await asyncio.sleep(0)
        source.batches.put_nowait(OSError("the disk is gone"))
        with pytest.raises(OSError, match="the disk is gone"):
            await waiting
        with pytest.raises(OSError, match="the disk is gone"):
            await pulse.more()
