"""What is written about runs: jobs for the writer thread, each of which keeps row, events and counters of one accord.

A guard names what the caller believes; if the run has moved on, nothing is written and RaceLost carries how it
really stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from lodestream.errors import RunNotFound
from lodestream_server.runs.bodies import Body
from lodestream_server.runs.codec import dump, encode, load
from lodestream_server.runs.events import ALONG_THE_WAY, Event
from lodestream_server.runs.fold import apply
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store.times import to_us
from lodestream_server.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened, and when. An instant before the run's last event is read as that event's."""

    body: Body
    time: datetime


@dataclass(frozen=True, slots=True)
class Guard:
    """What must still be true of the run for the append to count. None: does not matter."""

    states: frozenset[State] | None = None
    epoch: int | None = None

    def holds(self, run: RunState) -> bool:
        """Whether the run is where the caller believes it to be."""
        return (self.states is None or run.state in self.states) and self.epoch in (None, run.epoch)


ANYHOW = Guard()


class RaceLost(Exception):
    """The run has moved on; `run` is how it stands now."""

    def __init__(self, run: RunState) -> None:
        super().__init__(f"{run.run_id} is {run.state} in epoch {run.epoch}")
        self.run = run


def begin(tx: Transaction, run_id: str, facts: Sequence[Fact]) -> RunState:
    """A new run with its first events; `facts[0]` holds Submitted. Raises DiskFull while the reserve is in use."""
    tx.reserve.check()
    run, along_bytes = _apply(tx, None, run_id, facts)
    tx.connection.execute(
        "INSERT INTO runs (run, tenant, project, kind, type, name, priority, state, epoch, submitted_by, dataset,"
        " size_bytes, created, started, ended, last_sequence, folded, along_bytes)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.run_id,
            run.tenant_id,
            run.project_id,
            run.kind.value,
            run.type,
            run.name,
            int(run.priority),
            run.state.value,
            run.epoch,
            run.submitted_by,
            run.dataset_id,
            run.size_bytes,
            to_us(run.created),
            None,
            None,
            run.last_sequence,
            dump(run),
            along_bytes,
        ),
    )
    _count(tx, run, run.state, +1)
    tx.remember(run)
    return run


def append(tx: Transaction, run_id: str, facts: Sequence[Fact], guard: Guard = ANYHOW) -> RunState:
    """Adds events to a run. Raises RunNotFound, RaceLost; IllegalTransition when the table of states forbids it."""
    before = current(tx, run_id)
    if not guard.holds(before):
        raise RaceLost(before)
    run, along_bytes = _apply(tx, before, run_id, facts)
    if _columns(run) == _columns(before):
        _keep(tx, run, along_bytes)
    else:
        _move(tx, before, run, along_bytes)
    tx.remember(run)
    return run


def current(tx: Transaction, run_id: str) -> RunState:
    """The run as this transaction sees it. Raises RunNotFound."""
    if (known := tx.states.get(run_id)) is not None:
        return known
    row = tx.connection.execute("SELECT folded FROM runs WHERE run = ?", (run_id,)).fetchone()
    if row is None:
        raise RunNotFound
    return load(RunState, row[0])


def _apply(tx: Transaction, run: RunState | None, run_id: str, facts: Sequence[Fact]) -> tuple[RunState, int]:
    """The run after its new events, and the bytes of those told along the way."""
    rows, along_bytes = [], 0
    for fact in facts:
        sequence = run.last_sequence + 1 if run else 1
        time = max(fact.time, run.updated) if run else fact.time
        tx.position += 1
        event = Event(run_id, sequence, tx.position, time, fact.body)
        run = apply(run, event)
        kind, body = encode(fact.body)
        rows.append((tx.position, run_id, sequence, to_us(time), kind, body))
        along_bytes += len(body) if kind in ALONG_THE_WAY else 0
        tx.events.append(event)
    tx.connection.executemany(
        "INSERT INTO events (position, run, sequence, time, kind, body) VALUES (?, ?, ?, ?, ?, ?)", rows
    )
    if run is None:
        raise ValueError("a run begins with at least one event")
    return run, along_bytes


def _columns(run: RunState) -> tuple[object, ...]:
    """What the row says outside of the folded state, and may change."""
    return run.state, run.epoch, run.priority, run.dataset_id


def _keep(tx: Transaction, run: RunState, along_bytes: int) -> None:
    # Apart from _move, so that no index is touched: this is what nearly every commit of a running run does.
    changed = tx.connection.execute(
        "UPDATE runs SET last_sequence = ?, folded = ?, along_bytes = along_bytes + ?"
        " WHERE run = ? AND state = ? AND epoch = ?",
        (run.last_sequence, dump(run), along_bytes, run.run_id, run.state.value, run.epoch),
    )
    if changed.rowcount != 1:
        raise RaceLost(run)


def _move(tx: Transaction, before: RunState, run: RunState, along_bytes: int) -> None:
    changed = tx.connection.execute(
        "UPDATE runs SET state = ?, epoch = ?, started = ?, ended = ?, priority = ?, dataset = ?, size_bytes = ?,"
        " last_sequence = ?, folded = ?, along_bytes = along_bytes + ? WHERE run = ? AND state = ? AND epoch = ?",
        (
            run.state.value,
            run.epoch,
            to_us(run.started) if run.started else None,
            to_us(run.ended) if run.ended else None,
            int(run.priority),
            run.dataset_id,
            run.size_bytes,
            run.last_sequence,
            dump(run),
            along_bytes,
            run.run_id,
            before.state.value,
            before.epoch,
        ),
    )
    if changed.rowcount != 1:
        raise RaceLost(before)
    if run.state is not before.state:
        _count(tx, run, before.state, -1)
        _count(tx, run, run.state, +1)


def _count(tx: Transaction, run: RunState, state: State, by: int) -> None:
    tx.connection.execute(
        "INSERT INTO counters VALUES (?1, ?2, ?3, ?4, max(?5, 0))"
        " ON CONFLICT (tenant, project, kind, state) DO UPDATE SET runs = runs + ?5",
        (run.tenant_id, run.project_id, run.kind.value, state.value, by),
    )


def plain(run: RunState) -> dict[str, object]:
    """The state as JSON values, for comparing and for tools."""
    value: dict[str, object] = orjson.loads(dump(run))
    return value
