"""Files of runs that are to go: noted in the transaction that makes them useless, so that a crash forgets none."""

import sqlite3

from lodestream_server.store.writer import Transaction


def doom(tx: Transaction, run_id: str) -> None:
    """The run's artifacts are not known any more, and its folder is to go."""
    tx.connection.execute("DELETE FROM artifacts WHERE run = ?", (run_id,))
    tx.connection.execute("INSERT OR IGNORE INTO doomed_files VALUES (?)", (run_id,))


def is_doomed(connection: sqlite3.Connection, run_id: str) -> bool:
    """Whether the run's folder is still to go."""
    return connection.execute("SELECT 1 FROM doomed_files WHERE run = ?", (run_id,)).fetchone() is not None


def gone(tx: Transaction, run_id: str) -> None:
    """The folder has gone."""
    tx.connection.execute("DELETE FROM doomed_files WHERE run = ?", (run_id,))


def doomed(connection: sqlite3.Connection) -> list[str]:
    """Runs whose folder is still to go."""
    return [row[0] for row in connection.execute("SELECT run FROM doomed_files")]
