"""QueueService: what waits in a project's queue, next first, and what the machine can do; see `queue_steering` too."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Final, cast

from lodestream.v1 import common_pb2, queue_pb2, queue_pb2_grpc
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import QueuePlace
from lodestream_server.grpc_door import call
from lodestream_server.runs.events import Event
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.values import duration, duration_range, gigabytes, percent, timestamp
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import Priority
from lodestream_server.services.latest import View, latest
from lodestream_server.services.queue_steering import QueueSteering
from lodestream_server.services.tokens import Stream
from lodestream_server.services.watching import Pace, Streams
from lodestream_server.store.reading import Scope

_pb = queue_pb2.GetQueueResponse
#: Documented: what comes after that is counted, not listed.
_LISTED: Final = 1000
#: The kinds of events that change who waits or runs.
_MOVES: Final = frozenset(
    {
        "queued",
        "requeued",
        "reprioritized",
        "started",
        "scheduled",
        "retry-planned",
        "completed",
        "failed",
        "cancelled",
        "timed-out",
    }
)


class QueueService(QueueSteering, queue_pb2_grpc.QueueServiceServicer):
    """See the contract; every method raises what its comment there names."""

    def __init__(self, engine: Engine, streams: Streams, pace: Pace) -> None:
        self._engine = engine
        self._streams = streams
        self._pace = pace

    async def GetQueue(self, request: queue_pb2.GetQueueRequest, context: Any) -> queue_pb2.GetQueueResponse:
        """What waits in a project's queue, next first, and what the machine can do."""
        return await self._shown(call.current().scope, request)

    async def WatchQueue(self, request: queue_pb2.WatchQueueRequest, context: Any) -> AsyncIterator[Any]:
        """The queue, live."""
        here, wanted = call.current(), request.request

        told = self._engine.desk.paused(here.scope)

        async def newest() -> int:
            return self._engine.position

        async def matters(batch: Sequence[Event]) -> bool:
            # Runs of other projects move this one's places too.
            return told != self._engine.desk.paused(here.scope) or any(event.kind in _MOVES for event in batch)

        async def show() -> queue_pb2.GetQueueResponse:
            nonlocal told
            told = self._engine.desk.paused(here.scope)
            return await self._shown(here.scope, wanted)

        async def over() -> common_pb2.Done | None:
            return None

        view = View(
            frame=queue_pb2.WatchQueueResponse,
            newest=newest,
            batches=self._moves,
            number=lambda event: event.position,
            matters=matters,
            show=show,
            over=over,
            moves_by_itself=True,
        )
        stream = Stream.of(self._engine.store_id, here.method, wanted)
        async for frame in latest(view, stream, self._streams, self._pace, request.resume_token):
            yield frame

    async def _moves(self, after: int, idle_s: float) -> AsyncIterator[tuple[Event, ...]]:
        """What happens to runs, and () when a queue is paused or resumed."""
        turn = asyncio.ensure_future(self._engine.desk.turned.wait())
        yield ()  # for what was turned before this looked
        events = self._engine.store_batches(after, idle_s=idle_s)
        async with aclosing(cast(AsyncGenerator[tuple[Event, ...], Any], events)) as batches:
            coming = asyncio.ensure_future(anext(batches))
            try:
                while True:
                    await asyncio.wait((coming, turn), return_when=asyncio.FIRST_COMPLETED)
                    if turn.done():
                        turn = asyncio.ensure_future(self._engine.desk.turned.wait())
                        yield ()
                    else:
                        batch = coming.result()
                        coming = asyncio.ensure_future(anext(batches))
                        yield batch
            finally:
                turn.cancel()
                coming.cancel()
                await asyncio.gather(turn, coming, return_exceptions=True)

    async def _shown(self, scope: Scope, request: queue_pb2.GetQueueRequest) -> queue_pb2.GetQueueResponse:
        now, busy, seats = self._engine.clock.now(), len(self._engine.at_work()), self._engine.seats
        waiting = [place for place in await self._engine.queue() if _is_of(place.run, scope)]
        priorities = [place.run.priority for place in waiting]
        wanted = [place for place in waiting if _matches(place.run, request)]
        return _pb(
            queue_status=queue_pb2.QUEUE_STATUS_PAUSED
            if self._engine.desk.paused(scope)
            else queue_pb2.QUEUE_STATUS_ACTIVE,
            timestamp=timestamp(now),
            summary=_pb.Summary(
                total_queued_jobs=len(waiting),
                critical_priority_jobs=priorities.count(Priority.CRITICAL),
                high_priority_jobs=priorities.count(Priority.HIGH),
                normal_priority_jobs=priorities.count(Priority.NORMAL),
                low_priority_jobs=priorities.count(Priority.LOW),
                average_wait_time=duration(
                    await self._engine.desk.mean_wait_s(scope.tenant_id, scope.project_id) or 0.0
                ),
                estimated_processing_time=duration(self._engine.desk.emptied_in_s(scope.tenant_id, scope.project_id)),
            ),
            processing_capacity=_pb.ProcessingCapacity(
                active_workers=busy,
                total_workers=seats,
                current_load=percent(100 * busy / seats),
                max_concurrent_jobs=seats,
                currently_running=busy,
            ),
            queued_jobs=[await self._queued(place, request.include_estimates) for place in wanted[:_LISTED]],
        )

    async def _queued(self, place: QueuePlace, estimates: bool) -> _pb.QueuedJob:
        return _queued(place, estimates, await self._engine.expected_disk_bytes(place.run) if estimates else None)


def _queued(place: QueuePlace, estimates: bool, disk_bytes: int | None) -> _pb.QueuedJob:
    run = place.run
    return _pb.QueuedJob(
        job_id=run.run_id,
        job_name=run.name,
        job_type=run.type,
        priority=words.PRIORITIES[run.priority],
        queue_position=place.position,
        estimated_start_time=timestamp(place.estimated_start) if estimates else None,
        estimated_duration=duration_range(run.estimate) if estimates else None,
        submitted_by=run.submitted_by or None,
        date_submitted=timestamp(run.created),
        resource_requirements=_pb.ResourceRequirements(
            cpu_units=max(1, round(run.resources.cpu_units)),
            memory_gb=gigabytes(run.resources.memory_bytes),
            estimated_disk_bytes=disk_bytes,
        ),
    )


def _is_of(run: RunState, scope: Scope) -> bool:
    return (run.tenant_id, run.project_id) == (scope.tenant_id, scope.project_id)


def _matches(run: RunState, request: queue_pb2.GetQueueRequest) -> bool:
    if request.priority and words.PRIORITIES[run.priority] != request.priority:
        return False
    return not request.job_type or words.job_type(run.type) == request.job_type
