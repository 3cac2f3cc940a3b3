"""Log lines of a run: which ones are found, and that the others are not read for it."""

import itertools
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lodestream_server.runs.bodies import (
    Body,
    Completed,
    ErrorNoted,
    Level,
    Logged,
    PhaseStarted,
    Progressed,
    Started,
    Warned,
)
from lodestream_server.runs.logs import Line, line, shows
from lodestream_server.store.appending import Fact
from lodestream_server.store.lines import Lines, findings_of, lines_of
from lodestream_server.store.retention import cut
from lodestream_server.store.store import DATABASE, Store

from tests.integration.store_world import NOON, new_run

LEVELS: tuple[Level, ...] = ("DEBUG", "INFO", "WARN", "ERROR")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store of its own for the test."""
    opened = await Store.open(tmp_path / "data")
    yield opened
    await opened.close()


async def _begin(store: Store, *bodies: Body) -> None:
    """A run at work, and what it says, an event a second; two events share each instant."""
    await new_run(store, "run")
    first = [Started(1, "node", 1, "exec"), PhaseStarted("Only", 1), *bodies]
    await store.append("run", [Fact(body, _at(number // 2)) for number, body in enumerate(first)])


def _at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


async def _lines(store: Store, **wanted) -> list[Line]:
    asked = Lines(**{"until": 10**9, **wanted})
    events = await store.read(lambda db: lines_of(db, "run", asked))
    return [here for event in events if (here := line(event)) is not None]


TOLD = (
    Logged("DEBUG", "d"),
    Logged("INFO", "i"),
    Warned("w"),
    Logged("WARN", "w2"),
    Logged("ERROR", "e"),
    ErrorNoted("f"),
)


@pytest.mark.parametrize(
    ("level", "messages"), [("DEBUG", "d i w w2 e f"), ("INFO", "i w w2 e f"), ("WARN", "w w2 e f"), ("ERROR", "e f")]
)
async def test_the_level_is_a_threshold(store, level, messages):
    """A level shows itself and everything above it."""
    await _begin(store, *TOLD)
    assert " ".join(here.message for here in await _lines(store, level=level)) == messages


async def test_a_limit_keeps_the_newest_lines_and_from_a_time_on_the_first(store):
    """Reading on from a time is paging forward. Both times are inclusive; nothing after `until` is told."""
    await _begin(store, *TOLD)  # "i" and "w" are of the seconds 1 and 2
    assert [here.message for here in await _lines(store, limit=2)] == ["e", "f"]
    assert [here.message for here in await _lines(store, from_time=_at(1), limit=2)] == ["i", "w"]
    assert [here.message for here in await _lines(store, from_time=_at(1), to_time=_at(2))] == ["i", "w", "w2"]
    assert [here.message for here in await _lines(store, to_time=_at(2), limit=1)] == ["w2"]
    assert [here.message for here in await _lines(store, until=6)] == ["i"]
    assert await _lines(store, from_time=datetime.max.replace(tzinfo=UTC)) == []
    assert len(await _lines(store, to_time=datetime.max.replace(tzinfo=UTC))) == 5


async def test_every_question_gets_what_reading_everything_would_give(store):
    """Of a log by chance, before and after what was told along the way has gone; seed 5."""
    chance = random.Random(5)
    some: list[Body] = [Warned("w"), Progressed("Only", 1), *(Logged(level, "line") for level in LEVELS)]
    await _begin(store, *(chance.choice(some) for _ in range(300)))
    await store.append("run", [Fact(Completed(), _at(200))])
    for cutting in (False, True):
        if cutting:
            await store.write(lambda tx: cut(tx, "run"))
        everything = [here for event in await store.events("run") if (here := line(event)) is not None]
        times = [None, *(_at(chance.choice((-1, 0, 20, 75, 151, 300)) + chance.choice((0, 0.5))) for _ in range(4))]
        for level, begin, end, limit in itertools.product(LEVELS, times, times, (1, 7, 1000)):
            found = [here for here in everything if shows(here, level)]
            found = [
                here for here in found if (begin is None or here.time >= begin) and (end is None or here.time <= end)
            ]
            kept = found[:limit] if begin else found[-limit:]
            assert await _lines(store, level=level, from_time=begin, to_time=end, limit=limit) == kept


async def test_a_store_of_the_version_before_finds_its_warnings_too(tmp_path):
    """The index is made at the first start."""
    store = await Store.open(tmp_path / "data")
    await _begin(store, *TOLD)
    await store.close()
    with closing(sqlite3.connect(tmp_path / "data" / DATABASE)) as connection:
        connection.executescript(
            "DROP INDEX events_alarms; PRAGMA user_version = 4;"
            " DELETE FROM _sqlite_migrations WHERE name = 'm005_alarms'"
        )
    store = await Store.open(tmp_path / "data")
    assert [here.message for here in await _lines(store, level="ERROR")] == ["e", "f"]
    names = await store.read(lambda db: [row[0] for row in db.execute("SELECT name FROM sqlite_schema")])
    assert "events_alarms" in names
    await store.close()


async def test_the_other_lines_are_not_read(store):
    """Of twenty thousand: the work for a few of them is that for a few, wherever they are."""
    rare = ErrorNoted("the one")
    await _begin(store, rare, *(Logged("INFO", f"line {number}") for number in range(20_000)))
    middle = _at(5000)

    async def steps(wanted: Lines) -> int:
        """Thousands of SQLite's instructions."""
        counted = 0

        def count() -> None:
            nonlocal counted
            counted += 1

        def ask(db) -> None:
            db.set_progress_handler(count, 1000)
            lines_of(db, "run", wanted)
            findings_of(db, "run", 10)
            db.set_progress_handler(None, 0)

        await store.read(ask)
        return counted

    assert [here.message for here in await _lines(store, level="ERROR")] == ["the one"]
    for wanted in (
        Lines(10**9, "ERROR"),
        Lines(10**9, "WARN", from_time=middle),
        Lines(10**9, from_time=middle, limit=10),
        Lines(10**9, to_time=middle, limit=10),
        Lines(10**9, from_time=middle, to_time=middle),
    ):
        assert await steps(wanted) <= 2, wanted
