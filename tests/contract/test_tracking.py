"""Progress, logs, timeline, metrics, tracked jobs, queue and system at a glance."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from lodestream import errors
from lodestream.v1 import common_pb2, queue_pb2, system_pb2, tracking_pb2
from tests.contract.kinds import JOBS

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ask(world, name, run_id, **fields):
    """An answer of the tracking service."""
    request = getattr(tracking_pb2, f"Get{name}Request")(**world.scope, job_id=run_id, **fields)
    return await world.door.call(f"TrackingService/Get{name}", request)


async def test_progress_shows_every_stage_in_order(world, kind):
    """Also of a run that has not started: 0 percent, nothing elapsed."""
    ended = await ask(world, "JobProgress", await world.finished(kind))
    assert [(stage.stage_name, stage.stage_order, stage.progress) for stage in ended.stages] == [
        ("Count", 1, 100),
        ("Add", 2, 100),
    ]
    later = {"scheduled_time": Timestamp(seconds=4102444800)}
    waiting = await world.start(JOBS, JOBS.quick, scheduling=later)
    shown = await ask(world, "JobProgress", waiting.job_id)
    assert (shown.overall_progress.percentage, shown.status) == (0, common_pb2.JOB_STATUS_QUEUED)
    assert shown.overall_progress.HasField("elapsed")
    assert {stage.status for stage in shown.stages} == {common_pb2.STAGE_STATUS_PENDING}


async def test_progress_names_what_is_being_done(world, kind):
    """Component and activity while a worker is at it."""
    run_id = await world.start_waiting(kind)
    shown = await ask(world, "JobProgress", run_id)
    assert shown.current_activity.component == "Tester"
    assert shown.current_activity.operation
    await world.cancel(kind, run_id)


async def test_logs_count_everything_and_show_what_passes(world, kind):
    """The level is a threshold; the summary does not care for it."""
    run_id = await world.finished(kind, parameters={"records": 3})
    info = await ask(world, "JobLogs", run_id)
    errors_only = await ask(world, "JobLogs", run_id, level=common_pb2.LOG_LEVEL_ERROR)
    assert [entry.message for entry in info.logs] == ["counted 3"]
    assert info.logs[0].details["records"] == 3
    assert not errors_only.logs
    assert info.logs_summary == errors_only.logs_summary
    assert info.logs_summary.info_entries == 1


async def test_logs_can_be_bounded_in_time(world, kind):
    """Both ends count; an inverted range is refused."""
    run_id = await world.finished(kind)
    when = (await ask(world, "JobLogs", run_id)).logs[0].timestamp
    # REST tells whole seconds.
    begin, end, after = (Timestamp(seconds=when.seconds + more) for more in (0, 1, 60))
    assert len((await ask(world, "JobLogs", run_id, from_time=begin, to_time=end)).logs) == 1
    assert not (await ask(world, "JobLogs", run_id, from_time=after)).logs
    with pytest.raises(errors.InvalidField, match="to_time"):
        await ask(world, "JobLogs", run_id, from_time=after, to_time=begin)


@pytest.mark.parametrize("limit", [0, -1, 10_001])
async def test_limits_have_limits(world, limit):
    """From 1 to 10,000."""
    with pytest.raises(errors.InvalidField, match="limit"):
        await ask(world, "JobLogs", await world.finished(JOBS), limit=limit)


async def test_a_timeline_tells_edges_and_with_sub_events_more(world, kind):
    """Submitted first, the end last; major events leave progress out even when asked for."""
    run_id = await world.finished(kind, parameters={"records": 20})
    plain = await ask(world, "JobTimeline", run_id)
    major = {"granularity": tracking_pb2.TIMELINE_GRANULARITY_MAJOR_EVENTS}
    fine = {"granularity": tracking_pb2.TIMELINE_GRANULARITY_SECONDS, "include_sub_events": True}
    types = [entry.event_type for entry in plain.timeline]
    assert types[0] == tracking_pb2.TIMELINE_EVENT_TYPE_JOB_SUBMITTED
    assert types[-1] == tracking_pb2.TIMELINE_EVENT_TYPE_JOB_COMPLETED
    assert tracking_pb2.TIMELINE_EVENT_TYPE_MILESTONE in types
    assert len((await ask(world, "JobTimeline", run_id, **fine)).timeline) > len(types)
    assert len((await ask(world, "JobTimeline", run_id, include_sub_events=True, **major)).timeline) == len(types)
    assert plain.timeline_scope.granularity == tracking_pb2.TIMELINE_GRANULARITY_MINUTES
    assert not plain.upcoming_events


async def test_metrics_are_complete_for_a_run_that_never_started(world):
    """What programs read is there; what was not measured is absent, not invented."""
    later = {"scheduled_time": Timestamp(seconds=4102444800)}
    waiting = await world.start(JOBS, JOBS.quick, scheduling=later)
    shown = await ask(world, "JobMetrics", waiting.job_id)
    assert shown.current_metrics.stages.pending == 2
    assert shown.current_metrics.resource_utilization.memory.used_bytes == 0
    assert not shown.performance_trends.HasField("cpu_trend")


async def test_metrics_show_the_parts_asked_for(world, kind):
    """Of a run that was measured; the history comes on request."""
    run_id = await world.finished(kind)
    whole = await ask(world, "JobMetrics", run_id, include_history=True)
    memory = await ask(world, "JobMetrics", run_id, metrics=[tracking_pb2.METRIC_MEMORY])
    assert whole.current_metrics.resource_utilization.memory.used_bytes > 0
    assert whole.historical_metrics
    assert memory.current_metrics.resource_utilization.memory.used_bytes > 0
    assert not memory.current_metrics.resource_utilization.cpu.HasField("cores")
    assert not memory.historical_metrics


async def test_tracked_jobs_leave_out_what_is_not_there(world):
    """Named ones that exist, newest first, counted."""
    first, second = await world.finished(JOBS), await world.finished(JOBS, JOBS.failing)
    request = tracking_pb2.TrackJobsRequest(**world.scope, job_ids=[first, "nobody", second, first])
    shown = await world.door.call("TrackingService/TrackJobs", request)
    assert [job.job_id for job in shown.jobs] == [second, first]
    assert (shown.job_count, shown.summary.completed, shown.summary.failed) == (2, 1, 1)


async def test_tracked_jobs_can_be_filtered(world):
    """By where they stand and by who submitted them; without ids all of the project that matter."""
    first, _ = await world.finished(JOBS), await world.finished(JOBS, JOBS.failing)
    request = tracking_pb2.TrackJobsRequest(**world.scope, status=common_pb2.JOB_STATUS_COMPLETED)
    shown = await world.door.call("TrackingService/TrackJobs", request)
    assert [job.job_id for job in shown.jobs] == [first]
    nobody = tracking_pb2.TrackJobsRequest(**world.scope, submitted_by="nobody")
    assert (await world.door.call("TrackingService/TrackJobs", nobody)).job_count == 0


async def test_the_queue_lists_what_waits_in_turn(world):
    """More runs than seats: the urgent one is next, whoever came first."""
    held = [await world.start_waiting(JOBS), await world.start_waiting(JOBS)]
    normal = (await world.start(JOBS, JOBS.quick)).job_id
    urgent = (await world.start(JOBS, JOBS.quick, priority=common_pb2.PRIORITY_CRITICAL)).job_id
    shown = await world.door.call("QueueService/GetQueue", queue_pb2.GetQueueRequest(**world.scope))
    assert [job.job_id for job in shown.queued_jobs] == [urgent, normal]
    assert (shown.summary.total_queued_jobs, shown.summary.critical_priority_jobs) == (2, 1)
    assert (await world.get(JOBS, urgent)).queue_position == 1
    only = queue_pb2.GetQueueRequest(**world.scope, priority=common_pb2.PRIORITY_NORMAL)
    few = await world.door.call("QueueService/GetQueue", only)
    assert [job.job_id for job in few.queued_jobs] == [normal]
    assert few.summary == shown.summary
    for run_id in (normal, urgent, *held):
        await world.cancel(JOBS, run_id)


async def test_the_system_status_is_measured(world):
    """Seats, machine and disk; a tenant's queue."""
    shown = await world.door.call(
        "SystemService/GetSystemStatus", system_pb2.GetSystemStatusRequest(tenant_id=world.tenant_id)
    )
    assert shown.execution_nodes[0].job_capacity == 2
    assert shown.resource_utilization.total_memory_bytes > 0
    assert shown.queue_statistics.total_queued_jobs == 0
