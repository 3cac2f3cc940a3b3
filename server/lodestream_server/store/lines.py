"""Log lines of a run, found without reading the others: times by halving the log, warnings and errors by an index of
their own. Called by the services, in a reader's thread."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lodestream_server.runs.bodies import Level
from lodestream_server.runs.events import Event
from lodestream_server.store.reading import events_where
from lodestream_server.store.schema import ALARMS
from lodestream_server.store.times import to_us

_LEVEL: Final = "json_extract(CAST(body AS TEXT), '$.level')"
#: Which events are lines of a level or above it.
_SHOWN: Final[dict[Level, str]] = {
    "DEBUG": "kind IN ('logged', 'warned', 'error-noted')",
    "INFO": f"(kind IN ('warned', 'error-noted') OR (kind = 'logged' AND {_LEVEL} != 'DEBUG'))",
    "WARN": ALARMS,
    "ERROR": f"{ALARMS} AND (kind = 'error-noted' OR (kind = 'logged' AND {_LEVEL} = 'ERROR'))",
}


@dataclass(frozen=True, slots=True)
class Lines:
    """Which lines of a run: of that level and above it, both times inclusive, none after the event `until`.

    Without `from_time` the limit keeps the newest lines, with it the first ones from there on.
    """

    until: int
    level: Level = "INFO"
    from_time: datetime | None = None
    to_time: datetime | None = None
    limit: int = 1000


def lines_of(connection: sqlite3.Connection, run_id: str, wanted: Lines) -> tuple[Event, ...]:
    """The events that are these lines, oldest first."""
    after, until = 0, wanted.until
    if wanted.from_time is not None:
        after = _last_before(connection, run_id, to_us(wanted.from_time), until)
    if wanted.to_time is not None:
        until = _last_before(connection, run_id, to_us(wanted.to_time) + 1, until)
    newest = wanted.from_time is None
    where = f"WHERE run = ? AND sequence > ? AND sequence <= ? AND {_SHOWN[wanted.level]}"
    order = f" ORDER BY sequence {'DESC' if newest else 'ASC'} LIMIT ?"
    found = events_where(connection, where + order, (run_id, after, until, wanted.limit))
    return found[::-1] if newest else found


def findings_of(connection: sqlite3.Connection, run_id: str, limit: int) -> tuple[Event, ...]:
    """The newest warnings and errors that are on the timeline, the oldest of them first."""
    where = f"WHERE run = ? AND {ALARMS} AND kind != 'logged' ORDER BY sequence DESC LIMIT ?"
    return events_where(connection, where, (run_id, limit))[::-1]


def _last_before(connection: sqlite3.Connection, run_id: str, sought_us: int, until: int) -> int:
    """A number at or above those of all events before that time, and below those of all others, up to `until`."""
    query = "SELECT sequence, time FROM events WHERE run = ? AND sequence > ? ORDER BY sequence LIMIT 1"
    low, high = 0, until
    while low < high:
        middle = (low + high) // 2
        # The next one there is: events that were told along the way may have gone.
        row = connection.execute(query, (run_id, middle)).fetchone()
        if row is None or row[0] > high or row[1] >= sought_us:
            high = middle
        else:
            low = row[0]
    return low
