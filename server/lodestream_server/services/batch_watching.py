"""The stream of a batch: the state now, then its operations' starts, progress and ends, in commit order, each once.

The rules of resume, reset, bookmarks, age and going down are those of `watching`. A token holds the position, in the
whole store, of the last event told; events of the batch are numbered from 1 by counting those before.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import cast

from google.protobuf.message import Message

from lodestream.v1 import batch_pb2, common_pb2
from lodestream_server.engine.engine import Engine
from lodestream_server.runs.batch import BatchState
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import apply
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.values import percent, timestamp
from lodestream_server.runs.state import RunState
from lodestream_server.services.tokens import FAULTS, Stream
from lodestream_server.services.watching import Pace, Streams
from lodestream_server.store.reading import Scope

_pb = batch_pb2
#: What is told of an operation.
_TOLD = frozenset(
    {"queued", "requeued", "started", "progressed", "retry-planned", "completed", "failed", "cancelled", "timed-out"}
)


class BatchWatcher:
    """Serves the batch streams of a server."""

    def __init__(self, engine: Engine, streams: Streams, pace: Pace) -> None:
        self._engine = engine
        self._streams = streams
        self._pace = pace

    async def watch(
        self,
        scope: Scope,
        batch_id: str,
        stream: Stream,
        shown: Callable[[], Awaitable[_pb.GetBatchResponse]],
        resume_token: str = "",
        *,
        replay: bool = False,
    ) -> AsyncIterator[Message]:
        """The frames of one stream. Raises RunNotFound."""
        task = self._streams.enter()
        try:
            async for frame in self._frames(scope, batch_id, stream, shown, resume_token, replay):
                yield frame
        except asyncio.CancelledError:
            if not self._streams.ended_by_us(task):
                raise
        finally:
            self._streams.leave(task)

    async def _frames(
        self,
        scope: Scope,
        batch_id: str,
        stream: Stream,
        shown: Callable[[], Awaitable[_pb.GetBatchResponse]],
        resume_token: str,
        replay: bool,
    ) -> AsyncIterator[Message]:
        now = asyncio.get_running_loop().time
        ends, spoke = self._pace.end(now()), now()
        cursor = self._engine.position
        teller = Teller(await self._engine.groups.get(scope, batch_id))
        past = await self._past(scope, teller.batch, cursor)
        async for frame in self._beginning(teller, past, cursor, stream, shown, resume_token, replay):
            yield frame
        if not teller.is_over() and not self._streams.ending:
            waits = self._engine.store_batches(cursor, idle_s=self._pace.bookmark_s / 2)
            async with aclosing(cast(AsyncGenerator[tuple[Event, ...], None], waits)) as batches:
                async for batch in batches:
                    cursor = batch[-1].position if batch else cursor
                    if told := teller.tell([event for event in batch if event.run_id in teller.keys]):
                        spoke = now()
                        yield _frame(stream, cursor, told)
                    elif now() - spoke >= self._pace.bookmark_s * 0.49:
                        spoke = now()
                        yield _pb.WatchBatchResponse(resume_token=stream.token(cursor), bookmark=common_pb2.Bookmark())
                    if teller.is_over() or now() >= ends or self._streams.ending:
                        break
        if teller.is_over():
            done = common_pb2.Done(state=words.RUN_STATES[teller.batch_state.state])
            yield _pb.WatchBatchResponse(resume_token=stream.token(cursor), done=done)

    async def _beginning(
        self,
        teller: "Teller",
        past: Sequence[Event],
        newest: int,
        stream: Stream,
        shown: Callable[[], Awaitable[_pb.GetBatchResponse]],
        resume_token: str,
        replay: bool,
    ) -> AsyncIterator[Message]:
        """What comes before the live events: a reset where it must be, then the state now or what was missed."""
        found = stream.read(resume_token) if resume_token else 0
        cursor, fault = (0, found) if isinstance(found, str) else (found, None)
        if cursor > newest:
            cursor, fault = 0, "BEYOND_LOG"
        if not _whole(past):
            past = teller.take_up()
            if replay or (cursor and not teller.ended_by(cursor)):
                cursor, replay, fault = 0, False, fault or "EXPIRED"
        if fault is not None:
            reset = common_pb2.Reset(reason=fault, message=FAULTS[fault])
            yield _pb.WatchBatchResponse(resume_token=stream.token(0), reset=reset)
        if cursor == 0 and not replay:
            teller.tell(past)
            yield _pb.WatchBatchResponse(resume_token=stream.token(newest), snapshot=await shown())
            return
        teller.tell([event for event in past if event.position <= cursor])
        if told := teller.tell([event for event in past if event.position > cursor]):
            yield _frame(stream, newest, told)

    async def _past(self, scope: Scope, state: BatchState, newest: int) -> list[Event]:
        """All events of the batch's runs up to a position, in commit order."""
        events = [await self._engine.events(scope, step.run_id) for step in state.batch.steps]
        every = [event for some in events for event in some if event.position <= newest]
        return sorted(every, key=lambda event: event.position)


def _whole(past: Sequence[Event]) -> bool:
    """Whether nothing is missing between the events of each run: what a run told along the way may be too old."""
    seen: Counter[str] = Counter()
    for event in past:
        seen[event.run_id] += 1
        if event.sequence != seen[event.run_id]:
            return False
    return True


class Teller:
    """Folds the runs of a batch along and numbers what is told of them."""

    def __init__(self, batch: BatchState) -> None:
        self.batch = batch
        self.keys = {step.run_id: step.key for step in batch.batch.steps}
        self._runs: dict[str, RunState] = {}
        self._number = 0

    @property
    def batch_state(self) -> BatchState:
        """The batch after what was told, as far as its runs have been heard of."""
        heard = tuple(self._runs[run_id] for run_id in self.keys if run_id in self._runs)
        return BatchState(self.batch.batch, heard)

    def ended_by(self, position: int) -> bool:
        """Whether the last operation had ended by then."""
        return self.is_over() and all(run.last_position <= position for run in self._runs.values())

    def is_over(self) -> bool:
        """Whether the last operation has ended."""
        return len(self._runs) == len(self.keys) and self.batch_state.has_ended

    def take_up(self) -> list[Event]:
        """Goes on from the runs as they are, where their events are no longer all there: nothing is left to be told of
        the past, and what follows has higher numbers than anything in it."""
        self._runs = {run.run_id: run for run in self.batch.runs}
        self._number = sum(run.last_sequence for run in self.batch.runs)
        return []

    def tell(self, events: Sequence[Event]) -> list[_pb.BatchEvent]:
        """What these events say, in their order; each event of the runs is to be given once."""
        return [told for event in events if (told := self._told(event)) is not None]

    def _told(self, event: Event) -> _pb.BatchEvent | None:
        before = self._runs.get(event.run_id)
        if before is not None and event.sequence <= before.last_sequence:
            return None
        run = self._runs[event.run_id] = apply(before, event)
        if event.kind not in _TOLD:
            return None
        self._number += 1
        return _pb.BatchEvent(
            sequence=self._number,
            timestamp=timestamp(event.time),
            operation_key=self.keys[event.run_id],
            operation_id=event.run_id,
            status=words.OPERATION_STATUSES[run.state],
            progress=percent(run.percent),
            batch_status=words.OPERATION_STATUSES[self.batch_state.state],
        )


def _frame(stream: Stream, cursor: int, told: Sequence[_pb.BatchEvent]) -> _pb.WatchBatchResponse:
    return _pb.WatchBatchResponse(resume_token=stream.token(cursor), events=_pb.BatchEvents(events=told))
