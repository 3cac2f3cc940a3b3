"""What was done lately, for those who look after the service: waits of starts, endings by state, lengths."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lodestream_server.runs.codec import load
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store.times import to_us


@dataclass(frozen=True, slots=True)
class EndedSince:
    """Runs of a tenant that ended since an instant, by state; `mean_s` from first start to end, None without any
    that completed."""

    counts: Mapping[State, int]
    mean_s: float | None


def ended_since(connection: sqlite3.Connection, tenant_id: str, since: datetime) -> EndedSince:
    """Every state of ending is there."""
    rows = connection.execute(
        "SELECT state, count(*), sum(ended - started) FROM runs WHERE tenant = ? AND ended >= ? GROUP BY state",
        (tenant_id, to_us(since)),
    ).fetchall()
    counts = dict.fromkeys((State.COMPLETED, State.FAILED, State.CANCELLED, State.TIMED_OUT), 0)
    counts |= {State(state): runs for state, runs, _ in rows}
    took_us = sum(took for state, _, took in rows if state == State.COMPLETED)
    done = counts[State.COMPLETED]
    return EndedSince(counts, took_us / done / 1e6 if done else None)


def mean_wait_s(
    connection: sqlite3.Connection, tenant_id: str, project_id: str | None = None, newest: int = 100
) -> float | None:
    """Mean wait in the queue of the newest first starts; None without any."""
    where, values = "tenant = ? AND started IS NOT NULL", [tenant_id]
    if project_id is not None:
        where += " AND project = ?"
        values.append(project_id)
    rows = connection.execute(f"SELECT folded FROM runs WHERE {where} ORDER BY started DESC LIMIT ?", (*values, newest))
    waits = [wait for row in rows if (wait := _wait_s(load(RunState, row[0]))) is not None]
    return sum(waits) / len(waits) if waits else None


def _wait_s(run: RunState) -> float | None:
    # What waited again after a back-off shows a younger age than its first start: it says nothing about the queue.
    if run.started is None or run.queued_at is None or run.queued_at > run.started:
        return None
    return (run.started - run.queued_at) / timedelta(seconds=1)
