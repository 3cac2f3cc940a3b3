"""A store whose writing connection fails at one statement: the disk is full, or the device is broken."""

import sqlite3
from pathlib import Path
from typing import Any

from lodestream_server.store.store import RESERVE, Store

_WRITES = ("INSERT", "UPDATE", "DELETE", "COMMIT")


class FaultyConnection:
    """Stands before a connection and counts the statements that write; one of them fails."""

    def __init__(self, connection: sqlite3.Connection, number: int, fault: str) -> None:
        self._connection = connection
        self._left = number
        self._fault = fault
        #: Whether it has failed already.
        self.struck = False

    def execute(self, statement: str, *values: Any) -> Any:
        self._count(statement)
        return self._connection.execute(statement, *values)

    def executemany(self, statement: str, *values: Any) -> Any:
        self._count(statement)
        return self._connection.executemany(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def _count(self, statement: str) -> None:
        if not statement.lstrip().upper().startswith(_WRITES):
            return
        self._left -= 1
        if self._left == 0:
            self.struck = True
            fault = sqlite3.OperationalError(
                "database or disk is full" if self._fault == "SQLITE_FULL" else "I/O error"
            )
            fault.sqlite_errorname = self._fault
            raise fault


def break_at(store: Store, number: int, fault: str) -> FaultyConnection:
    """From now on the statement of that number fails, once; call before anything is written."""
    writer: Any = store._writer
    faulty = FaultyConnection(writer._connection, number, fault)
    writer._connection = writer._transaction.connection = faulty
    return faulty


class FullDisk(FaultyConnection):
    """A disk on which nothing can be committed while the reserve takes the last of its room."""

    def __init__(self, connection: sqlite3.Connection, reserve: Path) -> None:
        super().__init__(connection, 0, "SQLITE_FULL")
        self._reserve = reserve
        self.full = True

    def _count(self, statement: str) -> None:
        if self.full and statement.startswith("COMMIT") and self._reserve.exists():
            self._left = 1
            super()._count(statement)


def fill_up(store: Store) -> FullDisk:
    """From now on the disk of the store is full, until `full` is taken back."""
    writer: Any = store._writer
    full = FullDisk(writer._connection, store.files.data_dir / RESERVE)
    writer._connection = writer._transaction.connection = full
    return full
