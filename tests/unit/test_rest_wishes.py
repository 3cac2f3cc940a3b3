"""A socket tells what was subscribed to, in order, and nothing else."""

from lodestream.rest.wishes import Wishes
from lodestream.v1 import common_pb2, event_pb2, job_pb2, webhook_pb2

E = event_pb2.RunEvent
STORY = [
    E(sequence=1, submitted=E.Submitted()),
    E(sequence=2, started=E.Started()),
    E(sequence=3, phase_started=E.PhaseStarted(phase="Load")),
    E(sequence=4, percentage=4, progressed=E.Progressed()),
    E(sequence=5, percentage=12, progressed=E.Progressed()),
    E(sequence=6, percentage=18, progressed=E.Progressed()),
    E(sequence=7, percentage=18, logged=common_pb2.LogEntry(level=common_pb2.LOG_LEVEL_DEBUG)),
    E(sequence=8, percentage=18, logged=common_pb2.LogEntry(level=common_pb2.LOG_LEVEL_WARN)),
    E(sequence=9, percentage=18, logged=common_pb2.LogEntry(level=common_pb2.LOG_LEVEL_ERROR)),
    E(sequence=10, percentage=18, noted=E.Noted(kind=E.Noted.KIND_WARNING)),
    E(sequence=11, percentage=18, noted=E.Noted(kind=E.Noted.KIND_MILESTONE)),
    E(sequence=12, percentage=25, phase_completed=E.PhaseCompleted(phase="Load")),
    E(sequence=13, percentage=25, sampled=E.Sampled()),
    E(sequence=14, percentage=100, completed=E.Completed()),
]


def told(*words: str, **filters) -> list[int]:
    """The sequences of the story that a subscriber hears."""
    events = [webhook_pb2.SubscriptionEvent.Value(f"SUBSCRIPTION_EVENT_{word}") for word in words]
    wished = webhook_pb2.SubscriptionFilters(**filters)
    frame = job_pb2.WatchJobResponse(events=event_pb2.RunEvents(events=STORY))
    passing = Wishes(webhook_pb2.SubscribeToJobRequest(events=events, filters=wished)).passing(frame)
    assert passing == bool(frame.events.events)
    return [event.sequence for event in frame.events.events]


def test_each_word_lets_its_events_through():
    """What nobody can subscribe to is never told."""
    assert told("STAGE_STARTED") == [3]
    assert told("STAGE_COMPLETED") == [12]
    assert told("PROGRESS_UPDATE") == [4, 5, 6, 12]
    assert told("WARNING") == [8, 10]
    assert told("ERROR") == [9]
    assert told("JOB_COMPLETED") == [14]
    assert told("STAGE_STARTED", "JOB_COMPLETED") == [3, 14]


def test_filters_let_more_or_less_through():
    """Steps of progress count from what was told last; errors and debug lines can be asked for beside the words."""
    assert told("PROGRESS_UPDATE", min_progress_increment=10) == [5, 12]
    assert told("STAGE_COMPLETED", "PROGRESS_UPDATE", min_progress_increment=50) == [12]
    assert told("STAGE_STARTED", notify_on_errors=True) == [3, 9]
    assert told("STAGE_STARTED", include_debug_events=True) == [3, 7]


def test_frames_without_events_always_pass():
    """Snapshot, bookmark, reset and done belong to the stream."""
    wishes = Wishes(webhook_pb2.SubscribeToJobRequest())
    assert wishes.passing(job_pb2.WatchJobResponse(done=common_pb2.Done()))
    assert wishes.passing(job_pb2.WatchJobResponse(snapshot=job_pb2.GetJobResponse()))
