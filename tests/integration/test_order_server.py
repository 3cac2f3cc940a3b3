"""Queue, retries, batches and dependencies over gRPC: what the contract says of them, on the real server."""

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from lodestream_server.runs.states import RunKind
from lodestream_server.store.reading import Scope
from lodestream_server.workloads.catalogue import Catalogue, PhaseSpec, WorkloadSpec
from lodestream_server.workloads.parameters import RESOURCE_ALLOCATION, Parameter

from lodestream.errors import LodestreamError
from lodestream.rich_status import from_call
from lodestream.v1 import (
    artifact_pb2,
    artifact_pb2_grpc,
    batch_pb2,
    batch_pb2_grpc,
    common_pb2,
    job_pb2,
    job_pb2_grpc,
    operation_pb2,
    operation_pb2_grpc,
    queue_pb2,
    queue_pb2_grpc,
    system_pb2,
    system_pb2_grpc,
    tracking_pb2,
    tracking_pb2_grpc,
)
from tests.integration.engine_world import PHASES, appears
from tests.support.server import PROJECT, TENANT, TestServer, running_server

WHERE: dict[str, Any] = {"tenant_id": TENANT, "project_id": PROJECT}
_KNOWN = (Parameter("records", "whole", at_least=1), Parameter("gate"), RESOURCE_ALLOCATION)


def _work(kind: RunKind, type_: str, *phases: tuple[str, str]) -> WorkloadSpec:
    return WorkloadSpec(kind, type_, tuple(PhaseSpec(name, f"{PHASES}:{what}") for name, what in phases), _KNOWN)


CATALOGUE = Catalogue(
    (
        _work(RunKind.OPERATION, "ProcessMiningAnalysis", ("Count", "count"), ("Wait", "wait")),
        _work(RunKind.OPERATION, "DataEnrichment", ("Count", "count")),
        _work(RunKind.OPERATION, "ReportGeneration", ("Fail", "bad_input")),
        _work(RunKind.JOB, "ProcessMining", ("Count", "count"), ("Wait", "wait")),
        _work(RunKind.JOB, "Analysis", ("Count", "count")),
    )
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    """One seat, so that there is a queue."""
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, seats=1, bookmark_s=0.2) as running:
        yield running


class Calls:
    """Stubs of one server."""

    def __init__(self, server: TestServer) -> None:
        self._metadata = server.metadata
        self.jobs = job_pb2_grpc.JobServiceStub(server.channel)
        self.operations = operation_pb2_grpc.OperationServiceStub(server.channel)
        self.queue = queue_pb2_grpc.QueueServiceStub(server.channel)
        self.batches = batch_pb2_grpc.BatchServiceStub(server.channel)
        self.tracking = tracking_pb2_grpc.TrackingServiceStub(server.channel)
        self.artifacts = artifact_pb2_grpc.ArtifactServiceStub(server.channel)

    async def __call__(self, method: Any, request: Any) -> Any:
        return await method(request, metadata=self._metadata)

    def stream(self, method: Any, request: Any) -> Any:
        return method(request, metadata=self._metadata)


@pytest.fixture
def ask(server: TestServer) -> Calls:
    """How to ask it."""
    return Calls(server)


def _struct(**values: Any) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    json_format.ParseDict({key: str(v) if isinstance(v, Path) else v for key, v in values.items()}, made)
    return made


async def _job(ask: Calls, type_: common_pb2.JobType.ValueType = common_pb2.JOB_TYPE_ANALYSIS, **given: Any) -> str:
    fields = {key: given.pop(key) for key in ("priority", "dependencies") if key in given}
    request = job_pb2.SubmitJobRequest(**WHERE, job_name="A job", job_type=type_, parameters=_struct(**given), **fields)
    return str((await ask(ask.jobs.SubmitJob, request)).job_id)


async def _waiting_job(ask: Calls, tmp_path: Path, **more: Any) -> str:
    given = {**more, "gate": tmp_path / "gate", "begun": tmp_path / "begun"}
    job_id = await _job(ask, common_pb2.JOB_TYPE_PROCESS_MINING, **given)
    await appears(tmp_path / "begun")
    return job_id


def _said(refusal: grpc.RpcError) -> LodestreamError:
    error = from_call(refusal)
    assert error is not None
    return error


async def _ended(server: TestServer, run_id: str) -> Any:
    return await server.engine.ended(Scope(TENANT, PROJECT), run_id)


def _step(
    key: str, type_: common_pb2.OperationType.ValueType, *needs: str, **parameters: Any
) -> batch_pb2.SubmitBatchRequest.Operation:
    return batch_pb2.SubmitBatchRequest.Operation(
        operation_name=key,
        operation_type=type_,
        operation_key=key,
        dependencies=needs,
        parameters=_struct(**parameters),
    )


def _batch(*steps: batch_pb2.SubmitBatchRequest.Operation, **given: Any) -> batch_pb2.SubmitBatchRequest:
    return batch_pb2.SubmitBatchRequest(**WHERE, batch_name="A batch", operations=steps, **given)


WORK, FAIL = common_pb2.OPERATION_TYPE_DATA_ENRICHMENT, common_pb2.OPERATION_TYPE_REPORT_GENERATION
GATE = common_pb2.OPERATION_TYPE_PROCESS_MINING_ANALYSIS


async def test_a_queue_is_paused_explained_reprioritised_purged_and_resumed(ask, server, tmp_path):
    """Each call shows what the one before did."""
    running = await _waiting_job(ask, tmp_path)
    paused = await ask(ask.queue.PauseQueue, queue_pb2.PauseQueueRequest(**WHERE, reason="spring"))
    assert paused.queue_status == queue_pb2.QUEUE_STATUS_PAUSED
    first, second = await _job(ask), await _job(ask, priority=common_pb2.PRIORITY_LOW)
    shown = await ask(ask.queue.GetQueue, queue_pb2.GetQueueRequest(**WHERE))
    assert shown.queue_status == queue_pb2.QUEUE_STATUS_PAUSED
    assert [one.job_id for one in shown.queued_jobs] == [first, second]
    explained = await ask(ask.queue.ExplainJob, queue_pb2.ExplainJobRequest(**WHERE, job_id=second))
    assert [one.reason for one in explained.waiting_for] == ["QUEUE_PAUSED", "EARLIER_IN_QUEUE", "NO_FREE_WORKER"]
    urgent = queue_pb2.ReprioritizeJobRequest(**WHERE, job_id=second, priority=common_pb2.PRIORITY_CRITICAL)
    assert (await ask(ask.queue.ReprioritizeJob, urgent)).queue_position == 1
    late = queue_pb2.ReprioritizeJobRequest(**WHERE, job_id=running, priority=common_pb2.PRIORITY_LOW)
    with pytest.raises(grpc.RpcError) as caught:
        await ask(ask.queue.ReprioritizeJob, late)
    assert _said(caught.value).reason == "RUN_ALREADY_STARTED"
    only = queue_pb2.PurgeQueueRequest(**WHERE, priority=common_pb2.PRIORITY_CRITICAL)
    purged = await ask(ask.queue.PurgeQueue, only)
    assert (purged.cancelled_jobs, purged.total_queued_jobs) == (1, 1)
    resumed = await ask(ask.queue.ResumeQueue, queue_pb2.ResumeQueueRequest(**WHERE))
    assert resumed.queue_status == queue_pb2.QUEUE_STATUS_ACTIVE
    (tmp_path / "gate").touch()
    assert (await _ended(server, first)).state == "COMPLETED"


async def test_a_file_that_has_gone_is_not_there(ask, server):
    """Removed between the look and the reading, as retention does: by itself and in the zip of all."""
    job_id = await _job(ask)
    await _ended(server, job_id)
    listed = await ask(ask.artifacts.ListArtifacts, artifact_pb2.ListArtifactsRequest(**WHERE, run_id=job_id))
    (artifact,) = listed.artifacts
    server.engine.store.files.drop_run(job_id)
    for wanted in (artifact.artifact_id, "all.zip"):
        request = artifact_pb2.DownloadArtifactRequest(**WHERE, run_id=job_id, artifact_id=wanted)
        with pytest.raises(grpc.RpcError) as caught:
            _ = [frame async for frame in ask.stream(ask.artifacts.DownloadArtifact, request)]
        assert _said(caught.value).reason == "ARTIFACT_NOT_FOUND"


async def test_a_cancelled_jobs_partial_results_can_be_downloaded(ask, server, tmp_path):
    """The receipt's address is that of a zip with the finished stage in it."""
    job_id = await _waiting_job(ask, tmp_path)
    receipt = await ask(ask.jobs.CancelJob, job_pb2.CancelJobRequest(**WHERE, job_id=job_id))
    assert receipt.partial_results.available
    assert receipt.partial_results.completed_stages == 1
    [url] = receipt.partial_results.download_urls
    request = artifact_pb2.DownloadArtifactRequest(**WHERE, run_id=job_id, artifact_id=url.rpartition("/")[2])
    content = b"".join([frame.chunk async for frame in ask.stream(ask.artifacts.DownloadArtifact, request)])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert set(archive.namelist()) == {"results.json", "Count/count.txt"}


async def test_the_documented_job_retry_gives_a_new_job(ask, server, tmp_path):
    """With the new limit, twice the memory and the reason; a stage that rejected records would run again."""
    job_id = await _waiting_job(ask, tmp_path, resourceAllocation={"memoryGB": 1})
    await ask(ask.jobs.CancelJob, job_pb2.CancelJobRequest(**WHERE, job_id=job_id))
    (tmp_path / "gate").touch()
    request = job_pb2.RetryJobRequest(
        **WHERE,
        job_id=job_id,
        retry_reason="Infrastructure issue resolved",
        modify_parameters=True,
        updated_parameters=_struct(timeoutMinutes=180, retryFailedRecords=True, increaseMemoryLimit=True),
        priority=common_pb2.PRIORITY_HIGH,
    )
    retried = await ask(ask.jobs.RetryJob, request)
    assert (retried.original_job_id, retried.retry_number) == (job_id, 1)
    assert retried.retry_reason == "Infrastructure issue resolved"
    before, after = await _ended(server, job_id), await _ended(server, retried.job_id)
    assert after.timeout_s == 180 * 60
    assert after.resources.memory_bytes == 2 * before.resources.memory_bytes
    assert "timeoutMinutes" not in after.parameters
    shown = await ask(ask.jobs.GetJob, job_pb2.GetJobRequest(**WHERE, job_id=retried.job_id))
    assert shown.original_job_id == job_id
    request.updated_parameters.CopyFrom(_struct(timeoutMinutes="soon"))
    with pytest.raises(grpc.RpcError) as caught:
        await ask(ask.jobs.RetryJob, request)
    assert _said(caught.value).violations[0].field == "updated_parameters.timeoutMinutes"


async def test_an_operation_resumes_where_it_was_stopped(ask, server, tmp_path):
    """The answer says from which phase on and what is taken over."""
    given = _struct(records=7, gate=tmp_path / "gate", begun=tmp_path / "begun")
    start = operation_pb2.StartOperationRequest(**WHERE, operation_name="x", operation_type=GATE, parameters=given)
    operation_id = (await ask(ask.operations.StartOperation, start)).operation_id
    await appears(tmp_path / "begun")
    which = {**WHERE, "operation_id": operation_id}
    await ask(ask.operations.CancelOperation, operation_pb2.CancelOperationRequest(**which))
    (tmp_path / "gate").touch()
    retried = await ask(ask.operations.RetryOperation, operation_pb2.RetryOperationRequest(**which))
    assert retried.retry_mode == operation_pb2.RETRY_MODE_RESUME
    assert retried.resume_from_phase == "Wait"
    preserved = retried.preserved_results
    assert (preserved.phases_preserved, preserved.records_processed, preserved.progress_saved) == (1, 7, 50.0)
    assert (await _ended(server, retried.new_operation_id)).state == "COMPLETED"
    again = operation_pb2.RetryOperationRequest(**WHERE, operation_id=retried.new_operation_id)
    with pytest.raises(grpc.RpcError) as caught:
        await ask(ask.operations.RetryOperation, again)
    assert _said(caught.value).reason == "RUN_NOT_RETRYABLE"


async def test_a_batch_is_submitted_followed_and_shown(ask, server):
    """The stream tells every operation's start and end once, numbered, and ends when the last one has."""
    request = _batch(_step("prep", WORK), _step("next", WORK, "prep"), _step("last", WORK, "next"))
    submitted = await ask(ask.batches.SubmitBatch, request)
    pending = common_pb2.OPERATION_STATUS_PENDING
    assert [one.status == pending for one in submitted.operations] == [False, True, True]
    assert submitted.tracking_url.endswith(f"/async/batch/{submitted.batch_id}")
    which = batch_pb2.GetBatchRequest(**WHERE, batch_id=submitted.batch_id)
    events, frames = [], []
    async for frame in ask.stream(ask.batches.WatchBatch, batch_pb2.WatchBatchRequest(request=which, replay=True)):
        frames.append(frame)
        events += frame.events.events
    assert frames[-1].done.state == common_pb2.RUN_STATE_COMPLETED
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    completed = [one.operation_key for one in events if one.status == common_pb2.OPERATION_STATUS_COMPLETED]
    assert completed == ["prep", "next", "last"]
    shown = await ask(ask.batches.GetBatch, which)
    assert (shown.completed_operations, shown.progress) == (3, 100.0)
    resumed = batch_pb2.WatchBatchRequest(request=which, resume_token=frames[0].resume_token, replay=True)
    told = [e async for f in ask.stream(ask.batches.WatchBatch, resumed) for e in f.events.events]
    assert [e.sequence for e in told] == [e.sequence for e in events[len(events) - len(told) :]]


async def test_a_batch_with_a_cycle_is_refused_with_the_way_round(ask):
    """And one with a failing step shows the failure of those that need it."""
    with pytest.raises(grpc.RpcError) as caught:
        await ask(ask.batches.SubmitBatch, _batch(_step("a", WORK, "b"), _step("b", WORK, "a")))
    error = _said(caught.value)
    assert error.reason == "DEPENDENCY_PROBLEM"
    assert "a → b → a" in str(error)


async def test_cancelling_a_batch_gives_a_receipt_for_each(ask, tmp_path):
    """Of those that were stopped; repeated, the same again."""
    gate = _step("gate", GATE, gate=tmp_path / "gate", begun=tmp_path / "begun")
    batch_id = (await ask(ask.batches.SubmitBatch, _batch(gate, _step("after", WORK, "gate")))).batch_id
    await appears(tmp_path / "begun")
    request = batch_pb2.CancelBatchRequest(**WHERE, batch_id=batch_id, reason="enough")
    receipt = await ask(ask.batches.CancelBatch, request)
    assert receipt.reason == "enough"
    assert len(receipt.operations) == 2
    assert await ask(ask.batches.CancelBatch, request) == receipt


async def test_dependencies_are_shown_from_both_ends(ask, server, tmp_path):
    """What must complete first, what waits, what holds it up; later, what held it up."""
    first = await _waiting_job(ask, tmp_path)
    then = await _job(ask, dependencies=[first])
    last = await _job(ask, dependencies=[then])
    which = tracking_pb2.GetJobDependenciesRequest(**WHERE, job_id=then)
    shown = await ask(ask.tracking.GetJobDependencies, which)
    assert [one.job_id for one in shown.dependencies.prerequisite_jobs] == [first]
    assert [one.job_id for one in shown.dependencies.dependent_jobs] == [last]
    assert [one.status for one in shown.blocking_conditions] == [tracking_pb2.DEPENDENCY_STATUS_BLOCKING]
    assert [(getattr(edge, "from"), edge.to) for edge in shown.dependency_graph.edges] == [(first, then), (then, last)]
    (tmp_path / "gate").touch()
    await _ended(server, last)
    shown = await ask(ask.tracking.GetJobDependencies, which)
    assert {one.status for one in shown.blocking_conditions} == {tracking_pb2.DEPENDENCY_STATUS_RESOLVED}
    [node] = shown.dependencies.resource_dependencies
    assert (node.resource_type, node.status) == ("ComputeNode", tracking_pb2.DEPENDENCY_STATUS_RELEASED)


async def test_the_system_says_what_was_done(ask, server):
    """Completed today, how long they took, how many of those that ended went well, how long they waited."""
    system = system_pb2_grpc.SystemServiceStub(server.channel)
    request = system_pb2.GetSystemStatusRequest(tenant_id=TENANT)
    before = (await ask(system.GetSystemStatus, request)).performance_metrics
    assert before.jobs_completed_today == 0
    assert not before.HasField("average_job_duration")
    assert not before.HasField("success_rate")
    for _ in range(2):
        await _ended(server, await _job(ask))
    batch = await ask(ask.batches.SubmitBatch, _batch(_step("bad", FAIL)))
    await _ended(server, batch.operations[0].operation_id)
    shown = await ask(system.GetSystemStatus, request)
    done = shown.performance_metrics
    assert done.jobs_completed_today == 2
    assert done.average_job_duration.ToTimedelta().total_seconds() > 0
    assert done.success_rate == 66.7
    assert done.throughput_per_hour == 0.1
    assert 0 <= shown.queue_statistics.average_wait_time.ToTimedelta().total_seconds() < 10
