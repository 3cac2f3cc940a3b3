"""Readers that stop reading cost little; tests/acceptance adds that they slow nobody, which wants a quiet machine."""

from tests.integration.stalled import cost_of_stalling

LARGEST_BYTES = 8 * 1024 * 1024


async def test_a_reader_that_stops_reading_costs_next_to_nothing_and_misses_nothing():
    """Over both doors, with 12 MB to tell: far more than the 8 MB that it may cost."""
    cost = await cost_of_stalling(events=3_000, watchers=2, rounds=1)
    assert cost.bytes_each <= LARGEST_BYTES, cost
    assert cost.late == cost.added
