"""Projects whose queue gives out no work until it is resumed."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from lodestream_server.runs.codec import dump, load
from lodestream_server.store.reading import Scope
from lodestream_server.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class Pause:
    """Who paused a project's queue, when and why."""

    tenant_id: str
    project_id: str
    since: datetime
    by: str = ""
    reason: str = ""

    @property
    def scope(self) -> Scope:
        """The project."""
        return Scope(self.tenant_id, self.project_id)


def add_pause(tx: Transaction, pause: Pause) -> Pause:
    """Pauses a project's queue; one that is paused stays as it is."""
    tx.connection.execute(
        "INSERT OR IGNORE INTO paused_queues VALUES (?, ?, ?)", (pause.tenant_id, pause.project_id, dump(pause))
    )
    row = tx.connection.execute(
        "SELECT record FROM paused_queues WHERE tenant = ? AND project = ?", (pause.tenant_id, pause.project_id)
    ).fetchone()
    return load(Pause, row[0])


def remove_pause(tx: Transaction, scope: Scope) -> None:
    """Resumes it; one that is not paused stays as it is."""
    tx.connection.execute(
        "DELETE FROM paused_queues WHERE tenant = ? AND project = ?", (scope.tenant_id, scope.project_id)
    )


def all_pauses(connection: sqlite3.Connection) -> list[Pause]:
    """Every paused queue."""
    return [load(Pause, row[0]) for row in connection.execute("SELECT record FROM paused_queues")]
