"""What the project promises about streams whose connections break, and about readers that are too slow."""

from pathlib import Path

import pytest

from tests.integration.disconnects import cut_off

pytestmark = pytest.mark.chaos


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [21])
async def test_a_thousand_forced_disconnects_leave_no_gap_and_no_repeat(tmp_path: Path, seed: int):
    """Eight readers, half of them over REST; what is counted is what came over the wire."""
    heard = await cut_off(tmp_path, cuts=1000, seed=seed)
    assert heard.cuts == 1000
    assert set(heard.numbers) == {tuple(range(1, heard.events + 1))}, f"seed {seed}"
