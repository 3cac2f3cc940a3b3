"""What a subscriber over WebSocket wants to be told, applied to the frames of the job's stream. Pure.

The same words as in calls to webhooks: each event of a run has one, or none that anybody can subscribe to.
"""

from typing import Any

from lodestream.v1 import common_pb2, event_pb2, webhook_pb2

_STARTED = webhook_pb2.SUBSCRIPTION_EVENT_STAGE_STARTED
_COMPLETED = webhook_pb2.SUBSCRIPTION_EVENT_STAGE_COMPLETED
_PROGRESS = webhook_pb2.SUBSCRIPTION_EVENT_PROGRESS_UPDATE
_ERROR = webhook_pb2.SUBSCRIPTION_EVENT_ERROR
_WARNING = webhook_pb2.SUBSCRIPTION_EVENT_WARNING
_ENDED = webhook_pb2.SUBSCRIPTION_EVENT_JOB_COMPLETED

_BY_BODY = {
    "phase_started": (_STARTED,),
    "phase_completed": (_COMPLETED, _PROGRESS),
    "progressed": (_PROGRESS,),
    "completed": (_ENDED,),
    "failed": (_ENDED,),
    "cancelled": (_ENDED,),
    "timed_out": (_ENDED,),
}
_BY_LEVEL = {common_pb2.LOG_LEVEL_ERROR: (_ERROR,), common_pb2.LOG_LEVEL_WARN: (_WARNING,)}
_BY_NOTE = {
    event_pb2.RunEvent.Noted.KIND_ERROR: (_ERROR,),
    event_pb2.RunEvent.Noted.KIND_WARNING: (_WARNING,),
}


class Wishes:
    """The wishes of one subscription; remembers the percentage that it was told last, so each socket has its own."""

    def __init__(self, request: webhook_pb2.SubscribeToJobRequest) -> None:
        self._words = set(request.events) | ({_ERROR} if request.filters.notify_on_errors else set())
        self._debug = request.filters.include_debug_events
        self._step = request.filters.min_progress_increment
        self._told = 0.0

    def passing(self, frame: Any) -> bool:
        """Takes out of a frame what was not asked for; False when nothing of it is left to tell."""
        if frame.WhichOneof("frame") != "events":
            return True
        kept = [event for event in frame.events.events if self._wants(event)]
        del frame.events.events[:]
        frame.events.events.extend(kept)
        return bool(kept)

    def _wants(self, event: event_pb2.RunEvent) -> bool:
        if event.WhichOneof("body") == "logged" and event.logged.level == common_pb2.LOG_LEVEL_DEBUG:
            return self._debug
        words = self._words.intersection(_words(event))
        if not words - {_PROGRESS}:
            return _PROGRESS in words and self._moved_on(event.percentage)
        return True

    def _moved_on(self, percentage: float) -> bool:
        if percentage - self._told < self._step:
            return False
        self._told = percentage
        return True


def _words(event: event_pb2.RunEvent) -> tuple[int, ...]:
    match event.WhichOneof("body"):
        case "logged":
            return _BY_LEVEL.get(event.logged.level, ())
        case "noted":
            return _BY_NOTE.get(event.noted.kind, ())
        case body:
            return _BY_BODY.get(body or "", ())
