"""The client against the real server: send work, follow it, fetch what it made, and hear clearly what is wrong."""

import asyncio
import io
from datetime import timedelta

import pytest

from lodestream import errors, wire
from lodestream.client import Client, JobHandle, OperationHandle, Settings, SyncClient
from lodestream.client.problems import ServerUnreachable
from lodestream.v1.event_pb2 import RunEvent
from lodestream.v1.job_pb2 import GetJobRequest, GetJobResponse
from lodestream.v1.job_pb2_grpc import JobServiceStub
from lodestream.v1.tracking_pb2 import GetJobLogsResponse, JobLogEvent
from tests.integration.client_world import PATIENCE, world
from tests.support.server import PROJECT, TENANT

LOG = b"case,activity,timestamp\n1,a,2024-01-01\n1,b,2024-01-02\n"


async def test_a_job_is_submitted_followed_and_its_files_fetched(tmp_path):
    """The whole way: dataset, job, story, results, download."""
    async with world(tmp_path) as here:
        dataset = await here.client.upload_dataset(io.BytesIO(LOG), name="Two events", file_name="two.csv")
        job = await here.client.submit_job("Count", dataset=dataset, parameters={"records": 3}, priority="High")
        events = [item async for item in job.watch(replay=True) if isinstance(item, RunEvent)]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert events[0].submitted.name == "Count"
        assert events[-1].WhichOneof("body") == "completed"
        results = await job.results()
        assert results.success
        assert wire.to_dict(results.stage_results)["Add"] == {"sum": 6}
        paths = await job.download(tmp_path / "out")
        assert [path.name for path in paths] == ["count.txt"]
        assert paths[0].read_text() == "3"
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["count.txt"]


async def test_an_operation_is_waited_for_and_shows_its_phases(tmp_path):
    """`wait` returns the operation as it ended; its results name every phase."""
    async with world(tmp_path) as here:
        operation = await here.client.start_operation("Count", time_limit=timedelta(minutes=5))
        ended = await operation.wait(timeout_s=30)
        assert [phase.phase_name for phase in ended.phases] == ["Count", "Add"]
        results = await operation.results(phase="Add")
        assert [found.phase_name for found in results.phase_results] == ["Add"]
        with pytest.raises(errors.PhaseNotFound):
            await operation.results(phase="Nowhere")


async def test_waiting_can_be_given_up_and_the_run_goes_on(tmp_path):
    """A time limit on `wait` is the caller's own: it does not touch the run."""
    async with world(tmp_path) as here:
        job = await here.client.submit_job("Slow", type="DataEnrichment", parameters=here.waiting)
        await here.begun()
        with pytest.raises(TimeoutError):
            await job.wait(timeout_s=0.05)
        here.gate.touch()
        assert (await job.wait()).progress.percentage == 100


async def test_a_snapshot_comes_first_and_then_what_follows_it(tmp_path):
    """Without replay the watcher starts with the state, and misses nothing after it."""
    async with world(tmp_path) as here:
        job = await here.client.submit_job("Slow", type="DataEnrichment", parameters=here.waiting)
        async with job.watch(replay=True) as told:
            async for item in told:
                if isinstance(item, RunEvent) and item.phase_started.phase == "Wait":
                    break
        async with job.watch() as updates:
            first = await anext(updates)
            assert isinstance(first, GetJobResponse)
            assert first.progress.current_stage == "Wait"
            here.gate.touch()
            rest = [item async for item in updates if isinstance(item, RunEvent)]
        assert rest[-1].WhichOneof("body") == "completed"
        assert [event.sequence for event in rest] == list(range(rest[0].sequence, rest[-1].sequence + 1))


async def test_logs_progress_and_timeline_are_there_at_once_and_live(tmp_path):
    """Each view can be asked for, and followed to its end."""
    async with world(tmp_path) as here:
        job = await here.client.submit_job("Count")
        live = [item async for item in job.watch_logs(replay=True)]
        lines = [item.entry.message for item in live if isinstance(item, JobLogEvent)]
        lines += [entry.message for item in live if isinstance(item, GetJobLogsResponse) for entry in item.logs]
        assert "counted 10" in lines
        assert [entry.message for entry in (await job.logs(limit=1)).logs] == [lines[-1]]
        assert (await job.logs(level="ERROR")).logs_summary.total_entries >= 1
        assert (await job.progress()).overall_progress.percentage == 100
        assert [item async for item in job.watch_progress()]
        granular = await job.timeline(granularity="major_events")
        assert granular.timeline[-1].timestamp.seconds > 0
        assert [item async for item in job.watch_timeline()]


async def test_cancelling_gives_a_receipt_and_the_same_one_again(tmp_path):
    """The answer comes when the run has stopped; a run that has completed cannot be stopped."""
    async with world(tmp_path) as here:
        operation = await here.client.start_operation("Slow", type="DataEnrichment", parameters=here.waiting)
        await here.begun()
        receipt = await operation.cancel("wrong log")
        assert receipt.reason == "wrong log"
        assert receipt.partial_results.completed_phases == 1
        assert await operation.cancel("again") == receipt
        job = await here.client.submit_job("Count")
        await job.wait()
        with pytest.raises(errors.RunAlreadyEnded):
            await job.cancel()


async def test_lists_fetch_their_next_page_by_themselves(tmp_path):
    """Five jobs in pages of two: all, newest first, each once; filters and counts come along."""
    async with world(tmp_path) as here:
        ids = [(await here.client.submit_job(f"Number {number}")).id for number in range(5)]
        for job_id in ids:
            await here.client.job(job_id).wait()
        listed = [job.job_id async for job in here.client.jobs(page_size=2)]
        assert listed == ids[::-1]
        assert [len(page.jobs) async for page in here.client.jobs(page_size=2).pages()] == [2, 2, 1]
        assert (await here.client.jobs(status="Failed").page()).summary.completed_jobs == 5
        assert [operation async for operation in here.client.operations()] == []
        with pytest.raises(errors.InvalidField, match="Completed"):
            here.client.jobs(status="Finished")


async def test_datasets_are_listed_shown_and_deleted(tmp_path):
    """A path uploads with its own name; what is deleted is gone."""
    path = tmp_path / "orders.csv"
    path.write_bytes(LOG * 100_000)
    moved: list[tuple[int, int | None]] = []
    async with world(tmp_path) as here:
        dataset = await here.client.upload_dataset(path, moved=lambda done, total: moved.append((done, total)))
        assert (dataset.dataset_name, dataset.size_bytes) == ("orders", len(LOG) * 100_000)
        assert moved[-1] == (dataset.size_bytes, dataset.size_bytes)
        assert len(moved) > 3
        assert [found.dataset_id async for found in here.client.datasets()] == [dataset.dataset_id]
        assert await here.client.dataset(dataset.dataset_id) == dataset
        await here.client.delete_dataset(dataset.dataset_id)
        with pytest.raises(errors.DatasetNotFound):
            await here.client.dataset(dataset.dataset_id)


async def test_a_file_that_the_server_refuses_is_refused_with_the_reason(tmp_path):
    """What is wrong with the file reaches the caller, and nothing is kept."""
    async with world(tmp_path) as here:
        with pytest.raises(errors.BadDataset, match="no header"):
            await here.client.upload_dataset(io.BytesIO(b"bad\n1\n"), name="Bad", file_name="bad.csv")
        assert [found async for found in here.client.datasets()] == []


async def test_an_upload_that_is_too_large_is_refused_before_its_end(tmp_path):
    """The client hears the server's own refusal although it is still sending, each time."""
    path = tmp_path / "large.csv"
    path.write_bytes(b"x" * (8 << 20))
    async with world(tmp_path, largest_upload_bytes=1 << 20) as here:
        for _ in range(20):
            with pytest.raises(errors.UploadTooLarge):
                await here.client.upload_dataset(path)


async def test_refusals_carry_reason_and_fields(tmp_path):
    """Errors are the server's own classes, with the field at fault."""
    async with world(tmp_path) as here:
        with pytest.raises(errors.InvalidField) as refused:
            await here.client.submit_job("Count", parameters={"records": 0})
        assert refused.value.violations[0].field == "parameters.records"
        with pytest.raises(errors.UnknownDataset):
            await here.client.submit_job("Count", dataset="no-such-dataset")
        with pytest.raises(errors.NotBuilt):
            await here.client.submit_job("Later", type="Notebook")
        with pytest.raises(errors.RunNotFound):
            await here.client.job("no-such-job").get()
        with pytest.raises(errors.RunNotFound):
            [item async for item in here.client.job("no-such-job").watch()]
        failed = await here.client.submit_job("Fails", type="Analysis")
        assert (await failed.wait()).error.reason == "MISSING_COLUMN"


async def test_submitting_twice_with_one_request_id_makes_one_run(tmp_path):
    """The same request again gives the first answer: that is why a broken connection does no harm."""
    async with world(tmp_path) as here:
        first = await here.client.submit_job("Once", request_id="r-1")
        second = await here.client.submit_job("Once", request_id="r-1")
        assert first.id == second.id
        with pytest.raises(errors.IdempotencyKeyReused):
            await here.client.submit_job("Another", request_id="r-1")


async def test_keys_open_what_they_are_for_and_nothing_after_they_are_revoked(tmp_path):
    """A reading key reads; it does not write; revoked it does neither."""
    async with world(tmp_path) as here:
        made = await here.client.create_key("dashboard", "read", tenant_id=TENANT)
        async with Client(settings=Settings(here.server.address, made.token, TENANT, PROJECT)) as reader:
            assert [job async for job in reader.jobs()] == []
            with pytest.raises(errors.RoleTooLow):
                await reader.submit_job("Count")
            assert made.key.prefix in [key.prefix for key in await here.client.keys()]
            await here.client.revoke_key(made.key.prefix)
            with pytest.raises(errors.Unauthenticated):
                await reader.jobs().page()


async def test_a_run_of_unknown_kind_is_found(tmp_path):
    """Whoever has only an id gets the right handle."""
    async with world(tmp_path) as here:
        job, operation = await here.client.submit_job("J"), await here.client.start_operation("O")
        assert isinstance(await here.client.find(job.id), JobHandle)
        assert isinstance(await here.client.find(operation.id), OperationHandle)
        with pytest.raises(errors.RunNotFound):
            await here.client.find("neither")


async def test_what_has_no_method_is_called_through_the_stub_with_the_key(tmp_path):
    """`raw` gives the generated stub over the same connection."""
    async with world(tmp_path) as here:
        job = await here.client.submit_job("Count")
        request = GetJobRequest(tenant_id=TENANT, project_id=PROJECT, job_id=job.id)
        assert (await here.client.raw(JobServiceStub).GetJob(request)).job_name == "Count"


async def test_closing_the_client_ends_its_streams_at_the_server(tmp_path):
    """A reader in another task comes to its end, and the server holds no stream for a client that left."""
    async with world(tmp_path) as here:
        settings = Settings(here.server.address, here.server.token, TENANT, PROJECT)
        other = Client(settings=settings, patience=PATIENCE)
        job = await other.submit_job("Slow", type="DataEnrichment", parameters=here.waiting)
        started = asyncio.Event()

        async def read() -> int:
            count = 0
            async for _ in job.watch():
                count += 1
                started.set()
            return count

        reader = asyncio.create_task(read())
        await started.wait()
        await other.close()
        assert await reader >= 1
        here.gate.touch()


async def test_nobody_there_is_said_with_the_address(tmp_path):
    """A wrong port is no mystery."""
    settings = Settings("127.0.0.1:1", "token")
    async with Client(settings=settings, deadline_s=2) as client:
        with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:1"):
            await client.jobs().page()


async def test_the_blocking_client_does_the_same(tmp_path):
    """Same names, same answers, from a thread without a loop."""

    def work(settings: Settings) -> tuple[list[int], list[str], str]:
        with SyncClient(settings=settings, patience=PATIENCE) as client:
            dataset = client.upload_dataset(io.BytesIO(LOG), file_name="two.csv")
            job = client.submit_job("Count", dataset=dataset)
            with job.watch(replay=True) as updates:
                sequences = [item.sequence for item in updates if isinstance(item, RunEvent)]
            listed = [found.job_id for found in client.jobs()]
            assert listed == [job.id]
            assert client.find(job.id).wait().progress.percentage == 100
            with pytest.raises(errors.RunNotFound):
                client.operation("nowhere").get()
            names = [path.name for path in job.download(tmp_path / "sync")]
            with job.watch() as left_early:
                next(left_early)
            return sequences, names, client.dataset(dataset.dataset_id).dataset_name

    async with world(tmp_path) as here:
        settings = Settings(here.server.address, here.server.token, TENANT, PROJECT)
        sequences, names, dataset = await asyncio.to_thread(work, settings)
    assert sequences == list(range(1, len(sequences) + 1))
    assert names == ["count.txt"]
    assert dataset == "two"
