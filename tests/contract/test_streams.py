"""Watching runs: snapshot, events without gap or repeat, done once; resume, replay, reset."""

from dataclasses import replace
from typing import Any

import pytest

from lodestream import errors
from lodestream.v1 import common_pb2, tracking_pb2
from tests.contract.kinds import JOBS

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def told(frames):
    """All frames of a stream that ends."""
    return [frame async for frame in frames]


def events_in(frames):
    """The events of the frames, in their order."""
    return [event for frame in frames for event in frame.events.events]


def kinds_of(frames):
    """What each frame holds."""
    return [frame.WhichOneof("frame") for frame in frames]


async def test_a_late_listener_hears_the_whole_story(world, kind):
    """Replaying after the end gives the events a live listener saw, in the same order, and then done."""
    run_id = kind.id_of(await world.start(kind, kind.quick))
    live = await told(world.watch(kind, run_id, replay=True))
    late = await told(world.watch(kind, run_id, replay=True))
    assert events_in(late) == events_in(live)
    assert [event.sequence for event in events_in(late)] == list(range(1, len(events_in(late)) + 1))
    assert kinds_of(late).count("done") == kinds_of(live).count("done") == 1
    assert late[-1].done.state == common_pb2.RUN_STATE_COMPLETED
    assert events_in(late)[-1].WhichOneof("body") == "completed"


async def test_a_stream_begins_with_the_state_now(world, kind):
    """Of an ended run that is all, and done."""
    frames = await told(world.watch(kind, await world.finished(kind)))
    assert kinds_of(frames) == ["snapshot", "done"]
    assert frames[0].snapshot.status == kind.completed


async def test_events_follow_the_snapshot_without_gap(world, kind):
    """The first event after a snapshot is the next one of the run."""
    run_id = await world.start_waiting(kind)
    stream = world.watch(kind, run_id)
    first = await anext(stream)
    world.gate.touch()
    frames = [first, *(await told(stream))]
    whole = events_in(await told(world.watch(kind, run_id, replay=True)))
    after = events_in(frames)
    assert kinds_of(frames)[0] == "snapshot"
    assert after == whole[-len(after) :]
    assert len(after) < len(whole)


@pytest.mark.parametrize("replay", [True, False])
async def test_every_token_continues_where_its_frame_ended(world, kind, replay):
    """Resuming from each frame in turn gives exactly the rest, and done."""
    run_id = await world.finished(kind)
    frames = await told(world.watch(kind, run_id, replay=True))
    for position, frame in enumerate(frames):
        rest = await told(world.watch(kind, run_id, resume_token=frame.resume_token, replay=replay))
        assert events_in(rest) == events_in(frames[position + 1 :])
        assert kinds_of(rest)[-1] == "done"
        assert "snapshot" not in kinds_of(rest)


async def test_a_silent_stream_gives_signs_of_life(world, kind):
    """Bookmarks come by themselves, and their tokens are as good as others."""
    run_id = await world.start_waiting(kind)
    await world.cancel(kind, run_id)
    scheduled = await world.start(JOBS, JOBS.quick, scheduling={"scheduled_time": {"seconds": 4102444800}})
    async for frame in world.watch(JOBS, scheduled.job_id):
        if frame.WhichOneof("frame") == "bookmark":
            break
    resumed = world.watch(JOBS, scheduled.job_id, resume_token=frame.resume_token)
    assert kinds_of([await anext(resumed)]) == ["bookmark"]
    await resumed.aclose()
    await world.cancel(JOBS, scheduled.job_id)


async def test_a_token_that_cannot_be_honoured_says_so_and_starts_over(world, kind):
    """A mangled one, one of another run, one from beyond the log: reset, a fresh snapshot, and the stream goes on."""
    mine, other = await world.finished(kind), await world.finished(kind)
    token = (await told(world.watch(kind, other)))[-1].resume_token
    for wrong, reason in ((token, "OTHER_REQUEST"), (token[:-3], "MALFORMED"), ("?", "MALFORMED")):
        frames = await told(world.watch(kind, mine, resume_token=wrong))
        assert kinds_of(frames) == ["reset", "snapshot", "done"]
        assert frames[0].reset.reason == reason
        assert frames[0].reset.message


async def test_watching_what_is_not_there_is_refused(world, kind):
    """Before the first frame."""
    with pytest.raises(errors.RunNotFound):
        await anext(world.watch(kind, "nothing"))


async def test_progress_never_falls(world, kind):
    """Over the whole story of a run."""
    run_id = await world.finished(kind, parameters={"records": 50})
    percentages = [event.percentage for event in events_in(await told(world.watch(kind, run_id, replay=True)))]
    assert percentages == sorted(percentages)
    assert percentages[-1] == 100


def tracking(world, name, run_id, **filters):
    """The frames of a tracking stream, replayed."""
    inner = getattr(tracking_pb2, f"Get{name}Request")(**world.scope, job_id=run_id, **filters)
    request = getattr(tracking_pb2, f"Watch{name}Request")(request=inner, replay=True)
    return world.door.watch(f"TrackingService/Watch{name}", request)


async def test_log_streams_pass_what_the_level_lets_through(world, kind):
    """Nothing below it, and numbers that are the run's own."""
    run_id = await world.finished(kind, kind.failing)
    everything = events_in(await told(tracking(world, "JobLogs", run_id, level=common_pb2.LOG_LEVEL_DEBUG)))
    errors_only = events_in(await told(tracking(world, "JobLogs", run_id, level=common_pb2.LOG_LEVEL_ERROR)))
    assert all(item.entry.level == common_pb2.LOG_LEVEL_ERROR for item in errors_only)
    assert {item.sequence for item in errors_only} <= {item.sequence for item in everything}


async def test_a_filtered_stream_ends_like_any_other(world, kind):
    """With done, and with a token that continues after the run's last event, which the filter hid."""
    run_id = await world.finished(kind)
    frames = await told(tracking(world, "JobLogs", run_id, level=common_pb2.LOG_LEVEL_ERROR))
    assert kinds_of(frames) == ["done"]
    again = tracking_pb2.WatchJobLogsRequest(
        request=tracking_pb2.GetJobLogsRequest(**world.scope, job_id=run_id, level=common_pb2.LOG_LEVEL_ERROR),
        resume_token=frames[-1].resume_token,
    )
    assert kinds_of(await told(world.door.watch("TrackingService/WatchJobLogs", again))) == ["done"]


async def test_a_token_of_another_filter_is_no_token_of_this_stream(world, kind):
    """Holes of one filter would be gaps of the other."""
    run_id = await world.finished(kind)
    token = (await told(tracking(world, "JobLogs", run_id)))[-1].resume_token
    request = tracking_pb2.WatchJobLogsRequest(
        request=tracking_pb2.GetJobLogsRequest(**world.scope, job_id=run_id, level=common_pb2.LOG_LEVEL_DEBUG),
        resume_token=token,
    )
    frames = await told(world.door.watch("TrackingService/WatchJobLogs", request))
    assert kinds_of(frames)[:2] == ["reset", "snapshot"]


@pytest.mark.parametrize("name", ["JobProgress", "JobTimeline"])
async def test_tracking_streams_tell_jobs_and_operations(world, kind, name):
    """In order, each once, done at the end."""
    frames = await told(tracking(world, name, await world.finished(kind)))
    sequences = [item.sequence for item in events_in(frames)]
    assert sequences == sorted(set(sequences))
    assert sequences[0] == 1
    assert kinds_of(frames)[-1] == "done"


async def test_minutes_tell_a_stage_at_most_once_a_minute_also_after_resuming(world, kind):
    """What was told before a break counts after it."""
    run_id = await world.finished(kind, parameters={"records": 300})
    wanted: dict[str, Any] = {"include_sub_events": True, "granularity": tracking_pb2.TIMELINE_GRANULARITY_MINUTES}
    frames = await told(tracking(world, "JobTimeline", run_id, **wanted))
    whole = events_in(frames)
    progress = [item for item in whole if item.event.event_type == tracking_pb2.TIMELINE_EVENT_TYPE_PROGRESS]
    told_of = [(item.event.details["stageName"], item.event.timestamp.seconds // 60) for item in progress]
    assert len(told_of) == len(set(told_of)) > 0
    inner = tracking_pb2.GetJobTimelineRequest(**world.scope, job_id=run_id, **wanted)
    again = tracking_pb2.WatchJobTimelineRequest(request=inner, resume_token=frames[0].resume_token)
    rest = events_in(await told(world.door.watch("TrackingService/WatchJobTimeline", again)))
    assert rest == events_in(frames[1:])


async def test_metrics_streams_show_the_latest_and_end_with_the_run(world, kind):
    """A snapshot that replaces the one before, then done."""
    run_id = await world.start_waiting(kind)
    request = tracking_pb2.WatchJobMetricsRequest(
        request=tracking_pb2.GetJobMetricsRequest(**world.scope, job_id=run_id)
    )
    stream = world.door.watch("TrackingService/WatchJobMetrics", request)
    first = await anext(stream)
    world.gate.touch()
    rest = await told(stream)
    assert first.WhichOneof("frame") == "snapshot"
    assert kinds_of(rest)[-2:] == ["snapshot", "done"]
    assert rest[-2].snapshot.current_metrics.stages.completed == 2


async def test_tracked_jobs_are_watched_until_all_named_ones_ended(world):
    """The last picture shows the end; an id that is not there is left out."""
    run_id = await world.start_waiting(JOBS)
    inner = tracking_pb2.TrackJobsRequest(**world.scope, job_ids=[run_id, "nobody"], refresh_interval=1)
    request = tracking_pb2.WatchTrackedJobsRequest(request=inner)
    stream = world.door.watch("TrackingService/WatchTrackedJobs", request)
    first = await anext(stream)
    world.gate.touch()
    rest = await told(stream)
    assert [job.job_id for job in first.snapshot.jobs] == [run_id]
    assert rest[-2].snapshot.summary.completed == 1
    assert kinds_of(rest)[-1] == "done"


async def test_foreign_streams_are_refused(world, kind):
    """A run of another project cannot be watched, on any stream."""
    run_id = await world.finished(kind)
    elsewhere = replace(world, project_id="99999999-9999-4999-8999-999999999999")
    for name in ("JobProgress", "JobLogs", "JobTimeline"):
        with pytest.raises(errors.RunNotFound):
            await anext(tracking(elsewhere, name, run_id))
