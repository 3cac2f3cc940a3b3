"""What a start finds at work, while the end of one run already decides about another."""

import sqlite3
import threading
from pathlib import Path

from lodestream_server.engine import recovery
from lodestream_server.runs.batch import Batch, FailurePolicy, Step
from lodestream_server.runs.bodies import CancelRequested, Queued, Started, Submitted
from lodestream_server.runs.states import RunKind, State
from lodestream_server.store.appending import Fact, append, begin
from lodestream_server.store.batches import add_batch
from lodestream_server.store.store import DATABASE, Store
from lodestream_server.store.writer import Transaction

from tests.integration.clocks import ManualClock
from tests.integration.engine_world import SCOPE
from tests.integration.played_pool import PlayedPool, played_engine

BATCH = "batch-1"
FIRST, SECOND = "op-first", "op-second"


async def _left_behind(data_dir: Path) -> None:
    """Two operations at work, the first of which was told to stop, in a batch that stops at the first failure."""
    now, tenant, project = ManualClock().now(), SCOPE.tenant_id, SCOPE.project_id

    def job(tx: Transaction) -> None:
        for pid, run_id in enumerate((FIRST, SECOND), start=1):
            asked = Submitted(tenant, project, RunKind.OPERATION, "Gate", run_id, (), batch_id=BATCH)
            begin(tx, run_id, [Fact(asked, now), Fact(Queued(), now)])
            append(tx, run_id, [Fact(Started(1, "node", pid, f"exec-{pid}"), now)])
        append(tx, FIRST, [Fact(CancelRequested("ann"), now)])
        steps = tuple(Step(run_id, run_id) for run_id in (FIRST, SECOND))
        add_batch(tx, Batch(BATCH, tenant, project, "batch", now, steps, policy=FailurePolicy(True)))

    store = await Store.open(data_dir)
    await store.write(job)
    await store.close()


async def test_a_start_bears_that_one_run_s_end_stops_another_that_it_has_not_reached_yet(tmp_path, monkeypatch):
    """The first is cancelled, so its batch cancels the second, while the start still looks for the second's worker."""
    data_dir = tmp_path / "data"
    await _left_behind(data_dir)
    stopped = threading.Event()

    def look_for_worker(pid: int, owner: str) -> bool:
        with sqlite3.connect(data_dir / DATABASE) as reader:
            for _ in range(2000 if pid == 2 else 0):
                if reader.execute("SELECT state FROM runs WHERE run = ?", (SECOND,)).fetchone() == ("CANCELLING",):
                    stopped.set()
                    break
                stopped.wait(0.005)
        return False

    monkeypatch.setattr(recovery, "end_orphan", look_for_worker)
    engine = await played_engine(data_dir, PlayedPool(1), ManualClock())
    try:
        runs = [await engine.ended(SCOPE, run_id) for run_id in (FIRST, SECOND)]
    finally:
        await engine.close()
    assert stopped.is_set()
    assert [run.state for run in runs] == [State.CANCELLED] * 2
    assert runs[1].cancel is not None
    assert runs[1].cancel.by == "batch"
