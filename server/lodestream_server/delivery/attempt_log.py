"""Deliveries as their attempts tell them: queries for the readers, and the cutting of what is old."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from lodestream_server.delivery.attempts import OUTCOMES, Attempt, Delivery, Standing
from lodestream_server.store.paging import Page, PageRequest, place, token
from lodestream_server.store.times import from_us, to_us
from lodestream_server.store.writer import Transaction

_SELECT = (
    "SELECT delivery, run, sequence, position, event, ordinal, due, time, outcome, status_code, took_us, error, next"
    " FROM attempts "
)
_NEWEST_OUTCOME = "(SELECT c.outcome FROM attempts c WHERE c.delivery = a.delivery ORDER BY c.number DESC LIMIT 1)"


def unsettled(connection: sqlite3.Connection, endpoint: int) -> tuple[Attempt, ...]:
    """The newest attempts of deliveries that are begun and not settled."""
    where = "WHERE endpoint = ? AND outcome IN ('retry', 'asked') ORDER BY number"
    return tuple(_attempt(row) for row in connection.execute(_SELECT + where, (endpoint,)))


def settled_after(connection: sqlite3.Connection, endpoint: int, position: int) -> frozenset[int]:
    """Positions beyond the cursor whose deliveries are settled already."""
    rows = connection.execute(
        "SELECT position FROM attempts WHERE endpoint = ? AND position > ? AND outcome IN ('delivered', 'failed')",
        (endpoint, position),
    )
    return frozenset(row[0] for row in rows)


def find(connection: sqlite3.Connection, endpoint: int, delivery_id: str) -> Delivery | None:
    """A delivery of the endpoint."""
    rows = connection.execute(
        _SELECT + "WHERE delivery = ? AND endpoint = ? ORDER BY number", (delivery_id, endpoint)
    ).fetchall()
    return Delivery(tuple(_attempt(row) for row in rows)) if rows else None


def page_of(
    connection: sqlite3.Connection, endpoint: int, standing: Standing | None, request: PageRequest
) -> Page[Delivery]:
    """Deliveries, the one begun last first. Raises what `paging.place` raises."""
    list_id = f"deliveries {endpoint} {standing}"
    begin = place(request, list_id)
    wanted = OUTCOMES[standing] if standing else ()
    having = f" AND {_NEWEST_OUTCOME} IN ({', '.join('?' * len(wanted))})" if wanted else ""
    first = connection.execute(
        "SELECT delivery, number FROM attempts a WHERE endpoint = ? AND ordinal = 1 AND number < ?"
        # A delivery that was sent again has a first attempt again; the very first one stands for it.
        " AND number = (SELECT min(number) FROM attempts b WHERE b.delivery = a.delivery)"
        f"{having} ORDER BY number DESC LIMIT ? OFFSET ?",
        (endpoint, begin.before[1] if begin.before else 2**63 - 1, *wanted, request.page_size + 1, begin.skip),
    ).fetchall()
    shown = [delivery for delivery, _ in first[: request.page_size]]
    after = token((0, first[len(shown) - 1][1]), list_id) if len(first) > len(shown) else None
    rows = connection.execute(
        _SELECT + f"WHERE delivery IN ({', '.join('?' * len(shown))}) ORDER BY delivery, number", shown
    )
    by_id = {key: Delivery(tuple(group)) for key, group in groupby(map(_attempt, rows), lambda one: one.delivery_id)}
    return Page(tuple(by_id[delivery] for delivery in shown), after)


def old(connection: sqlite3.Connection, before: datetime, most: int) -> list[int]:
    """Numbers of attempts of deliveries settled before then, at most so many. For retention. The oldest first: what
    settled a delivery stays until its other attempts have gone.

    What lies beyond an endpoint's cursor stays: a restart would send it again.
    """
    rows = connection.execute(
        "SELECT a.number FROM attempts a JOIN endpoints e ON e.number = a.endpoint"
        " WHERE a.time < ? AND (e.run IS NOT NULL OR a.position <= e.cursor)"
        f" AND {_NEWEST_OUTCOME} IN ('delivered', 'failed') ORDER BY a.number LIMIT ?",
        (to_us(before), most),
    )
    return [row[0] for row in rows]


def prune(tx: Transaction, numbers: Sequence[int]) -> int:
    """Deletes these attempts, unless their delivery has been asked for again meanwhile; how many."""
    marks = ", ".join("?" * len(numbers))
    return tx.connection.execute(
        "DELETE FROM attempts WHERE number IN (SELECT a.number FROM attempts a"
        f" WHERE a.number IN ({marks}) AND {_NEWEST_OUTCOME} IN ('delivered', 'failed'))",
        numbers,
    ).rowcount


def _attempt(row: tuple) -> Attempt:  # type: ignore[type-arg]  # sqlite rows have no types
    delivery, run, sequence, position, event, ordinal, due, time, outcome, code, took_us, error, due_again = row
    return Attempt(
        delivery,
        run,
        sequence,
        position,
        event,
        ordinal,
        from_us(due),
        from_us(time),
        outcome,
        code,
        None if took_us is None else took_us / 1e6,
        error,
        None if due_again is None else from_us(due_again),
    )
