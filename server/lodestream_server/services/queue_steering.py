"""The part of QueueService that steers the queue: pause, resume, purge, reprioritise, explain.

The last two take operations too, as the tracking pages do.
"""

from typing import Any

from lodestream.v1 import queue_pb2
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder, Explanation
from lodestream_server.grpc_door import call
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.values import timestamp
from lodestream_server.services.runs_common import place_of

_pb = queue_pb2


class QueueSteering:
    """See the contract; every method raises what its comment there names."""

    _engine: Engine

    async def PauseQueue(self, request: _pb.PauseQueueRequest, context: Any) -> _pb.PauseQueueResponse:
        """Starts nothing more of a project until resumed."""
        here, desk = call.current(), self._engine.desk
        await desk.pause(here.scope, here.by, request.reason)
        return _pb.PauseQueueResponse(queue_status=_pb.QUEUE_STATUS_PAUSED, total_queued_jobs=desk.waiting(here.scope))

    async def ResumeQueue(self, request: _pb.ResumeQueueRequest, context: Any) -> _pb.ResumeQueueResponse:
        """Starts work of a project again."""
        here, desk = call.current(), self._engine.desk
        await desk.resume(here.scope)
        return _pb.ResumeQueueResponse(queue_status=_pb.QUEUE_STATUS_ACTIVE, total_queued_jobs=desk.waiting(here.scope))

    async def PurgeQueue(self, request: _pb.PurgeQueueRequest, context: Any) -> _pb.PurgeQueueResponse:
        """Cancels what waits in a project's queue."""
        here, desk = call.current(), self._engine.desk
        only = words.priority(request.priority) if request.priority else None
        cancelled = await desk.purge(here.scope, CancelOrder(here.by, request.reason), only)
        return _pb.PurgeQueueResponse(cancelled_jobs=cancelled, total_queued_jobs=desk.waiting(here.scope))

    async def ReprioritizeJob(self, request: _pb.ReprioritizeJobRequest, context: Any) -> _pb.ReprioritizeJobResponse:
        """Changes the priority of a job that has not started."""
        here, wanted = call.current(), words.priority(request.priority)
        run = await self._engine.desk.reprioritize(here.scope, request.job_id, wanted, here.by)
        place = await place_of(self._engine, run)
        return _pb.ReprioritizeJobResponse(
            job_id=run.run_id,
            priority=words.PRIORITIES[run.priority],
            queue_position=place.position if place else 0,
            estimated_start_time=timestamp(place.estimated_start) if place else None,
        )

    async def ExplainJob(self, request: _pb.ExplainJobRequest, context: Any) -> _pb.ExplainJobResponse:
        """What a job waits for, in words."""
        return _explained(await self._engine.desk.explain(call.current().scope, request.job_id))


def _explained(explanation: Explanation) -> _pb.ExplainJobResponse:
    return _pb.ExplainJobResponse(
        job_id=explanation.run.run_id,
        state=words.RUN_STATES[explanation.run.state],
        explanation=explanation.sentence,
        waiting_for=[
            _pb.ExplainJobResponse.Reason(reason=reason.reason, message=reason.message, subject=reason.subject or None)
            for reason in explanation.reasons
        ],
    )
