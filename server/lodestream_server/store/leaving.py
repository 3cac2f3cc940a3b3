"""Runs that leave an event log for whoever comes after: noted together with the log, and forgotten once it has become a
dataset or never will. A server that is stopped in between finds them here."""

import sqlite3
from typing import Final

from lodestream_server.store.writer import Transaction

#: Kind of the artifact that is such a log.
ENRICHED: Final = "EnrichedDataset"


def leaves(tx: Transaction, run_id: str) -> None:
    """The run leaves a log; in the transaction of the event that tells of it."""
    tx.connection.execute("INSERT OR IGNORE INTO leaving VALUES (?)", (run_id,))


def settled(tx: Transaction, run_id: str) -> None:
    """Nothing is left to be done about it."""
    tx.connection.execute("DELETE FROM leaving WHERE run = ?", (run_id,))


def leaving(connection: sqlite3.Connection) -> list[str]:
    """Runs whose log is no dataset yet."""
    return [row[0] for row in connection.execute("SELECT run FROM leaving")]
