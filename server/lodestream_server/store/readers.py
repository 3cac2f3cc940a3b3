"""Other connections for reading: a few threads, each with its own, none of which holds a transaction across an
await."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from lodestream.errors import StoreUnavailable
from lodestream_server.store.schema import connect

T = TypeVar("T")
Query = Callable[[sqlite3.Connection], T]

#: More threads than cores only queue for the interpreter.
THREADS = 4


class Readers:
    """Runs queries off the loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="store-reader")

    async def do(self, query: Query[T]) -> T:
        """The query's result; it sees one consistent state of the store. Raises StoreUnavailable when SQLite cannot
        read."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, query)

    async def close(self) -> None:
        """Waits for what runs and closes the connections."""
        await asyncio.to_thread(self._pool.shutdown)
        for connection in self._all:
            connection.close()

    def _run(self, query: Query[T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._path, read_only=True)
            self._all.append(connection)
        try:
            connection.execute("BEGIN")
            return query(connection)
        except sqlite3.Error as fault:
            raise StoreUnavailable("The store cannot be read at the moment.") from fault
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
