"""Batches as the store keeps them, and who waits for whom."""

import sqlite3
from dataclasses import replace

from lodestream_server.runs.batch import Batch
from lodestream_server.runs.bodies import CancelRequested
from lodestream_server.runs.codec import dump, load
from lodestream_server.store.reading import Scope
from lodestream_server.store.times import to_us
from lodestream_server.store.writer import Transaction


def add_batch(tx: Transaction, batch: Batch) -> Batch:
    """Writes a new batch; in the transaction of its runs."""
    tx.connection.execute(
        "INSERT INTO batches (batch, tenant, project, created, record) VALUES (?, ?, ?, ?, ?)",
        (batch.batch_id, batch.tenant_id, batch.project_id, to_us(batch.created), dump(batch)),
    )
    return batch


def cancel_batch(tx: Transaction, batch_id: str, request: CancelRequested) -> None:
    """Notes who cancelled the batch as a whole; the first one stays."""
    batch = find_batch(tx.connection, batch_id)
    if batch is not None and batch.cancel is None:
        record = dump(replace(batch, cancel=request))
        tx.connection.execute("UPDATE batches SET record = ? WHERE batch = ?", (record, batch_id))


def find_batch(connection: sqlite3.Connection, batch_id: str, scope: Scope | None = None) -> Batch | None:
    """The batch, if it is in the project; without one, whoever's it is."""
    row = connection.execute("SELECT record FROM batches WHERE batch = ?", (batch_id,)).fetchone()
    batch = load(Batch, row[0]) if row else None
    if batch is None or (scope is not None and Scope(batch.tenant_id, batch.project_id) != scope):
        return None
    return batch


def dependants_of(connection: sqlite3.Connection, run_id: str) -> list[str]:
    """Runs that need this one, whether or not they have ended."""
    return [row[0] for row in connection.execute("SELECT run FROM dependencies WHERE needs = ?", (run_id,))]
