"""SystemService: the documented status of the service."""

from lodestream.v1 import system_pb2 as system
from lodestream_mock.answers.call import Call, answers
from lodestream_mock.answers.replay import payload
from lodestream_mock.play import typed


@answers("GetSystemStatus")
def get_system_status(call: Call, request: system.GetSystemStatusRequest) -> system.GetSystemStatusResponse:
    """The documented payload; outside the documented moment with the session's time and queue."""
    session = call.session
    out = payload(call, "get-system-status.response", system.GetSystemStatusResponse)
    if not session.pinned:
        call.derived("get-system-status.response")
        out.timestamp.CopyFrom(typed.instant(session.epoch_ms))
        priorities = [session.played(run).story.priority for run in session.waiting()]
        out.queue_statistics.total_queued_jobs = len(priorities)
        out.queue_statistics.high_priority_jobs = priorities.count("High") + priorities.count("Critical")
        out.queue_statistics.normal_priority_jobs = priorities.count("Normal")
        out.queue_statistics.low_priority_jobs = priorities.count("Low")
    return out
