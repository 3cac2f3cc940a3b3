"""Metrics of a real run: its place among earlier ones of the type in the project."""

import pytest
from lodestream_server.runs.metrics import KINDS

from lodestream.v1.tracking_pb2 import GetJobMetricsRequest, WatchJobMetricsRequest
from lodestream.v1.tracking_pb2_grpc import TrackingServiceStub
from tests.integration.client_world import world
from tests.support.server import PROJECT, TENANT


@pytest.fixture
async def here(tmp_path):
    """A server."""
    async with world(tmp_path) as made:
        yield made


async def _metrics(here, run_id, project=PROJECT):
    request = GetJobMetricsRequest(tenant_id=TENANT, project_id=project, job_id=run_id)
    return await here.client.raw(TrackingServiceStub).GetJobMetrics(request)


async def test_a_run_is_held_against_earlier_ones_of_its_type(here):
    """The first has nothing to be held against; a later one has a rank, shares that are the whole, and the estimate's
    accuracy."""
    jobs = []
    for number in range(4):
        jobs.append(await here.client.submit_job(f"Number {number}", parameters={"records": 20_000}))
        await jobs[-1].wait()
    assert not (await _metrics(here, jobs[0].id)).HasField("benchmarks")
    found = await _metrics(here, jobs[-1].id)
    shares = found.benchmarks.similar_jobs_comparison
    assert shares.faster_than + shares.similar_to + shares.slower_than == pytest.approx(100, abs=0.2)
    assert found.benchmarks.current_performance_rank == round(shares.faster_than)
    assert found.benchmarks.average_job_duration.ToMilliseconds() > 0
    assert 0 < found.performance_trends.prediction_accuracy <= 100
    assert found.current_metrics.stages.stage_efficiency > 0


async def test_other_types_and_failed_runs_are_no_measure(here):
    """Neither does a run that failed get a rank among those that completed."""
    await (await here.client.submit_job("Other", parameters={"records": 20_000})).wait()
    failed = await here.client.submit_job("Fails", type="Analysis")
    await failed.wait()
    assert not (await _metrics(here, failed.id)).HasField("benchmarks")


async def test_a_stream_reads_on_from_where_it_was(here, monkeypatch):
    """However long the run has been at work, the next picture costs what has happened since the last one."""
    job = await here.client.submit_job("Long", type="DataEnrichment", parameters=here.waiting)
    await here.begun()
    read: list[tuple[int, int]] = []
    events = here.server.engine.events

    async def noted(scope, run_id, *, after=0, **wanted):
        found = await events(scope, run_id, after=after, **wanted)
        if wanted.get("kinds") == KINDS:
            read.append((after, found[-1].sequence if found else after))
        return found

    monkeypatch.setattr(here.server.engine, "events", noted)
    request = WatchJobMetricsRequest(
        request=GetJobMetricsRequest(tenant_id=TENANT, project_id=PROJECT, job_id=job.id, include_history=True)
    )
    shown = []
    async for frame in here.client.raw(TrackingServiceStub).WatchJobMetrics(request):
        here.gate.touch()
        shown += [frame.snapshot] if frame.HasField("snapshot") else []
    assert [after for after, _ in read] == [0, *(newest for _, newest in read[:-1])]
    assert read[-1][1] > read[0][1]
    assert len(shown) > 1
    whole = await here.client.raw(TrackingServiceStub).GetJobMetrics(request.request)
    assert len(whole.historical_metrics) > 0
    assert shown[-1].historical_metrics == whole.historical_metrics
