"""The one loop behind every stream that tells a run: snapshot or replay, events, bookmarks, done; resume and reset.

What it keeps true: every frame's token continues after that frame; nothing is told twice or left out; bookmarks come
from this loop, so that one is never ahead of an event; `done` comes once, last, after the terminal event. A stream that
has to end early (age, a server going down) ends without it.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from google.protobuf.message import Message

from lodestream.v1 import common_pb2
from lodestream_server.engine.engine import Engine
from lodestream_server.grpc_door import call
from lodestream_server.runs.events import Event
from lodestream_server.runs.shapes import words
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind
from lodestream_server.services.pulse import Pulses, Tail
from lodestream_server.services.stories import AnyStory, Item
from lodestream_server.services.tokens import FAULTS, Fault, Stream
from lodestream_server.store.reading import Scope

#: Readers on their library's defaults take 4 MiB; a frame stays well below unless one event alone is larger.
LARGEST_FRAME: Final = 1024 * 1024
#: Events told at a stretch: some milliseconds, then others have their turn.
_STRETCH: Final = 256
#: Frames remembered for the watchers that come to the same place a moment later, in bytes.
_REMEMBERED: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of streams, in seconds."""

    bookmark_s: float = 15.0
    age_s: float = 1800.0

    def end(self, now: float) -> float:
        """When a stream that begins now has to end; spread, so that they do not all come back at once."""
        return now + self.age_s * random.uniform(0.9, 1.0)


class Streams:
    """The streams under way, so that a server going down can end them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self.ending = False

    def __len__(self) -> int:
        return len(self._tasks)

    def enter(self) -> asyncio.Task[Any]:
        """The calling task serves a stream now."""
        task = asyncio.current_task()
        assert task is not None  # servicers run in tasks
        self._tasks.add(task)
        return task

    def leave(self, task: asyncio.Task[Any]) -> None:
        """It serves none any more."""
        self._tasks.discard(task)

    def ended_by_us(self, task: asyncio.Task[Any]) -> bool:
        """Whether a cancellation that arrived is ours; it is then taken back."""
        return self.ending and task.uncancel() == 0

    def end_all(self) -> None:
        """Wakes every stream up to end without `done`; new ones end after their snapshot."""
        self.ending = True
        for task in self._tasks:
            task.cancel()


@dataclass(frozen=True, slots=True)
class _Told:
    """A batch as frames, and the teller's state after it."""

    after: Any
    frames: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes, with something for the bookkeeping."""
        return 1000 + sum(map(len, self.frames))


class RunWatcher:
    """Serves all run streams of a server."""

    def __init__(self, engine: Engine, streams: Streams, pace: Pace) -> None:
        self._engine = engine
        self._streams = streams
        self._pace = pace
        self._pulses = Pulses()
        self._told: OrderedDict[tuple[bytes, int, int], _Told] = OrderedDict()
        self._remembered = 0

    async def watch(
        self, story: AnyStory, request: Any, run_id: str, kind: RunKind | None = None
    ) -> AsyncIterator[bytes]:
        """The frames of one stream, ready to send; `request` is any Watch request of a run. Raises RunNotFound."""
        here = call.current()
        run = await self._engine.get(here.scope, run_id, kind)
        stream = Stream.of(self._engine.store_id, here.method, request.request)
        watch = _Watch(story, here.scope, run_id, stream, self._pace)
        task = self._streams.enter()
        try:
            async with self._pulses.of(run_id, run.last_sequence, partial(self._tail, here.scope, run_id)) as pulse:
                frames, cursor, state = await self._begin(watch, run, request.resume_token, request.replay)
                watch.over = run.has_ended and cursor == run.last_sequence
                for frame in frames:
                    yield frame
                while not (watch.over or watch.too_old() or self._streams.ending):
                    events = pulse.after(cursor)
                    if events is None:
                        events = await self._engine.events(here.scope, run_id, after=cursor, limit=_STRETCH)
                    if events and events[-1].sequence - cursor != len(events):
                        return  # they became too old while this stream read them; who resumes is told
                    for part in _parts(events):
                        told = self._tell(watch, state, cursor, part)
                        cursor, state, watch.over = part[-1].sequence, told.after, part[-1].ends_run
                        for frame in told.frames:
                            watch.spoke()
                            yield frame
                    if not events:
                        await pulse.more()
                    if watch.bookmark_due():
                        yield watch.frame(cursor, bookmark=common_pb2.Bookmark())
                if watch.over:
                    yield await self._done(watch)
        except asyncio.CancelledError:
            if not self._streams.ended_by_us(task):
                raise
        finally:
            self._streams.leave(task)

    def _tail(self, scope: Scope, run_id: str, after: int) -> Tail:
        waits = self._engine.batches(scope, run_id, after, idle_s=self._pace.bookmark_s / 2)
        return cast(Tail, waits)

    async def _begin(
        self, watch: "_Watch", run: RunState, resume_token: str, replay: bool
    ) -> tuple[Sequence[bytes], int, Any]:
        """The first frames, the number of the last event that they cover, and the teller's state there."""
        frames: list[bytes] = []
        cursor = watch.stream.read(resume_token) if resume_token else 0
        if isinstance(cursor, int) and cursor > run.last_sequence:
            cursor = "BEYOND_LOG"
        if isinstance(cursor, str):
            frames.append(watch.reset(cursor))
            cursor = 0
        told_anew = cursor == 0 and not replay
        if not told_anew and run.has_ended and not await self._engine.retention.has_all_after(run.run_id, cursor):
            frames.append(watch.reset("EXPIRED"))
            told_anew = True
        if told_anew:
            frames.append(watch.frame(run.last_sequence, snapshot=await watch.story.snapshot(run)))
            return frames, run.last_sequence, await self._state_of(watch, run)
        return frames, cursor, await self._state_at(watch, run, cursor)

    async def _done(self, watch: "_Watch") -> bytes:
        ended = await self._engine.get(watch.scope, watch.run_id)
        return watch.frame(ended.last_sequence, done=common_pb2.Done(state=words.RUN_STATES[ended.state]))

    def _tell(self, watch: "_Watch", state: Any, cursor: int, part: Sequence[Event]) -> _Told:
        place = watch.stream.mark, cursor, part[-1].sequence
        if (told := self._told.get(place)) is None:
            after, items = watch.story.tell(state, part)
            told = self._told[place] = _Told(after, tuple(watch.event_frames(items)))
            self._remembered += told.size
            while self._remembered > _REMEMBERED and len(self._told) > 1:
                self._remembered -= self._told.popitem(last=False)[1].size
        return told

    async def _state_of(self, watch: "_Watch", run: RunState) -> Any:
        story = watch.story
        if story.from_run is not None:
            return story.from_run(run)
        return await self._state_at(watch, run, run.last_sequence)

    async def _state_at(self, watch: "_Watch", run: RunState, cursor: int) -> Any:
        """The teller's state after that event."""
        story = watch.story
        if cursor == 0 or (story.from_run is None and story.from_events is None):
            return story.nothing
        if story.from_run is not None and cursor == run.last_sequence:
            return story.from_run(run)
        for (mark, _, last), told in reversed(self._told.items()):
            if mark == watch.stream.mark and last == cursor:
                return told.after
        events = await self._engine.events(watch.scope, watch.run_id, limit=cursor)
        assert story.from_events is not None  # a story that keeps state can find it again
        return await asyncio.to_thread(story.from_events, events)


class _Watch:
    """One stream under way: makes its frames, knows its age and its silence."""

    def __init__(self, story: AnyStory, scope: Scope, run_id: str, stream: Stream, pace: Pace) -> None:
        self.story = story
        self.scope = scope
        self.run_id = run_id
        self.stream = stream
        self.over = False
        self._now = asyncio.get_running_loop().time
        self._bookmark_s = pace.bookmark_s
        self._spoke = self._now()
        self._ends = pace.end(self._spoke)

    def frame(self, cursor: int, **part: Message) -> bytes:
        """A frame with the token that continues after it."""
        self.spoke()
        return self.story.frame(resume_token=self.stream.token(cursor), **part).SerializeToString()

    def reset(self, fault: Fault) -> bytes:
        """Says why the token given is not honoured; what follows is a fresh start."""
        return self.frame(0, reset=common_pb2.Reset(reason=fault, message=FAULTS[fault]))

    def event_frames(self, items: Sequence[Item]) -> Sequence[bytes]:
        """The items in as few frames as their size allows."""
        frames: list[bytes] = []
        held: list[Item] = []
        room = LARGEST_FRAME
        for item in items:
            room -= (size := item.message.ByteSize() + 8)
            if room < 0 and held:
                frames.append(self._held(held))
                held, room = [], LARGEST_FRAME - size
            held.append(item)
        return [*frames, self._held(held)] if held else frames

    def spoke(self) -> None:
        """A frame goes out."""
        self._spoke = self._now()

    def bookmark_due(self) -> bool:
        """Whether the reader has had no sign of life for half the longest silence; the loop looks twice in it."""
        return self._now() - self._spoke >= self._bookmark_s * 0.49

    def too_old(self) -> bool:
        """Whether the stream has reached its age."""
        return self._now() >= self._ends

    def _held(self, items: Sequence[Item]) -> bytes:
        return self.frame(items[-1].sequence, events=self.story.events(events=[item.message for item in items]))


def _parts(batch: Sequence[Event]) -> Sequence[Sequence[Event]]:
    if len(batch) <= _STRETCH:
        return (batch,) if batch else ()
    return [batch[begin : begin + _STRETCH] for begin in range(0, len(batch), _STRETCH)]
