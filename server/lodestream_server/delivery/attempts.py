"""What became of deliveries: one row per attempt, and the counts of the endpoint moved in the same transaction.

The newest row of a delivery says how it stands. `delivered` and `failed` settle it; `retry` and `asked` (somebody
wants it sent again) leave it open, and become `tried` once another attempt has been made. Read by `attempt_log`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lodestream_server.delivery.endpoints import Status
from lodestream_server.store.times import to_us
from lodestream_server.store.writer import Transaction

Outcome = Literal["delivered", "failed", "retry", "asked", "tried"]
Standing = Literal["PENDING", "DELIVERED", "FAILED"]
SETTLED = frozenset({"delivered", "failed"})
#: What the outcome of the newest attempt says of the delivery.
OUTCOMES: dict[Standing, tuple[Outcome, ...]] = {
    "PENDING": ("retry", "asked"),
    "DELIVERED": ("delivered",),
    "FAILED": ("failed",),
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. `due` is when the delivery was due first; `next` when it is due again."""

    delivery_id: str
    run_id: str
    sequence: int
    position: int
    event: str
    #: From 1 for each time that the delivery is sent, with its retries.
    ordinal: int
    due: datetime
    time: datetime
    outcome: Outcome
    status_code: int | None = None
    took_s: float | None = None
    error: str | None = None
    next: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as its attempts tell it, oldest first."""

    attempts: tuple[Attempt, ...]

    @property
    def newest(self) -> Attempt:
        """The last attempt."""
        return self.attempts[-1]

    @property
    def standing(self) -> Standing:
        """Where it stands."""
        return next(standing for standing, outcomes in OUTCOMES.items() if self.newest.outcome in outcomes)


@dataclass(frozen=True, slots=True)
class DisablingRule:
    """So many deliveries in a row given up, the first of them at least so long ago."""

    failures: int
    for_s: float


def record(
    tx: Transaction, endpoint: int, attempt: Attempt, cursor: int | None, rule: DisablingRule, *, gone: bool = False
) -> Status:
    """Writes the attempt and moves counts and cursor; the endpoint's status after it.

    `gone`: the receiver said that it will never answer again, which disables the endpoint at once.
    """
    if not _exists(tx, endpoint):
        return Status.DONE  # deleted while the attempt was under way
    _insert(tx, endpoint, attempt)
    _count(tx, endpoint, attempt)
    if cursor is not None:
        tx.connection.execute(
            "UPDATE endpoints SET cursor = ? WHERE number = ? AND cursor < ?", (cursor, endpoint, cursor)
        )
    return _judge(tx, endpoint, attempt, rule, gone)


def ask_again(tx: Transaction, endpoint: int, newest: Attempt, now: datetime) -> Attempt:
    """Notes durably that a settled delivery is to be sent again; its counts are taken back until it is."""
    asked = Attempt(
        newest.delivery_id, newest.run_id, newest.sequence, newest.position, newest.event, 0, newest.due, now, "asked"
    )
    _insert(tx, endpoint, asked)
    column = "delivered" if newest.outcome == "delivered" else "failed"
    tx.connection.execute(f"UPDATE endpoints SET {column} = {column} - 1 WHERE number = ?", (endpoint,))
    return asked


def _exists(tx: Transaction, endpoint: int) -> bool:
    return tx.connection.execute("SELECT 1 FROM endpoints WHERE number = ?", (endpoint,)).fetchone() is not None


def _insert(tx: Transaction, endpoint: int, attempt: Attempt) -> None:
    tx.connection.execute(
        "UPDATE attempts SET outcome = 'tried' WHERE delivery = ? AND outcome IN ('retry', 'asked')",
        (attempt.delivery_id,),
    )
    tx.connection.execute(
        "INSERT INTO attempts (endpoint, delivery, run, sequence, position, event, ordinal, due, time, outcome,"
        " status_code, took_us, error, next) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            endpoint,
            attempt.delivery_id,
            attempt.run_id,
            attempt.sequence,
            attempt.position,
            attempt.event,
            attempt.ordinal,
            to_us(attempt.due),
            to_us(attempt.time),
            attempt.outcome,
            attempt.status_code,
            None if attempt.took_s is None else round(attempt.took_s * 1e6),
            attempt.error,
            to_us(attempt.next) if attempt.next else None,
        ),
    )


def _count(tx: Transaction, endpoint: int, attempt: Attempt) -> None:
    first = attempt.ordinal == 1 and not _sent_before(tx, attempt)
    delivered, failed = attempt.outcome == "delivered", attempt.outcome == "failed"
    answered = attempt.status_code is not None
    now = to_us(attempt.time)
    tx.connection.execute(
        "UPDATE endpoints SET begun = begun + ?, delivered = delivered + ?, failed = failed + ?, answers = answers + ?,"
        " answers_us = answers_us + ?, last_delivery = CASE WHEN ? THEN ? ELSE last_delivery END,"
        " failed_in_a_row = CASE WHEN ? THEN 0 ELSE failed_in_a_row + ? END,"
        " failing_since = CASE WHEN ? THEN NULL WHEN ? THEN coalesce(failing_since, ?) ELSE failing_since END"
        " WHERE number = ?",
        (
            first,
            delivered,
            failed,
            answered,
            round((attempt.took_s or 0.0) * 1e6) if answered else 0,
            delivered,
            now,
            delivered,
            failed,
            delivered,
            failed,
            now,
            endpoint,
        ),
    )


def _sent_before(tx: Transaction, attempt: Attempt) -> bool:
    row = tx.connection.execute(
        "SELECT count(*) FROM attempts WHERE delivery = ? AND ordinal = 1", (attempt.delivery_id,)
    ).fetchone()
    return bool(row[0] > 1)


def _judge(tx: Transaction, endpoint: int, attempt: Attempt, rule: DisablingRule, gone: bool) -> Status:
    status, failures, since = tx.connection.execute(
        "SELECT status, failed_in_a_row, failing_since FROM endpoints WHERE number = ?", (endpoint,)
    ).fetchone()
    long_enough = since is not None and to_us(attempt.time) - since >= rule.for_s * 1e6
    if status == Status.ACTIVE and (gone or (failures >= rule.failures and long_enough)):
        tx.connection.execute("UPDATE endpoints SET status = ? WHERE number = ?", (Status.DISABLED.value, endpoint))
        return Status.DISABLED
    return Status(status)
