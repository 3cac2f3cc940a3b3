"""What the engine promises, hit by everything: ten thousand races, a fault at every write, servers killed at work."""

from pathlib import Path

import pytest
from lodestream_server.runs.states import State

from tests.integration.fault_points import live_through
from tests.integration.kills import survive
from tests.integration.races import Outcomes, race

pytestmark = pytest.mark.chaos
#: Runs per engine; the seeds make ten thousand of them.
_EACH = 500


@pytest.mark.timeout(900)
async def test_ten_thousand_races_end_once_each(tmp_path: Path):
    """One terminal event a run; the state told again from its events is the stored one, for each of them."""
    told = Outcomes()
    for seed in range(20):
        told += await race(tmp_path / str(seed), 1000 + seed, _EACH)
    print(told)  # noqa: T201  # shown by `pytest -s`; the figures go into the documentation
    assert sum(told.endings.values()) == 20 * _EACH
    assert set(told.endings) == {State.COMPLETED, State.FAILED, State.CANCELLED, State.TIMED_OUT}
    assert told.kinds.keys() >= {"blocked", "requeued", "retry-planned"}, "nothing raced with the ends of attempts"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", ["SQLITE_FULL", "SQLITE_IOERR"])
async def test_a_fault_at_every_write_breaks_no_promise(tmp_path: Path, monkeypatch, fault: str):
    """The first two hundred writes, one after the other: refused is not there, acknowledged ends."""
    struck = [await live_through(tmp_path / str(n), n, fault, monkeypatch) for n in range(1, 201)]
    assert struck[0]
    assert sum(struck) >= 50, "the small day writes less than it did"


@pytest.mark.timeout(1800)
async def test_two_hundred_kills_lose_nothing(tmp_path: Path):
    """No acknowledged run is lost, none is there twice, each ends once and its story has no hole."""
    await survive(tmp_path, kills=200, seed=7)
