"""The callbacks of a batch: its start, each operation's end, its own end."""

from lodestream_server.delivery import rows
from lodestream_server.delivery.endpoints import Kind
from lodestream_server.runs.batch import Batch, Step
from lodestream_server.runs.bodies import Cancelled, Completed, Failed, Queued, Receipt
from lodestream_server.store.appending import Fact, begin
from lodestream_server.store.batches import add_batch

from tests.integration.delivery_world import (
    CLOCK,
    SCOPE,
    World,
    delivering,
    done,
    eventually,
    receiving,
    steps,
    submitted,
    tell,
)


async def _batch(world: World, callbacks: dict[str, str], *run_ids: str) -> Batch:
    steps = tuple(Step(run_id, run_id) for run_id in run_ids)
    batch = Batch("batch-1", SCOPE.tenant_id, SCOPE.project_id, "Nightly", CLOCK.now(), steps, callbacks=callbacks)
    facts = [
        (run_id, [Fact(queued, CLOCK.now()) for queued in (submitted(name=run_id, batch_id="batch-1"), Queued())])
        for run_id in run_ids
    ]

    def job(tx):
        for run_id, bodies in facts:
            begin(tx, run_id, bodies)
        return add_batch(tx, batch)

    return await world.store.write(job)


async def test_a_batch_calls_at_its_start_at_each_operations_end_and_at_its_own(tmp_path):
    """Once each, whatever became of the operations; the batch's end says how it ended."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        names = ("onBatchStart", "onOperationComplete", "onBatchComplete")
        await _batch(world, {name: receiver.url(f"/{name}") for name in names}, "op-1", "op-2", "op-3")
        await tell(world.store, "op-1", *steps(2), Completed())
        await tell(world.store, "op-2", *steps(1)[:2], Failed("BAD_INPUT", "no rows"))
        await receiver.until(lambda r: len(r.got) == 3)
        await tell(world.store, "op-3", Cancelled(Receipt("none")))
        await receiver.until(lambda r: len(r.got) == 5)
    by_path: dict[str, list[dict]] = {}
    for one in receiver.got:
        by_path.setdefault(one.path, []).append(one.said)
    (start,), ends, (end,) = (by_path[f"/{name}"] for name in names)
    assert (start["event"], start["status"]) == ("batch.started", "Running")
    assert [(one["operationId"], one["event"]) for one in ends] == [
        ("op-1", "operation.completed"),
        ("op-2", "operation.failed"),
        ("op-3", "operation.cancelled"),
    ]
    assert (end["event"], end["status"], end["name"]) == ("batch.completed", "Failed", "Nightly")
    assert {one["batchId"] for one in (start, *ends, end)} == {"batch-1"}


async def test_a_batchs_callbacks_go_on_after_a_restart(tmp_path):
    """What was told before is not told again."""
    async with receiving() as receiver:
        async with delivering(tmp_path) as world:
            await _batch(world, {"onOperationComplete": receiver.url()}, "op-1", "op-2")
            await tell(world.store, "op-1", *steps(1), Completed())

            async def settled():
                found = await world.store.read(lambda db: rows.of_run(db, "batch-1", Kind.BATCH_CALLBACK))
                return found and found[0].stats.delivered

            await eventually(settled)
        async with delivering(tmp_path) as world:
            await tell(world.store, "op-2", *steps(1), Completed())
            await done(world, "batch-1", Kind.BATCH_CALLBACK)
    assert [one.said["operationId"] for one in receiver.got] == ["op-1", "op-2"]
