"""Holds a store to its own log: the state rebuilt from a run's events equals the row that was stored.

Called after every test by `tests/conftest.py`, for every store that the test left, so that the whole suite proves it.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path

from lodestream_server.runs.codec import decode, load
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import replay
from lodestream_server.runs.state import RunState
from lodestream_server.store.store import DATABASE as DATABASE
from lodestream_server.store.times import from_us

_EVENTS = "SELECT run, sequence, position, time, kind, body FROM events ORDER BY run, sequence"


def differences(databases: Iterable[Path]) -> list[str]:
    """A line for each run of these stores that is not what its events say."""
    return [fault for database in sorted(databases) for fault in _of(database)]


def _of(database: Path) -> Iterator[str]:
    for stored, events in _whole(database):
        try:
            rebuilt = replay(events)
        except Exception as fault:  # whatever it is, the run cannot be rebuilt
            yield f"{database}: {stored.run_id} cannot be rebuilt: {fault!r}"
            continue
        if rebuilt != stored:
            named = [name for name in RunState.__slots__ if getattr(rebuilt, name) != getattr(stored, name)]
            yield f"{database}: {stored.run_id} differs from its events in {', '.join(named)}"


def _whole(database: Path) -> Iterator[tuple[RunState, list[Event]]]:
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True)) as connection:
            rows = connection.execute("SELECT run, folded FROM runs").fetchall()
            events = connection.execute(_EVENTS).fetchall()
    except sqlite3.DatabaseError:  # some tests damage a store, to see a server refuse it
        return
    told = {run: list(group) for run, group in groupby(events, key=lambda row: row[0])}
    for run_id, folded in rows:
        stored, log = load(RunState, folded), told.get(run_id, [])
        if len(log) == stored.last_sequence:
            yield stored, [Event(row[0], row[1], row[2], from_us(row[3]), decode(row[4], row[5])) for row in log]
        elif not (stored.has_ended and len(log) < stored.last_sequence):  # only of ended runs something may be cut
            yield stored, []
