"""How much of the store one tenant may take: runs that wait, bytes of datasets and resources. Asked where they are
written, in the same transaction, so that a hundred calls at once get no more than one after the other would.

What is limited per call is elsewhere, see `grpc_door.limits`.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from lodestream.errors import QuotaExceeded
from lodestream_server.runs.states import WAITING

#: Places in the queue come free when runs end, bytes when somebody deletes a dataset.
_RUNS_S: Final = 5.0
_BYTES_S: Final = 60.0
_WAITING: Final = ", ".join(f"'{state.value}'" for state in sorted(WAITING))


@dataclass(frozen=True, slots=True)
class Quotas:
    """What each tenant may take; 0: as much as there is. `dataset_bytes` counts the files of resources too."""

    waiting_runs: int = 0
    dataset_bytes: int = 0


NO_QUOTAS: Final = Quotas()


def room_for_a_run(connection: sqlite3.Connection, tenant_id: str, quotas: Quotas) -> None:
    """Raises QuotaExceeded when as many of the tenant's runs wait as may."""
    if not quotas.waiting_runs:
        return
    query = f"SELECT coalesce(sum(runs), 0) FROM counters WHERE tenant = ? AND state IN ({_WAITING})"
    if connection.execute(query, (tenant_id,)).fetchone()[0] >= quotas.waiting_runs:
        told = (
            f"{quotas.waiting_runs} runs of this tenant wait already, and no more may; cancel some or come back later."
        )
        raise QuotaExceeded(told, retry_after_s=_RUNS_S)


def room_for_bytes(connection: sqlite3.Connection, tenant_id: str, more: int, quotas: Quotas) -> None:
    """Raises QuotaExceeded when a dataset or resource of that size would be too much for the tenant."""
    if not quotas.dataset_bytes:
        return
    stored = stored_bytes(connection, tenant_id)
    if stored + more > quotas.dataset_bytes:
        told = (
            f"The datasets and resources of this tenant take {stored} bytes and may take {quotas.dataset_bytes}; "
            f"there is no room for {more} more. Delete some."
        )
        raise QuotaExceeded(told, retry_after_s=_BYTES_S)


def dataset_count(connection: sqlite3.Connection, tenant_id: str, project_id: str) -> int:
    """How many datasets a project has."""
    query = "SELECT count(*) FROM datasets WHERE tenant = ? AND project = ?"
    return int(connection.execute(query, (tenant_id, project_id)).fetchone()[0])


def stored_bytes(connection: sqlite3.Connection, tenant_id: str) -> int:
    """What the tenant's datasets and resources take, in all projects."""
    # The cast: records are JSON kept as bytes, which older SQLite refuses to read as JSON.
    size = "coalesce(sum(json_extract(CAST(record AS TEXT), '$.size_bytes')), 0)"
    query = f"SELECT (SELECT {size} FROM datasets WHERE tenant = ?1) + (SELECT {size} FROM resources WHERE tenant = ?1)"
    return int(connection.execute(query, (tenant_id,)).fetchone()[0])
