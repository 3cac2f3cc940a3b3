"""Watch streams replay the documented story to its end, in order, each thing once, with tokens that work."""

import pytest
from lodestream_mock.contract import methods

from lodestream import wire
from tests.mock.world import IDS, World, request_of

ENDING = [
    "WatchBatch",
    "WatchJob",
    "WatchJobLogs",
    "WatchJobMetrics",
    "WatchJobProgress",
    "WatchJobTimeline",
    "WatchOperation",
]


def kinds(frames):
    """The kind of each frame."""
    return [frame.WhichOneof("frame") for frame in frames]


def sequences(frames):
    """The numbers of all events."""
    return [event.sequence for frame in frames if frame.HasField("events") for event in frame.events.events]


def test_these_are_the_streams_that_end():
    """The others follow many runs."""
    streaming = {name for name, method in methods().items() if method.streams}
    assert streaming == {*ENDING, "WatchQueue", "WatchTrackedJobs", "DownloadArtifact"}


@pytest.mark.parametrize("method", ENDING)
async def test_a_stream_begins_with_the_documented_state_and_goes_on_to_done(method):
    """On the auto clock 42 minutes pass at once; done comes last, once."""
    world = World(clock="auto")
    found = kinds(await world.frames(method))
    assert found[0] == "snapshot"
    assert (found[-1], found.count("done")) == ("done", 1)
    assert found.count("bookmark") >= 1


@pytest.mark.parametrize(
    "method", ["WatchJob", "WatchOperation", "WatchJobLogs", "WatchJobTimeline", "WatchJobProgress"]
)
async def test_replay_tells_the_whole_story_in_order(method):
    """From the first event, without a snapshot, numbers rising."""
    world = World(clock="auto")
    frames = await world.frames(method, replay=True)
    numbers = sequences(frames)
    assert "snapshot" not in kinds(frames)
    assert numbers == sorted(set(numbers))
    if method in ("WatchJob", "WatchOperation"):
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("method", ["WatchJob", "WatchJobLogs", "WatchBatch"])
async def test_a_stream_resumed_after_any_frame_tells_exactly_the_rest(method):
    """No gap, no repeat."""
    world = World(clock="auto")
    whole = await world.frames(method, replay=True)
    for place, frame in enumerate(whole[:-1]):
        rest = await world.frames(method, resume_token=frame.resume_token)
        assert sequences(whole[: place + 1]) + sequences(rest) == sequences(whole)
        assert kinds(rest)[-1] == "done"


@pytest.mark.parametrize(
    ("token", "reason"), [("nonsense!", "MALFORMED"), ("", "OTHER_REQUEST")], ids=["malformed", "of another stream"]
)
async def test_a_token_that_cannot_be_honoured_gives_reset_and_a_snapshot(token, reason):
    """Never a silent start elsewhere."""
    world = World(clock="auto")
    token = token or (await world.frames("WatchJobLogs"))[0].resume_token
    frames = await world.frames("WatchJob", resume_token=token)
    assert kinds(frames)[:2] == ["reset", "snapshot"]
    assert frames[0].reset.reason == reason


async def test_on_a_frozen_clock_a_stream_waits_until_the_clock_is_moved():
    """Then it tells everything that has become due in one frame."""
    world = World()
    call = world.start("WatchJob")
    assert kinds([await call.read(), await call.read()]) == ["snapshot", "bookmark"]
    world.session.clock.move_to(60 * 60_000)
    assert kinds([await call.read(), await call.read()]) == ["events", "done"]
    await world.session.settled()


async def test_log_filters_hold_for_the_stream():
    """Level is a threshold."""
    world = World(scenario="many-logs")
    frames = await world.frames("WatchJobLogs", replay=True, level=3)
    lines = [event.entry for frame in frames if frame.HasField("events") for event in frame.events.events]
    assert (len(lines), {line.level for line in lines}) == (2000, {3})


async def test_ten_thousand_log_lines_come_each_once_in_order():
    """In virtual 1,000 seconds."""
    frames = await World(scenario="many-logs").frames("WatchJobLogs", replay=True)
    lines = [event.entry.message for frame in frames if frame.HasField("events") for event in frame.events.events]
    assert lines == [f"Processing batch {n} of 10000" for n in range(1, 10_001)]


async def test_granularity_holds_for_the_stream():
    """Major events leave progress out."""
    world = World(clock="auto")
    fine = await world.frames("WatchJobTimeline", replay=True, granularity=1)
    world.begin(clock="auto")
    coarse = await world.frames("WatchJobTimeline", replay=True, granularity=3)
    assert len(sequences(coarse)) < len(sequences(fine))


async def test_streams_speak_the_language_of_the_call():
    """Snapshot and events."""
    frames = await World(clock="auto").frames("WatchJobTimeline", request_of("WatchJobTimeline"), "tr")
    assert frames[0].snapshot.job_name == "Müşteri Yolculuğu Analizi"
    last = next(frame for frame in reversed(frames) if frame.HasField("events"))
    assert last.events.events[-1].event.description == "İş tamamlandı"
    assert wire.to_dict(frames[0].snapshot, "tr")["timeline"][0]["eventType"] == "İşBaşladı"


async def test_tracked_jobs_end_with_done_when_the_named_ones_have_ended():
    """At most one frame every refreshInterval."""
    world = World(clock="auto")
    frames = await world.frames("WatchTrackedJobs", job_ids=[IDS["job_id"]], refresh_interval=600)
    assert kinds(frames)[-1] == "done"
    assert kinds(frames).count("snapshot") <= 5


async def test_the_queue_is_followed_without_end():
    """Each frame shows a later state of it."""
    world = World(scenario="queue", clock="auto")
    call = world.start("WatchQueue")
    waiting = [
        frame.snapshot.summary.total_queued_jobs
        for frame in [await call.read() for _ in range(30)]
        if frame.HasField("snapshot")
    ]
    call.cancel()
    assert waiting[0] == 240
    assert waiting == sorted(waiting, reverse=True)
    assert waiting[-1] < 240


async def test_two_streams_of_a_session_tell_the_same_frames_as_each_alone():
    """Whatever the other one does to the clock."""
    alone = [await World(clock="auto").frames(method, replay=True) for method in ("WatchJob", "WatchJobLogs")]
    world = World(clock="auto")
    calls = [world.start(method, replay=True) for method in ("WatchJob", "WatchJobLogs")]
    together: list[list[object]] = [[], []]
    open_calls = {0, 1}
    while open_calls:
        for index in sorted(open_calls):
            frame = await calls[index].read()
            if not hasattr(frame, "resume_token"):
                open_calls.discard(index)
            else:
                together[index].append(frame)
    assert together == alone
