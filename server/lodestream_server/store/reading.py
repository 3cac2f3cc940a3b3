"""What is read about runs: plain queries for the readers' threads. Newest first in lists, oldest first in logs."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lodestream_server.runs.codec import decode, load
from lodestream_server.runs.events import Event
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import Priority, RunKind, State
from lodestream_server.store.paging import Page, PageRequest, place, token
from lodestream_server.store.times import from_us, to_us


@dataclass(frozen=True, slots=True)
class Scope:
    """A project of a tenant: what every caller sees is inside one."""

    tenant_id: str
    project_id: str


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs of a kind; an empty set or None does not filter. Dates are on creation and inclusive."""

    kind: RunKind
    states: frozenset[State] = frozenset()
    types: frozenset[str] = frozenset()
    priorities: frozenset[Priority] = frozenset()
    submitted_by: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """A run of the same type that completed: how large its input was, how long it took from start to end, and what its
    files took when they were last measured."""

    size_bytes: int | None
    duration_s: float
    disk_bytes: int | None = None


def one(connection: sqlite3.Connection, run_id: str) -> RunState | None:
    """The run of that id, whoever's it is."""
    row = connection.execute("SELECT folded FROM runs WHERE run = ?", (run_id,)).fetchone()
    return load(RunState, row[0]) if row else None


def strangers(connection: sqlite3.Connection, run_ids: Iterable[str]) -> list[str]:
    """Those that no run has as its id."""
    query = "SELECT 1 FROM runs WHERE run = ?"
    return [run_id for run_id in run_ids if connection.execute(query, (run_id,)).fetchone() is None]


def page_of_runs(
    connection: sqlite3.Connection, scope: Scope, wanted: RunFilter, request: PageRequest
) -> Page[RunState]:
    """A page, newest first. Raises what `paging.place` raises."""
    list_id = repr((scope, wanted.kind, *(sorted(map(str, group)) for group in _groups(wanted)), _plain(wanted)))
    begin = place(request, list_id)
    branches, values = [], list[object]()
    each: list[State | None] = [*sorted(wanted.states)] or [None]
    for state in each:
        where, some = _conditions(scope, wanted, state, begin.before)
        branches.append(
            # One ordered walk of an index per state, cut short, and merged outside: a sort over all rows never happens.
            f"SELECT * FROM (SELECT created, number FROM runs WHERE {where} ORDER BY created DESC, number DESC LIMIT ?)"
        )
        values += [*some, begin.skip + request.page_size + 1]
    found = connection.execute(
        f"SELECT created, number, folded FROM ({' UNION ALL '.join(branches)}) JOIN runs USING (created, number)"
        " ORDER BY created DESC, number DESC LIMIT ? OFFSET ?",
        (*values, request.page_size + 1, begin.skip),
    ).fetchall()
    rows = found[: request.page_size]
    after = token(rows[-1][:2], list_id) if len(found) > len(rows) else None
    return Page(tuple(load(RunState, row[2]) for row in rows), after)


def _groups(wanted: RunFilter) -> tuple[Collection[object], ...]:
    return wanted.states, wanted.types, wanted.priorities


def _plain(wanted: RunFilter) -> tuple[object, ...]:
    return wanted.submitted_by, wanted.created_from, wanted.created_to


def _conditions(
    scope: Scope, wanted: RunFilter, state: State | None, before: tuple[int, int] | None
) -> tuple[str, list[object]]:
    where, values = ["tenant = ?", "project = ?", "kind = ?"], list[object]()
    values += [scope.tenant_id, scope.project_id, wanted.kind.value]

    def add(condition: str, *some: object) -> None:
        where.append(condition)
        values.extend(some)

    if state is not None:
        add("state = ?", state.value)
    if wanted.types:
        add(f"type IN ({_marks(wanted.types)})", *sorted(wanted.types))
    if wanted.priorities:
        add(f"priority IN ({_marks(wanted.priorities)})", *sorted(wanted.priorities))
    if wanted.submitted_by is not None:
        add("submitted_by = ?", wanted.submitted_by)
    if wanted.created_from is not None:
        add("created >= ?", to_us(wanted.created_from))
    if wanted.created_to is not None:
        add("created <= ?", to_us(wanted.created_to))
    if before is not None:
        add("(created, number) < (?, ?)", *before)
    return " AND ".join(where), values


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def counters(connection: sqlite3.Connection, scope: Scope, kind: RunKind) -> dict[State, int]:
    """How many runs of the project are in each state; zero where none is."""
    rows = connection.execute(
        "SELECT state, runs FROM counters WHERE tenant = ? AND project = ? AND kind = ?",
        (scope.tenant_id, scope.project_id, kind.value),
    )
    return dict.fromkeys(State, 0) | {State(state): runs for state, runs in rows}


def totals(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """How many runs of all tenants there are of each kind and state; what never was is not there."""
    rows = connection.execute("SELECT kind, state, sum(runs) FROM counters GROUP BY kind, state")
    return {(kind, state): runs for kind, state, runs in rows}


def unended(connection: sqlite3.Connection, states: Iterable[State]) -> list[RunState]:
    """All runs in these states, oldest first."""
    wanted = [state.value for state in states]
    rows = connection.execute(
        f"SELECT folded FROM runs WHERE ended IS NULL AND state IN ({_marks(wanted)}) ORDER BY number", wanted
    )
    return [load(RunState, row[0]) for row in rows]


def history(connection: sqlite3.Connection, tenant_id: str, type_: str, newest: int = 50) -> list[Past]:
    """The newest completed runs of a tenant and type."""
    rows = connection.execute(
        "SELECT size_bytes, ended - started, json_extract(CAST(folded AS TEXT), '$.sample.disk_bytes') FROM runs"
        " WHERE tenant = ? AND type = ? AND state = 'COMPLETED'"
        " ORDER BY ended DESC LIMIT ?",
        (tenant_id, type_, newest),
    )
    return [Past(size, took_us / 1e6, disk) for size, took_us, disk in rows]


_EVENT = "SELECT run, sequence, position, time, kind, body FROM events "
_Row = tuple[str, int, int, int, str, bytes]


def events_of(
    connection: sqlite3.Connection,
    run_id: str,
    after: int = 0,
    kinds: Collection[str] | None = None,
    limit: int = -1,
) -> tuple[Event, ...]:
    """Events of a run with a sequence above `after`, oldest first, at most `limit`."""
    where, values = "WHERE run = ? AND sequence > ?", [run_id, after]
    if kinds is not None:
        where += f" AND kind IN ({_marks(kinds)})"
        values += sorted(kinds)
    return events_where(connection, where + " ORDER BY sequence LIMIT ?", (*values, limit))


def results_of(connection: sqlite3.Connection, run_id: str) -> tuple[Event, ...]:
    """The PhaseCompleted events of a run, from their own index."""
    where = "WHERE run = ? AND kind = 'phase-completed' ORDER BY sequence"
    return events_where(connection, where, (run_id,))


def events_from(connection: sqlite3.Connection, after: int, limit: int) -> tuple[Event, ...]:
    """Events of all runs with a position above `after`, in commit order."""
    return events_where(connection, "WHERE position > ? ORDER BY position LIMIT ?", (after, limit))


def events_where(connection: sqlite3.Connection, where: str, values: Sequence[object]) -> tuple[Event, ...]:
    """Events by the rest of a query, from its WHERE on; in the query's order."""
    rows: Iterable[_Row] = connection.execute(_EVENT + where, values)
    return tuple(Event(run, seq, pos, from_us(time), decode(kind, body)) for run, seq, pos, time, kind, body in rows)
