"""What runs work on beside their own dataset: noted when they are submitted, so that nobody takes it from them."""

import sqlite3
from collections.abc import Iterable
from typing import Literal

from lodestream_server.store.writer import Transaction

Kind = Literal["dataset", "resource", "run"]


def note(tx: Transaction, run_id: str, used: Iterable[tuple[Kind, str]]) -> None:
    """The run works on these."""
    rows = {(run_id, kind, one) for kind, one in used}
    tx.connection.executemany("INSERT INTO uses VALUES (?, ?, ?)", sorted(rows))


def user(connection: sqlite3.Connection, kind: Kind, used: str) -> str | None:
    """A run that works on it and has not ended; None when there is none."""
    query = "SELECT u.run FROM uses u JOIN runs w ON w.run = u.run WHERE u.kind = ? AND u.used = ? AND w.ended IS NULL"
    row = connection.execute(f"{query} LIMIT 1", (kind, used)).fetchone()
    return row[0] if row else None
