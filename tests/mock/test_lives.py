"""The scenarios, poll by poll on the step clock: what a client of each story sees."""

from datetime import UTC, datetime

import pytest
from grpc import StatusCode, aio
from lodestream_mock.contract import methods

from lodestream.v1.common_pb2 import JobStatus, JobType, OperationStatus, RunState
from tests.mock.world import IDS, World, documented_body, request_of

JOB = {value.number: value.name.removeprefix("JOB_STATUS_") for value in JobStatus.DESCRIPTOR.values}
OPERATION = {value.number: value.name.removeprefix("OPERATION_STATUS_") for value in OperationStatus.DESCRIPTOR.values}


async def polled(world, method, words, **fields):
    """(status, percentage) of each poll until it stays."""
    seen: list[tuple[str, float]] = []
    for _ in range(30):
        answer = await world.call(method, **fields)
        percent = answer.progress if isinstance(answer.progress, float) else answer.progress.percentage
        state = (words[answer.status], percent)
        if seen and seen[-1] == state and state[0] not in ("RUNNING", "QUEUED", "INITIATED"):
            return seen
        if not seen or seen[-1] != state:
            seen.append(state)
    return seen


async def started(world):
    """Starts the documented operation."""
    return await world.call("StartOperation", request_of("StartOperation", documented_body("StartOperation", "en")))


async def test_a_job_goes_from_the_queue_to_its_results_poll_by_poll():
    """Queued, 65 %, 85 %, Completed; the 65 % is the documented payload."""
    world = World(scenario="job-lifecycle")
    seen = await polled(world, "GetJob", JOB)
    assert seen == [("QUEUED", 0), ("RUNNING", 65), ("RUNNING", 85), ("COMPLETED", 100)]
    results = await world.call("GetJobResults")
    assert results.success
    assert results.results.primary_output.download_url.startswith(f"/api/{IDS['tenant_id']}/{IDS['project_id']}/runs/")


async def test_an_operation_goes_from_its_start_to_its_results():
    """Over the documented 67 %; its tracking address is filled in."""
    world = World(scenario="operation-lifecycle")
    start = await started(world)
    assert start.tracking_url == f"/api/{IDS['tenant_id']}/{IDS['project_id']}/async/operation/{IDS['operation_id']}"
    with pytest.raises(aio.AioRpcError) as early:
        await world.call("GetOperationResults")
    assert early.value.code() is StatusCode.FAILED_PRECONDITION
    seen = await polled(world, "GetOperation", OPERATION)
    assert [state for state, _ in seen] == ["INITIATED", "RUNNING", "RUNNING", "COMPLETED"]
    assert seen[1] == ("RUNNING", 67)
    assert (await world.call("GetOperationResults")).success


async def test_an_operation_fails_in_its_third_phase_and_its_retry_keeps_the_first_two():
    """The retry has the documented id and completes."""
    world = World(scenario="operation-retried")
    await started(world)
    assert (await polled(world, "GetOperation", OPERATION))[-1][0] == "FAILED"
    failed = await world.call("GetOperation")
    assert (failed.error.reason, failed.error.stage) == ("OUT_OF_MEMORY", "Machine Learning Analysis")
    retry = await world.call("RetryOperation", request_of("RetryOperation", documented_body("RetryOperation", "en")))
    assert retry.new_operation_id == "op-retry-ff0e8400-e29b-41d4-a716-446655440000"
    assert (retry.resume_from_phase, retry.preserved_results.phases_preserved) == ("Machine Learning Analysis", 2)
    seen = await polled(world, "GetOperation", OPERATION, operation_id=retry.new_operation_id)
    assert (seen[1], seen[-1]) == (("RUNNING", 45), ("COMPLETED", 100))


@pytest.mark.parametrize(("scenario", "status"), [("cancelled-midway", "CANCELLED"), ("timeout", "TIMEOUT")])
async def test_an_operation_that_does_not_complete_keeps_what_its_phases_left(scenario, status):
    """Success false, one zip to download, really there."""
    world = World(scenario=scenario)
    await started(world)
    assert (await polled(world, "GetOperation", OPERATION))[-1][0] == status
    results = await world.call("GetOperationResults")
    assert (results.success, [entry.format for entry in results.artifacts]) == (False, ["ZIP"])
    parts = await world.frames("DownloadArtifact", artifact_id="partial-results.zip")
    assert b"".join(part.chunk for part in parts[1:]).startswith(b"PK")


async def test_a_cancelled_operation_gives_a_receipt_and_the_same_one_again():
    """A second operation of the default scenario is alive, unlike the documented one."""
    world = World(scenario="operation-lifecycle", clock="frozen")
    await started(world)
    world.session.clock.move_to(25 * 60_000)
    first = await world.call("CancelOperation", reason="changed my mind")
    assert (first.reason, first.partial_results.completed_phases, first.cancelled_by) == (
        "changed my mind",
        2,
        "user123",
    )
    world.session.clock.move_to(26 * 60_000)
    assert await world.call("CancelOperation") == first
    assert OPERATION[(await world.call("GetOperation")).status] == "CANCELLED"


async def test_what_has_completed_cannot_be_cancelled_or_retried():
    """409 on the other door."""
    world = World(scenario="operation-lifecycle", clock="frozen")
    await started(world)
    world.session.clock.move_to(60 * 60_000)
    for method in ("CancelOperation", "RetryOperation"):
        with pytest.raises(aio.AioRpcError) as caught:
            await world.call(method)
        assert caught.value.code() is StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(("scenario", "end"), [("batch", "COMPLETED"), ("batch-failing", "FAILED")])
async def test_a_batch_runs_its_operations_one_after_the_other(scenario, end):
    """Where the middle one fails, the last one never begins."""
    world = World(scenario=scenario)
    batch = await world.call("SubmitBatch", request_of("SubmitBatch", documented_body("SubmitBatch", "en")))
    assert batch.batch_id == IDS["batch_id"]
    assert (await polled(world, "GetBatch", OPERATION))[-1][0] == end
    last = (await world.call("GetBatch")).operations
    expected = ["COMPLETED"] * 3 if end == "COMPLETED" else ["COMPLETED", "FAILED", "FAILED"]
    assert [OPERATION[operation.status] for operation in last] == expected
    if end == "FAILED":
        assert not last[2].HasField("start_time")
        assert last[2].error.reason == "DEPENDENCY_FAILED"


@pytest.mark.parametrize(("scenario", "end"), [("batch", "COMPLETED"), ("batch-failing", "FAILED")])
async def test_a_batch_that_has_ended_by_itself_cannot_be_cancelled(scenario, end):
    """However it ended; one that was cancelled gives its receipt again."""
    world = World(scenario=scenario)
    await world.call("SubmitBatch", request_of("SubmitBatch", documented_body("SubmitBatch", "en")))
    assert (await polled(world, "GetBatch", OPERATION))[-1][0] == end
    with pytest.raises(aio.AioRpcError, match="has ended") as caught:
        await world.call("CancelBatch")
    assert caught.value.code() is StatusCode.FAILED_PRECONDITION
    world = World(scenario=scenario)
    await world.call("SubmitBatch", request_of("SubmitBatch", documented_body("SubmitBatch", "en")))
    assert await world.call("CancelBatch", reason="enough") == await world.call("CancelBatch")


async def test_a_batch_whose_operations_wait_for_each_other_is_refused():
    """With the keys."""
    body = documented_body("SubmitBatch", "en")
    body["operations"][0]["dependencies"] = ["performance"]
    with pytest.raises(aio.AioRpcError, match="wait for each other: data-prep, discovery, performance"):
        await World().call("SubmitBatch", request_of("SubmitBatch", body))


async def test_a_queue_of_many_is_shown_explained_and_steered():
    """240 wait; one is put first, the rest is purged."""
    world = World(scenario="queue")
    queue = await world.call("GetQueue")
    assert (queue.summary.total_queued_jobs, queue.queued_jobs[0].queue_position) == (240, 1)
    last = queue.queued_jobs[-1].job_id
    glance = await world.call("TrackJobs", job_ids=[last])
    assert [(job.job_id, job.queue_position) for job in glance.jobs] == [(last, 240)]
    assert len((await world.call("TrackJobs")).jobs) == 100
    explained = await world.call("ExplainJob", job_id=last)
    assert explained.explanation == "The job is number 240 in the queue."
    first = await world.call("ReprioritizeJob", job_id=last, priority=4)
    assert first.queue_position == 1
    assert (await world.call("PurgeQueue")).cancelled_jobs == 240


async def test_a_job_waits_for_the_one_that_it_depends_on():
    """It is blocked, says so, and begins at the other's end; when the other one is cancelled it fails with it."""
    world = World(scenario="job-lifecycle", clock="frozen")
    body = documented_body("SubmitJob", "en")
    first = (await world.call("SubmitJob", request_of("SubmitJob", body))).job_id

    async def dependant():
        submitted = await world.call("SubmitJob", request_of("SubmitJob", {**body, "dependencies": [first]}))
        return submitted.job_id

    second = await dependant()
    explained = await world.call("ExplainJob", job_id=second)
    assert (explained.explanation, explained.waiting_for[0].subject) == ("The job waits for other runs.", first)
    played = world.session.played(world.session.runs[second])
    assert [item.kind for item in played.happenings[:3]] == ["submitted", "waiting", "queued"]
    assert played.happenings[2].at == world.session.played(world.session.runs[first]).end.at
    await world.call("CancelJob", job_id=first)
    frames = await world.frames("WatchJob", job_id=second, replay=True)
    events = [event for frame in frames for event in frame.events.events]
    assert [event.WhichOneof("body") for event in events] == ["submitted", "waiting", "failed"]
    assert events[1].waiting.reason == "DEPENDENCY"
    assert (await world.call("GetJob", job_id=await dependant())).error.reason == "DEPENDENCY_FAILED"


async def test_a_scheduled_job_waits_for_its_time():
    """It is scheduled until then, outside the queue, and says so; then it queues and runs, its time limit whole."""
    world = World(scenario="job-lifecycle", clock="frozen")
    body = documented_body("SubmitJob", "en")
    first = await world.call("SubmitJob", request_of("SubmitJob", body))
    due = first.date_submitted.seconds + 7200
    timed = {"executeImmediately": False, "scheduledTime": f"{datetime.fromtimestamp(due, UTC):%Y-%m-%dT%H:%M:%SZ}"}
    request = request_of("SubmitJob", {**body, "scheduling": {**timed, "timeoutMinutes": 60}})
    submitted = await world.call("SubmitJob", request)
    job_id = submitted.job_id
    assert (JOB[submitted.status], submitted.queue_position) == ("QUEUED", 0)
    assert submitted.estimated_start_time.seconds >= due
    explained = await world.call("ExplainJob", job_id=job_id)
    assert (RunState.Name(explained.state), explained.waiting_for[0].reason) == (
        "RUN_STATE_SCHEDULED",
        "SCHEDULED_TIME",
    )
    assert explained.explanation == f"It is scheduled for {timed['scheduledTime']}."
    world.session.clock.move_to(world.session.now_ms + 7_199_000)
    assert JOB[(await world.call("GetJob", job_id=job_id)).status] == "QUEUED"
    assert (await world.call("ExplainJob", job_id=job_id)).state == explained.state
    world.session.clock.move_to(world.session.now_ms + 1000 + 40 * 60_000)
    shown = await world.call("GetJob", job_id=job_id)
    assert (JOB[shown.status], shown.timeout_at.seconds) == ("RUNNING", due + 3600)
    events = world.session.played(world.session.runs[job_id]).happenings
    assert [item.kind for item in events[:3]] == ["submitted", "scheduled", "queued"]
    world.session.clock.move_to(world.session.now_ms + 60 * 60_000)
    frames = await world.frames("WatchJob", job_id=job_id, replay=True)
    told = next(event for frame in frames for event in frame.events.events if event.HasField("waiting"))
    assert (told.waiting.reason, told.waiting.until.seconds) == ("SCHEDULED", due)


async def test_a_time_and_immediate_execution_exclude_each_other():
    """As on the real server: one of them alone is a fault that names the field."""
    body = {**documented_body("SubmitJob", "en"), "scheduling": {"executeImmediately": False}}
    with pytest.raises(aio.AioRpcError, match=r"scheduled_time: is required without immediate execution"):
        await World().call("SubmitJob", request_of("SubmitJob", body))


async def test_own_workloads_wait_in_the_queue_as_custom():
    """The filter `jobType=Custom` leaves them, a documented type leaves the others."""
    world = World(scenario="job-lifecycle", clock="frozen")
    body = documented_body("SubmitJob", "en")
    await world.call("SubmitJob", request_of("SubmitJob", body))
    own = request_of("SubmitJob", {**body, "jobType": "Custom", "customType": "TopActivities"})
    mine = (await world.call("SubmitJob", own)).job_id
    waiting = (await world.call("GetQueue", job_type=JobType.JOB_TYPE_CUSTOM)).queued_jobs
    assert [(entry.job_id, entry.job_type) for entry in waiting] == [(mine, "TopActivities")]
    others = (await world.call("GetQueue", job_type=JobType.JOB_TYPE_PROCESS_MINING)).queued_jobs
    assert mine not in [entry.job_id for entry in others]
    assert others


async def test_datasets_come_and_go():
    """Uploaded in parts, described from the bytes, listed, deleted."""
    world = World()
    channel, method = world.channel, "UploadDataset"
    found = methods()[method]
    upload = channel.stream_unary(found.path, found.request.SerializeToString, found.response.FromString)
    header = found.request(
        header={"tenant_id": IDS["tenant_id"], "project_id": IDS["project_id"], "dataset_name": "Mine"}
    )
    chunks = (b"case_id,activity,timestamp\n1,A,", b"x\n1,B,y\n2,A,z\n")
    footer = found.request(footer=found.request.Footer())
    parts = [header, *(found.request(chunk=chunk) for chunk in chunks), footer]
    made = await upload(iter(parts))
    assert (made.dataset.events, made.dataset.cases, made.dataset.activities) == (3, 2, 2)
    assert (await world.call("ListDatasets")).datasets[0].dataset_id == made.dataset_id
    await world.call("DeleteDataset", dataset_id=made.dataset_id)
    with pytest.raises(aio.AioRpcError):
        await world.call("GetDataset", dataset_id=made.dataset_id)
