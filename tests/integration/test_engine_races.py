"""Cancel, completion, failure, death, retry and time limit at the same moment: one of them ends the run, and the log
says which. The long version is in `tests/acceptance`."""

from pathlib import Path

import pytest
from lodestream_server.runs.states import State

from tests.integration.clocks import ManualClock
from tests.integration.engine_world import SCOPE, job
from tests.integration.played_pool import PlayedPool, played_engine
from tests.integration.races import race


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_wins_the_run_ends_once(tmp_path: Path, seed: int):
    """Runs by the hundred, each hit by a random few of everything at once: one ending each, and log and state agree."""
    told = await race(tmp_path, seed, 250)
    assert sum(told.endings.values()) == 250
    assert set(told.endings) >= {State.COMPLETED, State.FAILED, State.CANCELLED}
    assert told.kinds.keys() >= {"blocked", "requeued", "retry-planned"}, "the races were none"


async def test_what_the_fold_refuses_fails_the_run_instead_of_leaving_it(tmp_path: Path):
    """A worker that speaks of a phase the run does not have is a fault, and the run hears of it."""
    pool = PlayedPool(1)
    engine = await played_engine(tmp_path, pool, ManualClock())
    run_id = (await engine.submit(job("Count"))).run.run_id
    run = await engine.ended(SCOPE, run_id)
    assert run.failure is not None
    assert (run.state, run.failure.reason) == (State.FAILED, "INTERNAL")
    assert pool.free == 1
    await engine.close()
