"""The store as the engine sees it: jobs for the writer, queries for the readers, tails for whoever watches.

Events and states become visible here after their commit and never before. Only the engine and its parts hold a Store.
"""

import asyncio
import logging
import sqlite3
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from lodestream.errors import CursorBeyondLog, RunNotFound
from lodestream_server.runs.bodies import ArtifactStored
from lodestream_server.runs.events import Event
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store import appending, reading, schema
from lodestream_server.store.appending import ANYHOW, Fact, Guard
from lodestream_server.store.doomed import doom
from lodestream_server.store.files import Files
from lodestream_server.store.leaving import ENRICHED, leaves, settled
from lodestream_server.store.lock import DataDirLock
from lodestream_server.store.readers import Query, Readers
from lodestream_server.store.recent import Recent
from lodestream_server.store.records import add_artifact
from lodestream_server.store.reserve import Reserve
from lodestream_server.store.writer import Job, Transaction, Writer

log = logging.getLogger(__name__)
T = TypeVar("T")
#: The file in the data directory that holds everything but the files.
DATABASE = "lodestream.sqlite"
RESERVE = "reserve"
Watcher = Callable[[Sequence[Event], Sequence[RunState]], None]

#: Runs whose newest events and state are kept in memory.
RUNS_IN_MEMORY = 512
#: Events per read when a watcher catches up from SQLite.
READ_AT_ONCE = 1000


class Store:
    """One data directory, opened. Make it with `Store.open`, inside a running loop."""

    def __init__(self, data_dir: Path, lock: DataDirLock, store_id: str) -> None:
        self.id = store_id
        self.files = Files(data_dir)
        self._lock = lock
        self._recent: OrderedDict[str, Recent] = OrderedDict()
        self._states: OrderedDict[str, RunState] = OrderedDict()
        self._watchers: list[Watcher] = []
        self._keeping: set[asyncio.Task[Any]] = set()
        self._readers = Readers(data_dir / DATABASE)
        #: Asked before anything large or new is taken on.
        self.reserve = Reserve(data_dir / RESERVE)
        self._writer = Writer(data_dir / DATABASE, self._published, self.reserve)
        self._all = Recent(lambda event: event.position, self._writer.newest_position, keep=8192)

    @classmethod
    async def open(cls, data_dir: Path) -> Self:
        """Opens or creates the store. Raises DataDirInUse, StoreTooNew, StoreDamaged; then nothing was changed."""
        lock = await asyncio.to_thread(_take, data_dir)
        try:
            return cls(data_dir, lock, schema.prepare(data_dir / DATABASE))
        except BaseException:
            lock.release()
            raise

    async def close(self) -> None:
        """Commits what waits, closes the connections and frees the directory."""
        await self._writer.close()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await self._readers.close()
        self._lock.release()

    def listen(self, watcher: Watcher) -> None:
        """Calls the watcher on the loop after each commit, before any tail is woken. It must not block, and should not
        raise: what it makes of that commit is then its loss."""
        self._watchers.append(watcher)

    async def write(self, job: Job[T]) -> T:
        """The job's result once durable. Raises what it raised; DiskFull, StoreUnavailable."""
        return await self._writer.do(job)

    async def keep(self, place: Callable[[], object], job: Job[T], undo: Callable[[], object]) -> T:
        """Puts files in their place, then writes what tells of them; `undo` takes them away if either fails.

        `place` and `undo` may block. Raises what they and `write` raise.

        Goes on when the caller is cancelled meanwhile: what is committed has its files, what is not has none.
        """
        task = asyncio.create_task(self._keep(place, job, undo))
        self._keeping.add(task)
        task.add_done_callback(self._kept)
        return await asyncio.shield(task)

    async def read(self, query: Query[T]) -> T:
        """The query's result from a consistent view. Raises StoreUnavailable."""
        return await self._readers.do(query)

    async def append(self, run_id: str, facts: Sequence[Fact], guard: Guard = ANYHOW) -> RunState:
        """The run after these events, once durable. Raises RunNotFound, RaceLost, IllegalTransition."""
        return await self._writer.do(lambda tx: append_with_files(tx, run_id, facts, guard))

    async def run(self, run_id: str) -> RunState:
        """The run as last committed and announced. Raises RunNotFound."""
        if (known := self._states.get(run_id)) is not None:
            return known
        found = await self._readers.do(lambda db: reading.one(db, run_id))
        if found is None:
            raise RunNotFound
        # What was read may be a commit that the loop has yet to hear of: nobody is told of its events before.
        await self._all.more(found.last_position - 1, None)
        return self._states.get(run_id) or found

    async def events(
        self, run_id: str, after: int = 0, kinds: Collection[str] | None = None, limit: int = -1
    ) -> tuple[Event, ...]:
        """Events of a run above `after`, oldest first; only these kinds, at most so many."""
        return self._told(await self._readers.do(lambda db: reading.events_of(db, run_id, after, kinds, limit)))

    async def batches(
        self, run_id: str, after: int = 0, *, idle_s: float | None = None
    ) -> AsyncIterator[tuple[Event, ...]]:
        """Like `tail`, all that waits at once; an empty batch after `idle_s` without news."""
        run = await self.run(run_id)
        if after > run.last_sequence:
            raise CursorBeyondLog(f"The cursor {after} lies beyond the newest event {run.last_sequence}.")
        cursor = after
        if run.has_ended and cursor == run.last_sequence:
            return
        recent = self._recent_of(run)
        recent.holders += 1
        try:
            while True:
                batch = recent.after(cursor)
                if batch is None:
                    batch = await self.events(run_id, cursor, limit=READ_AT_ONCE)
                elif not batch:
                    if not await recent.more(cursor, idle_s):
                        yield ()
                    continue
                yield batch
                cursor = batch[-1].sequence
                if batch[-1].ends_run:
                    return
        finally:
            recent.holders -= 1

    async def tail(self, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Every event of a run with a sequence above `after`, oldest first, then live ones as they commit.

        Ends after the terminal event, so `async for` is a complete wait. To resume, pass the last sequence you saw.
        Raises RunNotFound; CursorBeyondLog when `after` exceeds the newest sequence.
        """
        async for batch in self.batches(run_id, after):
            for event in batch:
                yield event

    async def everything(self, after: int, *, idle_s: float | None = None) -> AsyncIterator[tuple[Event, ...]]:
        """Events of all runs with a position above `after`, in commit order, without end; empty after `idle_s`
        without news.

        Raises CursorBeyondLog when `after` exceeds the newest position.
        """
        if after > self._all.newest:
            raise CursorBeyondLog(f"The cursor {after} lies beyond the newest event {self._all.newest}.")
        cursor = after
        while True:
            batch = self._all.after(cursor)
            if batch is None:
                batch = self._told(await self._readers.do(partial(_everything, after=cursor)))
            elif not batch:
                if not await self._all.more(cursor, idle_s):
                    yield ()
                continue
            yield batch
            cursor = batch[-1].position

    @property
    def position(self) -> int:
        """Of the newest committed event of all runs."""
        return self._all.newest

    def _told(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """Without those whose commit the loop has not heard of yet: `run` does not know of them either, so that who
        had read them would be beyond the log."""
        while events and events[-1].position > self._all.newest:
            events = events[:-1]
        return events

    async def _keep(self, place: Callable[[], object], job: Job[T], undo: Callable[[], object]) -> T:
        try:
            await asyncio.to_thread(place)
            return await self._writer.do(job)
        except Exception:
            await asyncio.to_thread(undo)
            raise

    def _kept(self, task: asyncio.Task[Any]) -> None:
        self._keeping.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has heard of it, unless nobody waits any more

    def _published(self, events: Sequence[Event], changed: Sequence[RunState]) -> None:
        for run in changed:
            self._states[run.run_id] = run
            self._states.move_to_end(run.run_id)
        while len(self._states) > RUNS_IN_MEMORY:
            self._states.popitem(last=False)
        for watcher in self._watchers:
            try:
                watcher(events, changed)
            except Exception:  # what is committed is announced all the same: its writers and its readers wait for it
                log.exception("a watcher of the store broke off")
        by_run: dict[str, list[Event]] = {}
        for event in events:
            by_run.setdefault(event.run_id, []).append(event)
        for run_id, new in by_run.items():
            if (recent := self._recent.get(run_id)) is None:
                recent = self._remember(run_id, Recent(lambda event: event.sequence, new[0].sequence - 1))
            recent.add(new)
        self._all.add(events)

    def _recent_of(self, run: RunState) -> Recent:
        found = self._recent.get(run.run_id)
        return found or self._remember(run.run_id, Recent(lambda event: event.sequence, run.last_sequence))

    def _remember(self, run_id: str, recent: Recent) -> Recent:
        self._recent[run_id] = recent
        if len(self._recent) > RUNS_IN_MEMORY:
            # Not one that somebody holds: its watchers would hear nothing more.
            idle = next((key for key, value in self._recent.items() if not value.holders and key != run_id), None)
            if idle is not None:
                del self._recent[idle]
        return recent


def _take(data_dir: Path) -> DataDirLock:
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return DataDirLock(data_dir)


def _everything(connection: sqlite3.Connection, after: int) -> tuple[Event, ...]:
    return reading.events_from(connection, after, READ_AT_ONCE)


def append_with_files(tx: Transaction, run_id: str, facts: Sequence[Fact], guard: Guard = ANYHOW) -> RunState:
    """`appending.append`, and the artifacts among the events become known by their ids, or none of them any more."""
    run = appending.append(tx, run_id, facts, guard)
    scope = reading.Scope(run.tenant_id, run.project_id)
    for fact in facts:
        if isinstance(fact.body, ArtifactStored):
            add_artifact(tx, scope, run_id, fact.body, run.updated)
            if fact.body.kind == ENRICHED:
                leaves(tx, run_id)
    if run.has_ended and run.state is not State.COMPLETED:
        settled(tx, run_id)
    if run.receipt is not None and run.cancel is not None and not run.cancel.preserve:
        doom(tx, run_id)
    return run
