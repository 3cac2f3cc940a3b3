"""Callers that go away while something is stored, and sends that are repeated when things have changed: what is
committed is whole, and stays the answer."""

import asyncio
import threading
from functools import partial

import pytest
from lodestream_server.engine.batches import NewBatch, NewStep
from lodestream_server.engine.datasets import NewDataset
from lodestream_server.engine.models import RetryOrder
from lodestream_server.engine.resources import NewResource
from lodestream_server.executors.port import Assignment
from lodestream_server.runs.bodies import ResourceRef
from lodestream_server.runs.states import RunKind, State
from lodestream_server.store.paging import PageRequest
from lodestream_server.store.quotas import Quotas
from lodestream_server.store.requests import RequestId

from lodestream.errors import IdempotencyKeyReused, QuotaExceeded, ServerDraining, UnknownResource
from tests.integration.clocks import ManualClock
from tests.integration.engine_world import SCOPE, engine_at, job
from tests.integration.played_pool import PlayedPool, PlayedSeat, played_engine

MODEL = NewResource(SCOPE, "Model", "A model", content=b"<pnml><net/></pnml>")


async def _left_by_its_caller(engine, call):
    """The call, whose caller goes away between the commit's beginning and its end."""
    held, begun = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(_tx):
        loop.call_soon_threadsafe(begun.set)
        held.wait(30)

    holding = asyncio.create_task(engine.store.write(hold))
    await begun.wait()
    calling = asyncio.create_task(call)
    while engine.store._writer._items.empty():  # noqa: ASYNC110  # its job waits for the one that is held
        await asyncio.sleep(0.005)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    held.set()
    await holding
    await engine.store.write(lambda _tx: None)


async def test_what_is_committed_has_its_file_though_its_caller_went_away(tmp_path):
    """A dataset, a resource, and what a retry takes over."""
    async with engine_at(tmp_path) as engine:
        async with await engine.datasets.upload(NewDataset(SCOPE, "A log", "log.csv")) as upload:
            await upload.write(b"case,activity\n1,a\n")
            await _left_by_its_caller(engine, upload.finish())
        (dataset,) = (await engine.datasets.list(SCOPE, PageRequest())).items
        assert engine.store.files.dataset(dataset.dataset_id).read_bytes() == b"case,activity\n1,a\n"

        await _left_by_its_caller(engine, engine.resources.register(MODEL))
        (resource,) = (await engine.resources.list(SCOPE, PageRequest())).items
        assert engine.store.files.resource(resource.resource_id).read_bytes() == MODEL.content

        origin = (await engine.submit(job("Mend", ledger=tmp_path / "ledger", failures=1))).run.run_id
        assert (await engine.ended(SCOPE, origin)).state is State.FAILED
        await _left_by_its_caller(engine, engine.retrying.retry(SCOPE, origin, RetryOrder("ann")))
        (new,) = [one for one in engine.store.files.run_ids() if one != origin]
        ended = await engine.ended(SCOPE, new)
        assert [(phase.name, phase.kept) for phase in ended.phases] == [("First", True), ("Mend", False)]


async def test_a_send_is_answered_again_though_what_it_referred_to_has_gone(tmp_path):
    """And while the server drains; another body under the same id stays refused."""
    request = RequestId("here", "once", b"body")
    async with engine_at(tmp_path) as engine:
        pipeline = await engine.resources.register(NewResource(SCOPE, "Pipeline", "A pipeline", job_type="Count"))
        new = partial(job, "Count", resource=ResourceRef("Pipeline", pipeline.resource_id, ""))
        first = await engine.submit(new(request=request))
        steps = (NewStep("only", job("Count", kind=RunKind.OPERATION)),)
        group = NewBatch(SCOPE, "A batch", steps, request=RequestId("here", "batch", b"body"))
        batch = await engine.groups.submit(group)
        await engine.ended(SCOPE, first.run.run_id)
        await engine.resources.delete(SCOPE, pipeline.resource_id)
        again = await engine.submit(new(request=request))
        assert (again.run.run_id, again.repeated) == (first.run.run_id, True)
        with pytest.raises(UnknownResource):
            await engine.submit(new())
        with pytest.raises(IdempotencyKeyReused):
            await engine.submit(new(request=RequestId("here", "once", b"another")))
        await engine.drain(0.0)
        assert (await engine.submit(new(request=request))).run.run_id == first.run.run_id
        assert (await engine.groups.submit(group)).batch == batch.batch
        with pytest.raises(ServerDraining):
            await engine.submit(job("Count"))


@pytest.mark.parametrize("keep_original", [True, False])
async def test_a_retry_that_is_sent_again_gives_the_same_answer_though_its_input_has_gone(tmp_path, keep_original):
    """The same run with the same that it took over; nothing is validated or linked a second time."""
    async with engine_at(tmp_path) as engine:
        async with await engine.datasets.upload(NewDataset(SCOPE, "A log", "log.csv")) as upload:
            await upload.write(b"case,activity\n1,a\n")
            dataset_id = (await upload.finish()).dataset_id
        new = job("Mend", ledger=tmp_path / "ledger", failures=1, datasetId=dataset_id)
        origin = await engine.ended(SCOPE, (await engine.submit(new)).run.run_id)
        order = RetryOrder("ann", keep_original=keep_original, request=RequestId("here", "once", b"body"))
        first = await engine.retrying.retry(SCOPE, origin.run_id, order)
        assert (first.phases, first.first_phase) == (("First",), "Mend")
        assert (await engine.ended(SCOPE, first.submission.run.run_id)).state is State.COMPLETED
        await engine.datasets.delete(SCOPE, dataset_id)
        await engine.drain(0.0)
        again = await engine.retrying.retry(SCOPE, origin.run_id, order)
        assert again.submission.repeated
        assert again.submission.run.run_id == first.submission.run.run_id
        shown = [(one.phases, one.records, one.percent, one.first_phase) for one in (first, again)]
        assert shown[0] == shown[1]
        other = RetryOrder("ann", request=RequestId("here", "once", b"another"))
        with pytest.raises(IdempotencyKeyReused):
            await engine.retrying.retry(SCOPE, origin.run_id, other)


async def test_a_batch_beyond_the_quota_says_when_to_come_back(tmp_path):
    """Nothing of it is begun; it is not the fault of one of its operations."""
    async with engine_at(tmp_path, quotas=Quotas(waiting_runs=2)) as engine:
        steps = tuple(NewStep(str(number), job("Count", kind=RunKind.OPERATION)) for number in range(3))
        with pytest.raises(QuotaExceeded, match=r"^2 runs of this tenant wait already") as caught:
            await engine.groups.submit(NewBatch(SCOPE, "A batch", steps))
        assert caught.value.retry_after_s == 5.0
        assert sum((await engine.counters(SCOPE, RunKind.OPERATION)).values()) == 0


async def test_an_order_that_cannot_be_sent_ends_the_run(tmp_path, monkeypatch):
    """It must not stay at work for ever, with nobody at it."""

    async def too_large(self: PlayedSeat, assignment: Assignment) -> None:
        raise ValueError("a frame may hold 64 MiB")

    monkeypatch.setattr(PlayedSeat, "begin", too_large)
    engine = await played_engine(tmp_path, PlayedPool(1), ManualClock())
    try:
        run = await engine.ended(SCOPE, (await engine.submit(job("Count"))).run.run_id)
        assert run.failure is not None
        assert (run.state, run.failure.reason) == (State.FAILED, "INTERNAL")
        assert "frame" not in run.failure.message
    finally:
        await engine.close()
