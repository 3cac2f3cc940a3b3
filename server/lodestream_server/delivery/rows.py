"""Endpoints in the store: jobs for the writer and queries for the readers. What is written about attempts is in
`attempts`."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta

from lodestream_server.delivery.endpoints import Endpoint, Kind, Registration, Stats, Status
from lodestream_server.runs.codec import dump, load
from lodestream_server.store.paging import Page, PageRequest, place, token
from lodestream_server.store.reading import Scope
from lodestream_server.store.times import from_us, to_us
from lodestream_server.store.writer import Transaction

_COLUMNS = (
    "number, endpoint, kind, tenant, project, run, status, cursor, created, expires, registration,"
    " begun, delivered, failed, answers, answers_us, last_delivery"
)
_EVERYTHING = f"SELECT {_COLUMNS} FROM endpoints "


def add(tx: Transaction, new: Endpoint) -> Endpoint:
    """Writes a new endpoint, which gets its number; the one that is there already when the id is known."""
    tx.connection.execute(
        "INSERT OR IGNORE INTO endpoints (endpoint, kind, tenant, project, run, status, cursor, created, expires,"
        " registration) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new.endpoint_id,
            new.kind.value,
            new.tenant_id,
            new.project_id,
            new.run_id,
            new.status.value,
            new.cursor,
            to_us(new.created),
            to_us(new.expires) if new.expires else None,
            dump(new.registration),
        ),
    )
    row = tx.connection.execute(_EVERYTHING + "WHERE endpoint = ?", (new.endpoint_id,)).fetchone()
    return _endpoint(row)


def find(connection: sqlite3.Connection, scope: Scope, kind: Kind, endpoint_id: str) -> Endpoint | None:
    """The endpoint of that id in the project."""
    row = connection.execute(
        _EVERYTHING + "WHERE endpoint = ? AND kind = ? AND tenant = ? AND project = ?",
        (endpoint_id, kind.value, scope.tenant_id, scope.project_id),
    ).fetchone()
    return _endpoint(row) if row else None


def by_number(connection: sqlite3.Connection, number: int) -> Endpoint | None:
    """The endpoint as it stands now; None once it is deleted."""
    row = connection.execute(_EVERYTHING + "WHERE number = ?", (number,)).fetchone()
    return _endpoint(row) if row else None


def served(connection: sqlite3.Connection) -> tuple[Endpoint, ...]:
    """Every endpoint that is to be told something, in the order of registration."""
    return _endpoints(connection.execute(_EVERYTHING + "WHERE status = 'ACTIVE' ORDER BY number"))


def of_run(connection: sqlite3.Connection, run_id: str, kind: Kind) -> tuple[Endpoint, ...]:
    """The endpoints of one run, newest first."""
    rows = connection.execute(_EVERYTHING + "WHERE run = ? AND kind = ? ORDER BY number DESC", (run_id, kind.value))
    return _endpoints(rows)


def count(connection: sqlite3.Connection, scope: Scope, kind: Kind) -> int:
    """How many the project has."""
    found = connection.execute(
        "SELECT count(*) FROM endpoints WHERE tenant = ? AND project = ? AND kind = ?",
        (scope.tenant_id, scope.project_id, kind.value),
    ).fetchone()
    return int(found[0])


def count_of_run(connection: sqlite3.Connection, run_id: str, kind: Kind) -> int:
    """How many the run has."""
    found = connection.execute("SELECT count(*) FROM endpoints WHERE run = ? AND kind = ?", (run_id, kind.value))
    return int(found.fetchone()[0])


def webhooks(connection: sqlite3.Connection, scope: Scope, request: PageRequest) -> Page[Endpoint]:
    """A page of the project's webhooks, newest first. Raises what `paging.place` raises."""
    list_id = f"webhooks {scope.tenant_id} {scope.project_id}"
    begin = place(request, list_id)
    where, values = "WHERE tenant = ? AND project = ? AND kind = 'webhook'", [scope.tenant_id, scope.project_id]
    rows = connection.execute(
        _EVERYTHING + where + " AND (created, number) < (?, ?) ORDER BY created DESC, number DESC LIMIT ? OFFSET ?",
        (*values, *(begin.before or (2**63 - 1, 0)), request.page_size + 1, begin.skip),
    ).fetchall()
    shown = rows[: request.page_size]
    after = token((shown[-1][8], shown[-1][0]), list_id) if len(rows) > len(shown) else None
    return Page(_endpoints(shown), after)


def keep(tx: Transaction, number: int, registration: Registration) -> None:
    """Replaces what was registered."""
    tx.connection.execute("UPDATE endpoints SET registration = ? WHERE number = ?", (dump(registration), number))


def set_status(tx: Transaction, number: int, status: Status) -> None:
    """Ends or takes up its service; failures are counted anew."""
    tx.connection.execute(
        "UPDATE endpoints SET status = ?, failed_in_a_row = 0, failing_since = NULL WHERE number = ?",
        (status.value, number),
    )


def move(tx: Transaction, number: int, cursor: int) -> None:
    """Everything up to the cursor is settled. It never goes back."""
    tx.connection.execute("UPDATE endpoints SET cursor = ? WHERE number = ? AND cursor < ?", (cursor, number, cursor))


def remove(tx: Transaction, number: int) -> None:
    """Deletes the endpoint and everything about its deliveries."""
    tx.connection.execute("DELETE FROM attempts WHERE endpoint = ?", (number,))
    tx.connection.execute("DELETE FROM endpoints WHERE number = ?", (number,))


def cursor_of(connection: sqlite3.Connection, name: str) -> int | None:
    """A reader's own cursor; None before its first."""
    row = connection.execute("SELECT cursor FROM delivery_cursors WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def set_cursor(tx: Transaction, name: str, cursor: int) -> None:
    """Keeps a reader's own cursor."""
    tx.connection.execute("INSERT OR REPLACE INTO delivery_cursors VALUES (?, ?)", (name, cursor))


def _endpoints(rows: Iterable[tuple[object, ...]]) -> tuple[Endpoint, ...]:
    return tuple(_endpoint(row) for row in rows)


def _endpoint(row: tuple) -> Endpoint:  # type: ignore[type-arg]  # sqlite rows have no types
    (number, endpoint_id, kind, tenant, project, run, status, cursor, created, expires, registration, *counts) = row
    return Endpoint(
        number,
        endpoint_id,
        Kind(kind),
        tenant,
        project,
        run,
        Status(status),
        cursor,
        from_us(created),
        load(Registration, registration),
        _instant(expires),
        _stats(*counts),
    )


def _stats(begun: int, delivered: int, failed: int, answers: int, answers_us: int, last: int | None) -> Stats:
    mean_s = timedelta(microseconds=answers_us / answers).total_seconds() if answers else None
    return Stats(begun, delivered, failed, mean_s, _instant(last))


def _instant(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)
