"""Readers that are cut off in the middle of a stream; tests/acceptance does it a thousand times."""

from pathlib import Path

from tests.integration.disconnects import cut_off


async def test_readers_that_are_cut_off_hear_every_event_once(tmp_path: Path):
    """Over both doors: no gap and no repeat on the wire, before any client could hide one."""
    heard = await cut_off(tmp_path, cuts=60, seed=4)
    assert heard.cuts == 60
    assert heard.connections > 60
    assert set(heard.numbers) == {tuple(range(1, heard.events + 1))}
