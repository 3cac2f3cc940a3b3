"""What is old goes, and nothing that somebody needs goes with it. On a clock that a test moves."""

import asyncio
import json
import sqlite3
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from lodestream_server.delivery.endpoints import Registration, Wishes
from lodestream_server.engine.batches import NewBatch, NewStep
from lodestream_server.engine.datasets import NewDataset
from lodestream_server.engine.keeping import Keep, Policy
from lodestream_server.engine.models import CancelOrder, RetryOrder
from lodestream_server.runs.codec import dump
from lodestream_server.runs.events import ALONG_THE_WAY
from lodestream_server.runs.states import RunKind
from lodestream_server.settings import ServerSettings
from lodestream_server.store.reading import Scope
from lodestream_server.store.requests import RequestId
from lodestream_server.store.retention import runs_with_events, too_many
from lodestream_server.store.schema import prepare
from lodestream_server.store.store import DATABASE

from lodestream.errors import DatasetNotFound
from lodestream.v1 import batch_pb2, common_pb2, job_pb2
from lodestream.v1.batch_pb2_grpc import BatchServiceStub
from lodestream.v1.job_pb2_grpc import JobServiceStub
from tests.contract.workloads import CATALOGUE as WORKLOADS
from tests.integration.clocks import ManualClock
from tests.integration.engine_world import SCOPE, engine_at, job, kinds, until
from tests.support.server import running_server

OTHER = Scope("33333333-3333-4333-8333-333333333333", SCOPE.project_id)
DAY = 86_400


def keeping(tenants=None, **keep):
    """A policy whose task sleeps: tests sweep themselves."""
    return Policy(Keep(**keep), tenants or {}, every_s=10_000 * DAY)


async def store(engine, size, scope=SCOPE):
    """The id of a stored dataset."""
    async with await engine.datasets.upload(NewDataset(scope, "A log", "log.csv")) as upload:
        await upload.write(b"a" * size)
        return (await upload.finish()).dataset_id


async def finished(engine, type_="Count", **given):
    """The id of a run that has ended."""
    run_id = (await engine.submit(job(type_, **given))).run.run_id
    return (await engine.ended(given.get("scope", SCOPE), run_id)).run_id


async def completed(engine, run_id):
    """What the run's phases gave."""
    return [event.body for event in await engine.events(SCOPE, run_id, kinds={"phase-completed"})]


async def test_an_old_run_keeps_its_story_and_its_results(tmp_path):
    """What was told along the way goes, after so many days and not before; what still runs keeps everything."""
    clock, gate = ManualClock(), tmp_path / "gate"
    async with engine_at(tmp_path / "data", clock, retention=keeping(events_days=7)) as engine:
        old = await finished(engine)
        going = (await engine.submit(job("CountThenWait", gate=gate))).run.run_id
        await until(engine, going, "phase-completed")
        before, results = await kinds(engine, old), await completed(engine, old)
        assert set(before) & set(ALONG_THE_WAY)
        clock.advance(6 * DAY)
        assert (await engine.retention.sweep()).events == 0
        clock.advance(DAY + 1)
        untouched = await kinds(engine, going)
        swept = await engine.retention.sweep()
        after = await kinds(engine, old)
        assert after == [kind for kind in before if kind not in ALONG_THE_WAY]
        assert (swept.runs_cut, swept.events) == (1, len(before) - len(after))
        assert await completed(engine, old) == results
        assert (await kinds(engine, going))[: len(untouched)] == untouched
        assert not await engine.retention.has_all_after(old, 0)
        assert await engine.retention.has_all_after(old, len(before) - 1)
        assert (await engine.retention.sweep()).events == 0
        gate.touch()


async def test_the_oldest_stories_are_shortened_to_make_room(tmp_path):
    """Beyond so many bytes of what was told along the way; what still runs and the newest keep all of it."""
    clock, gate = ManualClock(), tmp_path / "gate"
    async with engine_at(tmp_path / "data", clock, retention=keeping()) as engine:
        runs = []
        for _ in range(3):
            clock.advance(1)
            runs.append(await finished(engine))
        sizes = {
            run: size for run, _, size in await engine.store.read(partial(runs_with_events, tenant=SCOPE.tenant_id))
        }
        assert list(sizes) == runs
    room = sizes[runs[1]] + sizes[runs[2]]
    async with engine_at(tmp_path / "data", clock, retention=keeping(events_bytes=room)) as engine:
        going = (await engine.submit(job("CountThenWait", gate=gate))).run.run_id
        await until(engine, going, "phase-completed")
        await engine.retention.sweep()  # or the one that an opened engine begins with
        assert not set(await kinds(engine, runs[0])) & set(ALONG_THE_WAY)
        for run in (*runs[1:], going):
            assert set(await kinds(engine, run)) & set(ALONG_THE_WAY)
        assert (await engine.retention.sweep()).runs_cut == 0
        gate.touch()
        await engine.ended(SCOPE, going)


async def test_nothing_goes_of_which_somebody_is_still_to_be_told(tmp_path):
    """A callback of the run, of its batch, a webhook that lags behind, a run that builds on it: each keeps all of it,
    by age and by size, until it is done."""
    clock, gate = ManualClock(), tmp_path / "gate"
    keep = keeping(events_days=0, events_bytes=0, artifacts_days=0)
    async with engine_at(tmp_path / "data", clock, seats=1, retention=keep) as engine:
        step = NewStep("only", job("Count", kind=RunKind.OPERATION))
        batch = await engine.groups.submit(NewBatch(SCOPE, "A batch", (step,)))
        of_batch = await engine.ended(SCOPE, batch.runs[0].run_id)
        alone, needed, lagging = await finished(engine), await finished(engine), await finished(engine)
        told = {
            "run": ("callback", alone, 0),
            "batch": ("batch-callback", batch.batch.batch_id, 0),
            "hook": ("webhook", None, (await engine.get(SCOPE, lagging)).last_position - 1),
        }
        for name, (kind, run, cursor) in told.items():
            row = (name, kind, SCOPE.tenant_id, SCOPE.project_id, run, "ACTIVE", cursor, 0, b"{}")
            await engine.store.write(partial(_endpoint, row=row))
        blocker = (await engine.submit(job("OnlyWait", gate=gate))).run.run_id
        await until(engine, blocker, "phase-started")
        waits = (await engine.submit(job("Count", dependencies=(needed, blocker)))).run.run_id
        clock.advance(1)
        runs = {"batch": of_batch.run_id, "run": alone, "hook": lagging, "needed": needed}
        before = {name: await kinds(engine, run) for name, run in runs.items()}
        swept = await engine.retention.sweep()
        assert (swept.events, swept.runs_emptied) == (0, 0)
        for name in told:
            await engine.store.write(partial(_served, name=name))
            clock.advance(1)
            await engine.retention.sweep()
            after = {name: await kinds(engine, run) for name, run in runs.items()}
            # The webhook is told in commit order: while it lags, nothing after its cursor may go.
            assert {name for name in runs if after[name] != before[name]} == _free(told, name)
        assert await kinds(engine, needed) == before["needed"]
        gate.touch()
        await engine.ended(SCOPE, waits)
        clock.advance(1)
        await engine.retention.sweep()
        assert not set(await kinds(engine, needed)) & set(ALONG_THE_WAY)


def _free(told, served):
    """The runs that nobody is to be told of any more, endpoints being served in their order."""
    names = list(told)
    return set(names[: names.index(served) + 1])


def _endpoint(tx, row):
    names = "endpoint, kind, tenant, project, run, status, cursor, created, registration"
    tx.connection.execute(f"INSERT INTO endpoints ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def _served(tx, name):
    tx.connection.execute("UPDATE endpoints SET status = 'DISABLED' WHERE endpoint = ?", (name,))


async def test_a_subscription_over_a_websocket_keeps_nothing(tmp_path):
    """It is shown and never served: whoever holds it open hears the run by a stream."""
    clock = ManualClock()
    async with engine_at(tmp_path / "data", clock, retention=keeping(events_days=1, artifacts_days=1)) as engine:
        run = await finished(engine)
        registration = dump(Registration(Wishes(("jobCompleted",)), served=False))
        row = ("sub-1", "subscription", SCOPE.tenant_id, SCOPE.project_id, run, "ACTIVE", 0, 0, registration)
        await engine.store.write(partial(_endpoint, row=row))
        clock.advance(DAY + 1)
        swept = await engine.retention.sweep()
        assert (swept.runs_cut, swept.runs_emptied) == (1, 1)


async def test_request_ids_are_forgotten_when_they_are_old_and_their_run_has_ended(tmp_path):
    """Then the same id is a new one; before, and while the run or a run of the batch goes on, it has its one effect."""
    clock, gate = ManualClock(), tmp_path / "gate"
    policy = Policy(requests_days=1, every_s=10_000 * DAY)
    async with engine_at(tmp_path / "data", clock, retention=policy) as engine:
        new = {name: RequestId("jobs", name, name.encode()) for name in ("done", "going", "batch")}
        first = (await engine.submit(job("Count", request=new["done"]))).run.run_id
        await engine.ended(SCOPE, first)
        waiting = job("OnlyWait", gate=gate, request=new["going"])
        going = (await engine.submit(waiting)).run.run_id
        step = NewStep("only", job("Gate", kind=RunKind.OPERATION, gate=gate))
        batch = await engine.groups.submit(NewBatch(SCOPE, "A batch", (step,), request=new["batch"]))
        assert (await engine.retention.sweep()).requests == 0
        assert (await engine.submit(job("Count", request=new["done"]))).run.run_id == first
        clock.advance(DAY + 1)
        assert (await engine.retention.sweep()).requests == 1
        assert (await engine.submit(job("Count", request=new["done"]))).run.run_id != first
        assert (await engine.submit(waiting)).run.run_id == going
        again = await engine.groups.submit(NewBatch(SCOPE, "A batch", (step,), request=new["batch"]))
        assert again.batch.batch_id == batch.batch.batch_id
        gate.touch()
        await engine.ended(SCOPE, going)
        await engine.ended(SCOPE, batch.runs[0].run_id)
        assert (await engine.retention.sweep()).requests == 2


async def test_the_request_id_of_a_retry_is_kept_while_the_new_run_goes_on(tmp_path):
    """As that of a submission."""
    clock, gate = ManualClock(), tmp_path / "gate"
    policy = Policy(requests_days=1, every_s=10_000 * DAY)
    async with engine_at(tmp_path / "data", clock, retention=policy) as engine:
        origin = (await engine.submit(job("OnlyWait", gate=gate))).run.run_id
        await engine.cancel(SCOPE, origin, CancelOrder())
        order = RetryOrder(request=RequestId("retry", "r1", b"body"))
        going = (await engine.retrying.retry(SCOPE, origin, order)).submission.run.run_id
        clock.advance(DAY + 1)
        assert (await engine.retention.sweep()).requests == 0
        gate.touch()
        await engine.ended(SCOPE, going)
        assert (await engine.retention.sweep()).requests == 1


async def test_files_of_old_runs_go_and_their_story_stays(tmp_path):
    """Also beyond so many bytes, the oldest first; not those of a run that another one waits for."""
    clock, gate = ManualClock(), tmp_path / "gate"
    async with engine_at(tmp_path / "data", clock, seats=1, retention=keeping(artifacts_days=1)) as engine:
        old, needed = await finished(engine), await finished(engine)
        blocker = (await engine.submit(job("OnlyWait", gate=gate))).run.run_id
        await until(engine, blocker, "phase-started")
        waits = (await engine.submit(job("Count", dependencies=(needed, blocker)))).run.run_id
        clock.advance(DAY + 1)
        assert (await engine.retention.sweep()).runs_emptied == 1
        assert await engine.artifacts(SCOPE, old) == ()
        assert len(await engine.artifacts(SCOPE, needed)) == 1
        assert await completed(engine, old)
        gate.touch()
        await engine.ended(SCOPE, waits)
    folders = {path.name for path in (tmp_path / "data" / "runs").iterdir()}
    assert old not in folders
    assert {needed, waits} <= folders
    async with engine_at(tmp_path / "data", clock, retention=keeping(artifacts_bytes=2)) as engine:
        assert (await engine.retention.sweep()).runs_emptied == 1
        assert await engine.artifacts(SCOPE, needed) == ()
        assert len(await engine.artifacts(SCOPE, waits)) == 1


async def test_a_watcher_from_before_the_cut_is_told_so(tmp_path):
    """A reset, the run as it ended, and done; whoever had seen it all gets done alone."""
    async with running_server(tmp_path / "data", catalogue=WORKLOADS, keep_events_days=0) as server:
        stub = JobServiceStub(server.channel)
        request = job_pb2.SubmitJobRequest(tenant_id=SCOPE.tenant_id, project_id=SCOPE.project_id, job_name="x")
        request.job_type = common_pb2.JOB_TYPE_DATA_ENRICHMENT
        request.parameters.update({"gate": str(tmp_path / "gate")})
        job_id = (await stub.SubmitJob(request, metadata=server.metadata)).job_id
        get = job_pb2.GetJobRequest(tenant_id=SCOPE.tenant_id, project_id=SCOPE.project_id, job_id=job_id)

        async def watched(**fields):
            call = stub.WatchJob(job_pb2.WatchJobRequest(request=get, **fields), metadata=server.metadata)
            return [frame async for frame in call]

        early = aiter(stub.WatchJob(job_pb2.WatchJobRequest(request=get), metadata=server.metadata))
        first = await anext(early)
        (tmp_path / "gate").touch()
        told = [frame async for frame in early]
        assert (await server.engine.retention.sweep()).events
        for fields in ({"resume_token": first.resume_token}, {"replay": True}):
            frames = await watched(**fields)
            assert [frame.WhichOneof("frame") for frame in frames] == ["reset", "snapshot", "done"], fields
            assert frames[0].reset.reason == "EXPIRED"
            assert frames[1].snapshot.job_id == job_id
        last = await watched(resume_token=told[-1].resume_token)
        assert [frame.WhichOneof("frame") for frame in last] == ["done"]


async def test_a_watcher_of_a_batch_from_before_the_cut_is_told_so(tmp_path):
    """While other operations go on, and when all have ended; whoever comes anew sees how it stands and what follows."""
    async with running_server(tmp_path / "data", catalogue=WORKLOADS, keep_events_days=0) as server:
        place: dict[str, Any] = {"tenant_id": SCOPE.tenant_id, "project_id": SCOPE.project_id}
        stub, names = BatchServiceStub(server.channel), batch_pb2.SubmitBatchRequest(**place, batch_name="x")
        for key, type_ in (("short", "PROCESS_MINING_ANALYSIS"), ("long", "DATA_ENRICHMENT")):
            step = names.operations.add(operation_key=key, operation_name=key)
            step.operation_type = common_pb2.OperationType.Value(f"OPERATION_TYPE_{type_}")
        names.operations[1].parameters.update({"gate": str(tmp_path / "gate")})
        batch = await stub.SubmitBatch(names, metadata=server.metadata)
        get = batch_pb2.GetBatchRequest(**place, batch_id=batch.batch_id)

        def watch(**fields):
            return stub.WatchBatch(batch_pb2.WatchBatchRequest(request=get, **fields), metadata=server.metadata)

        early = aiter(watch())
        first = await anext(early)
        await server.engine.ended(SCOPE, batch.operations[0].operation_id)
        assert (await server.engine.retention.sweep()).events
        anew, resumed, replayed = (
            aiter(watch()),
            aiter(watch(resume_token=first.resume_token)),
            aiter(watch(replay=True)),
        )
        for stream in (resumed, replayed):
            assert (await anext(stream)).reset.reason == "EXPIRED"
        shown = [await anext(stream) for stream in (anew, resumed, replayed)]
        assert {frame.snapshot.completed_operations for frame in shown} == {1}
        (tmp_path / "gate").touch()
        for stream in (early, anew, resumed, replayed):
            frames = [frame async for frame in stream]
            assert frames[-1].done.state == common_pb2.RUN_STATE_COMPLETED
            numbers = [event.sequence for frame in frames for event in frame.events.events]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert [frame.WhichOneof("frame") async for frame in watch(resume_token=frames[-1].resume_token)] == ["done"]


async def test_positions_go_on_after_a_cut_and_a_restart(tmp_path):
    """The newest event is never one that goes, so that no position is given twice."""
    clock = ManualClock()
    async with engine_at(tmp_path, clock, retention=keeping(events_days=0)) as engine:
        await finished(engine)
        clock.advance(1)
        assert (await engine.retention.sweep()).events
        position = engine.position
    async with engine_at(tmp_path, clock) as engine:
        assert engine.position == position


async def test_old_datasets_go_unless_a_run_needs_them(tmp_path):
    """Bytes and record; the run that needs one still finds it."""
    clock, gate = ManualClock(), tmp_path / "gate"
    async with engine_at(tmp_path / "data", clock, retention=keeping(datasets_days=1)) as engine:
        needed, idle = await store(engine, 10), await store(engine, 10)
        run_id = (await engine.submit(job("OnlyWait", datasetId=needed, gate=gate))).run.run_id
        await until(engine, run_id, "phase-started")
        clock.advance(DAY + 1)
        young = await store(engine, 10)
        assert (await engine.retention.sweep()).datasets == 1
        with pytest.raises(DatasetNotFound):
            await engine.datasets.get(SCOPE, idle)
        assert sorted(path.name for path in (tmp_path / "data" / "datasets").iterdir()) == sorted((needed, young))
        gate.touch()


async def test_the_oldest_datasets_of_a_tenant_make_room_for_the_newest(tmp_path):
    """Each tenant for itself, by its own rule where it has one."""
    clock = ManualClock()
    own = {OTHER.tenant_id: Keep(datasets_bytes=10)}
    async with engine_at(tmp_path, clock, retention=keeping(own, datasets_bytes=100)) as engine:
        kept: dict[Scope, list[str]] = {SCOPE: [], OTHER: []}
        for scope in (SCOPE, OTHER):
            for _ in range(3):
                clock.advance(1)
                kept[scope].append(await store(engine, 40, scope))
        assert (await engine.retention.sweep()).datasets == 4
        for dataset_id in kept[SCOPE][1:]:
            assert (await engine.datasets.get(SCOPE, dataset_id)).dataset_id == dataset_id
        for scope, dataset_id in ((SCOPE, kept[SCOPE][0]), *((OTHER, one) for one in kept[OTHER])):
            with pytest.raises(DatasetNotFound):
                await engine.datasets.get(scope, dataset_id)


async def test_a_policy_that_asks_for_nothing_keeps_everything(tmp_path):
    """As it is unless somebody asks."""
    clock = ManualClock()
    async with engine_at(tmp_path, clock, retention=ServerSettings().retention()) as engine:
        run_id, dataset_id = await finished(engine), await store(engine, 10)
        before = await kinds(engine, run_id)
        clock.advance(1000 * DAY)
        await engine.retention.sweep()
        assert await kinds(engine, run_id) == before
        assert (await engine.datasets.get(SCOPE, dataset_id)).dataset_id == dataset_id
    assert ServerSettings().retention().asks_for_nothing


def test_settings_say_what_each_tenant_keeps(monkeypatch):
    """Rules of tenants are JSON in the environment; GUIDs are equal whatever their case."""
    monkeypatch.setenv("LODESTREAM_KEEP_EVENTS_DAYS", "30")
    monkeypatch.setenv("LODESTREAM_KEEP_TENANTS", json.dumps({OTHER.tenant_id.upper(): {"datasets_bytes": 5}}))
    policy = ServerSettings().retention()
    assert (policy.default, policy.asks_for_nothing) == (Keep(events_days=30), False)
    assert policy.tenants == {OTHER.tenant_id: Keep(datasets_bytes=5)}


@pytest.mark.parametrize(
    ("before", "most", "go"),
    [(None, None, 0), (2, None, 1), (9, None, 3), (None, 30, 0), (None, 29, 1), (None, 0, 3), (3, 15, 2), (2, 5, 3)],
)
def test_what_goes_is_old_or_too_much(before, most, go):
    """Of three of ten bytes each, from the times 1, 2 and 3."""
    assert too_many([(1, 10), (2, 10), (3, 10)], before, most) == go


def told(database):
    """Bytes told along the way by each run: as its row says, and as its events are."""
    with closing(sqlite3.connect(database)) as connection:
        kinds = ", ".join(f"'{kind}'" for kind in ALONG_THE_WAY)
        events = f"SELECT sum(length(body)) FROM events e WHERE e.run = r.run AND e.kind IN ({kinds})"
        return connection.execute(f"SELECT along_bytes, coalesce(({events}), 0) FROM runs r ORDER BY number").fetchall()


async def test_rows_know_how_much_was_told_along_the_way(tmp_path):
    """Also of what still runs, after a cut, and in a store that was written before rows knew it."""
    clock, gate, database = ManualClock(), tmp_path / "gate", tmp_path / "data" / DATABASE
    async with engine_at(tmp_path / "data", clock, retention=keeping(events_days=7)) as engine:
        await finished(engine)
        clock.advance(8 * DAY)
        await engine.retention.sweep()
        await finished(engine)
        going = (await engine.submit(job("CountThenWait", gate=gate))).run.run_id
        await until(engine, going, "phase-completed")
        cut, whole, running = await asyncio.to_thread(told, database)
        assert cut == (0, 0)
        assert whole[0] == whole[1] > 0
        assert running[0] == running[1] > 0
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript(
            "DROP INDEX runs_along; DROP INDEX runs_history; ALTER TABLE runs DROP COLUMN along_bytes;"
            " CREATE INDEX runs_history ON runs (type, ended) WHERE state = 'COMPLETED'; PRAGMA user_version = 3;"
            " DELETE FROM _sqlite_migrations WHERE name = 'm004_figures'"
        )
    prepare(database)
    assert told(database)[:2] == [cut, whole]
