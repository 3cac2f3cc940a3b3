"""What the project promises about streams whose connections break, and about readers that are too slow."""

from pathlib import Path

import pytest

from tests.integration.disconnects import cut_off
from tests.integration.stalled import cost_of_stalling

pytestmark = pytest.mark.chaos


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [21])
async def test_a_thousand_forced_disconnects_leave_no_gap_and_no_repeat(tmp_path: Path, seed: int):
    """Eight readers, half of them over REST; what is counted is what came over the wire."""
    heard = await cut_off(tmp_path, cuts=1000, seed=seed)
    assert heard.cuts == 1000
    assert set(heard.numbers) == {tuple(range(1, heard.events + 1))}, f"seed {seed}"


@pytest.mark.timeout(600)
async def test_readers_that_stall_cost_eight_megabytes_at_most_and_slow_nobody():
    """Eight of them, half over REST, beside a hundred that go on: against a server that has none."""
    cost = await cost_of_stalling(events=20_000, watchers=100, rounds=50)
    print(cost)  # noqa: T201  # shown by `pytest -s`; the figures go into the documentation
    assert cost.bytes_each <= 8 * 1024 * 1024, cost
    assert cost.dearer <= 0.1, cost
    assert cost.late == cost.added
