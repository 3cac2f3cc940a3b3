"""What one tenant may take of the store: counted where it is written, the same for every way to write it."""

import asyncio

import pytest
from lodestream_server.engine.datasets import NewDataset
from lodestream_server.engine.models import CancelOrder
from lodestream_server.engine.resources import NewResource
from lodestream_server.store.quotas import Quotas
from lodestream_server.store.reading import Scope
from lodestream_server.store.requests import RequestId

from lodestream.errors import QuotaExceeded
from tests.integration.engine_world import SCOPE, engine_at, job, until

OTHER = Scope("33333333-3333-4333-8333-333333333333", SCOPE.project_id)


async def store(engine, content, scope=SCOPE):
    """A stored dataset."""
    async with await engine.datasets.upload(NewDataset(scope, "A log", "log.csv")) as upload:
        await upload.write(content)
        return await upload.finish()


async def test_no_more_runs_wait_than_may(tmp_path):
    """However many are sent at once; those at work do not count, nor do other tenants' runs."""
    gate = tmp_path / "gate"
    async with engine_at(tmp_path / "data", seats=1, quotas=Quotas(waiting_runs=3)) as engine:
        first = (await engine.submit(job("OnlyWait", gate=gate))).run.run_id
        await until(engine, first, "phase-started")
        sent = await asyncio.gather(*(engine.submit(job("Count")) for _ in range(8)), return_exceptions=True)
        refused = [one for one in sent if isinstance(one, QuotaExceeded)]
        assert len(refused) == 5
        assert {(one.retry_after_s, "3 runs of this tenant wait" in one.message) for one in refused} == {(5.0, True)}
        await engine.submit(job("Count", scope=OTHER))
        waiting = next(one for one in sent if not isinstance(one, BaseException))
        await engine.cancel(SCOPE, waiting.run.run_id, CancelOrder())
        await engine.submit(job("Count"))
        gate.touch()


async def test_a_send_that_is_repeated_needs_no_room(tmp_path):
    """The run is there already."""
    request = RequestId("here", "once", b"body")
    gate = tmp_path / "gate"
    async with engine_at(tmp_path / "data", seats=1, quotas=Quotas(waiting_runs=1)) as engine:
        await until(engine, (await engine.submit(job("OnlyWait", gate=gate))).run.run_id, "phase-started")
        first = await engine.submit(job("Count", request=request))
        again = await engine.submit(job("Count", request=request))
        assert (again.run.run_id, again.repeated) == (first.run.run_id, True)
        gate.touch()


async def test_datasets_of_a_tenant_take_no_more_than_they_may(tmp_path):
    """Over all its projects; deleting one makes room; nothing of a refused one stays."""
    elsewhere = Scope(SCOPE.tenant_id, OTHER.project_id)
    async with engine_at(tmp_path, quotas=Quotas(dataset_bytes=100)) as engine:
        first = await store(engine, b"a" * 60)
        with pytest.raises(QuotaExceeded, match="take 60 bytes and may take 100; there is no room for 41 more"):
            await store(engine, b"a" * 41, elsewhere)
        await store(engine, b"a" * 40, elsewhere)
        with pytest.raises(QuotaExceeded) as caught:
            await engine.datasets.upload(NewDataset(SCOPE, "One byte more", "log.csv"))
        assert caught.value.retry_after_s
        await store(engine, b"a" * 100, OTHER)
        assert len([*(tmp_path / "datasets").iterdir()]) == 3
        assert [*(tmp_path / "uploads").iterdir()] == []
        await engine.datasets.delete(SCOPE, first.dataset_id)
        await store(engine, b"a" * 60)


async def test_files_of_resources_count_with_the_datasets(tmp_path):
    """A notebook takes room like a log, and gives it back when it is deleted."""
    async with engine_at(tmp_path, quotas=Quotas(dataset_bytes=100)) as engine:
        await store(engine, b"a" * 60)
        model = NewResource(SCOPE, "Model", "A model", content=b"<pnml><net/></pnml>".ljust(40))
        kept = await engine.resources.register(model)
        with pytest.raises(QuotaExceeded, match="datasets and resources of this tenant take 100 bytes"):
            await engine.resources.register(model)
        with pytest.raises(QuotaExceeded, match="no room for 1 more"):
            await store(engine, b"a")
        assert [one.name for one in (tmp_path / "resources").iterdir()] == [kept.resource_id]
        await engine.resources.delete(SCOPE, kept.resource_id)
        await engine.resources.register(model)


async def test_what_is_declared_too_large_is_refused_before_it_comes(tmp_path):
    """An upload of a terabyte need not be sent to learn that."""
    async with engine_at(tmp_path, quotas=Quotas(dataset_bytes=100)) as engine:
        with pytest.raises(QuotaExceeded, match="no room for 101 more"):
            await engine.datasets.upload(NewDataset(SCOPE, "A log", "log.csv", declared_bytes=101))
