"""The queue of the project: what waits and why, and for administrators pausing, resuming and purging it."""

from typing import Any

from lodestream.client import arguments
from lodestream.client.calls import Caller
from lodestream.v1 import common_pb2
from lodestream.v1.queue_pb2 import (
    ExplainJobRequest,
    ExplainJobResponse,
    GetQueueRequest,
    GetQueueResponse,
    PauseQueueRequest,
    PauseQueueResponse,
    PurgeQueueRequest,
    PurgeQueueResponse,
    ReprioritizeJobRequest,
    ReprioritizeJobResponse,
    ResumeQueueRequest,
    ResumeQueueResponse,
)
from lodestream.v1.queue_pb2_grpc import QueueServiceStub


class QueueCalls:
    """The part of a client that deals with the queue."""

    _caller: Caller

    async def queue(self, *, priority: str | int | None = None, type: str | int | None = None) -> GetQueueResponse:
        """What waits in the project, next first; the summary counts the whole queue whatever the filters."""
        wanted = arguments.given(
            priority=arguments.number_of(common_pb2.Priority.DESCRIPTOR, priority, "priority"),
            job_type=arguments.number_of(common_pb2.JobType.DESCRIPTOR, type, "job_type"),
        )
        request = GetQueueRequest(**self._place(), **wanted)
        return await self._caller.call(self._caller.stub(QueueServiceStub).GetQueue, request)

    async def pause_queue(self, reason: str = "") -> PauseQueueResponse:
        """Starts nothing more of the project until resumed; what runs goes on. Takes an administrator's key."""
        request = PauseQueueRequest(**self._place(), **arguments.given(reason=reason))
        return await self._caller.call(self._caller.stub(QueueServiceStub).PauseQueue, request)

    async def resume_queue(self) -> ResumeQueueResponse:
        """Starts work of the project again. Takes an administrator's key."""
        request = ResumeQueueRequest(**self._place())
        return await self._caller.call(self._caller.stub(QueueServiceStub).ResumeQueue, request)

    async def purge_queue(self, *, priority: str | int | None = None, reason: str = "") -> PurgeQueueResponse:
        """Cancels what waits in the project, or only what is that urgent. Takes an administrator's key."""
        wanted = arguments.given(
            priority=arguments.number_of(common_pb2.Priority.DESCRIPTOR, priority, "priority"), reason=reason
        )
        request = PurgeQueueRequest(**self._place(), **wanted)
        # Not sent twice: that would also cancel what came in between.
        return await self._caller.call(self._caller.stub(QueueServiceStub).PurgeQueue, request, repeatable=False)

    async def reprioritize(self, run_id: str, priority: str | int) -> ReprioritizeJobResponse:
        """Makes a run that has not started more or less urgent. Raises RunNotFound, RunAlreadyStarted."""
        number = arguments.number_of(common_pb2.Priority.DESCRIPTOR, priority, "priority")
        request = ReprioritizeJobRequest(**self._place(), job_id=run_id, priority=common_pb2.Priority.ValueType(number))
        return await self._caller.call(self._caller.stub(QueueServiceStub).ReprioritizeJob, request)

    async def explain(self, run_id: str) -> ExplainJobResponse:
        """What a run waits for, in a sentence and one by one. Raises RunNotFound."""
        request = ExplainJobRequest(**self._place(), job_id=run_id)
        return await self._caller.call(self._caller.stub(QueueServiceStub).ExplainJob, request)

    def _place(self) -> dict[str, Any]:
        return {"tenant_id": self._caller.settings.tenant_id, "project_id": self._caller.settings.project_id}
