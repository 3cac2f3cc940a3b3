"""One effect for many sends: what was answered to a request id is remembered beside the effect, in the same
transaction."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lodestream.errors import IdempotencyKeyReused
from lodestream_server.store.times import to_us
from lodestream_server.store.writer import Transaction

#: The run or batch that an id stands for.
_ANSWER: Final = "coalesce(json_extract(CAST(response AS TEXT), '$.run_id'), json_extract(CAST(response AS TEXT), '$'))"


@dataclass(frozen=True, slots=True)
class RequestId:
    """The caller's id for one effect, within `scope` (project and method); `body_hash` is of the request as it came."""

    scope: str
    request_id: str
    body_hash: bytes


def remembered(connection: sqlite3.Connection, request: RequestId) -> bytes | None:
    """What was answered before. Raises IdempotencyKeyReused when the body was another one."""
    row = connection.execute(
        "SELECT body_hash, response FROM remembered_requests WHERE scope = ? AND request = ?",
        (request.scope, request.request_id),
    ).fetchone()
    if row is None:
        return None
    if row[0] != request.body_hash:
        raise IdempotencyKeyReused
    response: bytes = row[1]
    return response


def forget(tx: Transaction, before: datetime) -> int:
    """Forgets ids from before that instant, so that they are new again; how many. Those of what has not ended stay."""
    return tx.connection.execute(
        "DELETE FROM remembered_requests WHERE created < ? AND"
        f" NOT EXISTS (SELECT 1 FROM runs r WHERE r.run = {_ANSWER} AND r.ended IS NULL) AND {_ANSWER} NOT IN"
        " (SELECT coalesce(json_extract(CAST(folded AS TEXT), '$.batch_id'), '') FROM runs WHERE ended IS NULL)",
        (to_us(before),),
    ).rowcount


def remember(tx: Transaction, request: RequestId, response: bytes, now: datetime) -> None:
    """Keeps the answer for the next send."""
    tx.connection.execute(
        "INSERT INTO remembered_requests VALUES (?, ?, ?, ?, ?)",
        (request.scope, request.request_id, request.body_hash, response, to_us(now)),
    )
