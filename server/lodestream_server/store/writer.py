"""The only thread that writes: takes one job, drains what else waits, commits them together, and tells the loop once.

Each job runs in a savepoint, so that one that fails undoes itself alone; a COMMIT that fails fails its whole batch
and not the thread. Whoever awaits a job learns of it only after the commit; so does everybody who listens to what
was published.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lodestream.errors import DiskFull, LodestreamError, StoreUnavailable
from lodestream_server.runs.events import Event
from lodestream_server.runs.state import RunState
from lodestream_server.store.reserve import Reserve
from lodestream_server.store.schema import connect

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Jobs per commit: beyond a few hundred the fsync is no longer what costs.
BATCH = 512
#: Folded states kept in memory, some 5 KB each.
REMEMBERED = 4096


@dataclass(slots=True)
class Transaction:
    """What a job works with. What it publishes reaches the loop after the commit, in order."""

    connection: sqlite3.Connection
    #: Of the newest event; a job that adds one raises it.
    position: int
    #: Folded states of runs that have not ended, so that appending reads nothing.
    states: dict[str, RunState]
    reserve: Reserve
    events: list[Event] = field(default_factory=list)
    changed: list[RunState] = field(default_factory=list)

    def remember(self, state: RunState) -> None:
        """Keeps the state for the next append and for those who listen."""
        if state.has_ended:
            self.states.pop(state.run_id, None)
        else:
            if len(self.states) >= REMEMBERED:
                self.states.clear()
            self.states[state.run_id] = state
        self.changed.append(state)


Job = Callable[[Transaction], T]
Published = Callable[[Sequence[Event], Sequence[RunState]], None]


@dataclass(slots=True)
class _Item:
    job: Job[Any]
    future: asyncio.Future[Any]


class Writer:
    """Runs jobs one after the other in its own thread; `do` from the loop that opened it."""

    def __init__(self, path: Path, published: Published, reserve: Reserve) -> None:
        self._path = path
        self._reserve = reserve
        self._published = published
        self._loop = asyncio.get_running_loop()
        self._items: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._closed = False
        self._connection = connect(path)
        newest = self._connection.execute("SELECT max(position) FROM events").fetchone()[0]
        #: Position of the newest event when the writer began.
        self.newest_position: int = newest or 0
        self._transaction = Transaction(self._connection, self.newest_position, {}, reserve)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def do(self, job: Job[T]) -> T:
        """The job's result, once it is durable. Raises what the job raised; DiskFull or StoreUnavailable when
        SQLite could not."""
        if self._closed:
            raise StoreUnavailable("The store is closed.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._items.put(_Item(job, future))
        # Whoever stops waiting does not take back what will be committed.
        return await future

    async def close(self) -> None:
        """Commits what waits and ends the thread."""
        self._closed = True
        self._items.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        more = True
        while more:
            batch, more = self._take()
            if batch:
                self._commit(batch)
        self._connection.close()

    def _take(self) -> tuple[list[_Item], bool]:
        batch: list[_Item] = []
        item = self._items.get()
        while item is not None:
            batch.append(item)
            if len(batch) == BATCH or self._items.empty():
                return batch, True
            item = self._items.get()
        return batch, False

    def _commit(self, batch: list[_Item]) -> None:
        tx, before = self._transaction, self._transaction.position
        outcomes: list[tuple[_Item, Any, BaseException | None]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [(item, *self._attempt(item.job)) for item in batch]
            self._connection.execute("COMMIT")
        except Exception as fault:
            log.exception("a commit of %d jobs failed", len(batch))
            self._roll_back(before)
            failed = _plain(fault)
            if isinstance(failed, DiskFull):
                self._reserve.give_up()
            outcomes = [(item, None, failed) for item in batch]
        events, changed = tx.events, tx.changed
        tx.events, tx.changed = [], []
        self._tell(outcomes, events, changed)

    def _attempt(self, job: Job[Any]) -> tuple[Any, BaseException | None]:
        tx = self._transaction
        position, events, changed = tx.position, len(tx.events), len(tx.changed)
        self._connection.execute("SAVEPOINT job")
        try:
            result = job(tx)
        except Exception as fault:
            if not self._connection.in_transaction:  # SQLite gave up the whole transaction: so must the batch
                raise
            self._connection.execute("ROLLBACK TO job")
            tx.position = position
            del tx.events[events:], tx.changed[changed:]
            tx.states.clear()
            return None, fault if isinstance(fault, LodestreamError) else _plain(fault)
        finally:
            if self._connection.in_transaction:
                self._connection.execute("RELEASE job")
        return result, None

    def _roll_back(self, position: int) -> None:
        tx = self._transaction
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        tx.position, tx.events, tx.changed = position, [], []
        tx.states.clear()

    def _tell(
        self,
        outcomes: list[tuple[_Item, Any, BaseException | None]],
        events: list[Event],
        changed: list[RunState],
    ) -> None:
        def tell() -> None:
            if events:
                self._published(events, changed)
            for item, result, fault in outcomes:
                if item.future.done():
                    continue
                if fault is None:
                    item.future.set_result(result)
                else:
                    item.future.set_exception(fault)

        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:  # the loop is gone; so is everybody who could have waited
            log.debug("nobody was left to hear of %d commits", len(outcomes))


def _plain(fault: BaseException) -> BaseException:
    """SQLite's own faults in our words; anything else as it is."""
    if not isinstance(fault, sqlite3.Error):
        return fault
    name = getattr(fault, "sqlite_errorname", "")
    plain = DiskFull() if name == "SQLITE_FULL" else StoreUnavailable()
    plain.__cause__ = fault
    return plain
