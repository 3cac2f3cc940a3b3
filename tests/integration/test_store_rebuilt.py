"""The check that follows every test of the suite: it holds for what the store writes, and it can fail."""

import sqlite3
from contextlib import closing
from dataclasses import replace

from lodestream_server.runs.bodies import Completed, Logged, Started
from lodestream_server.runs.codec import dump, load
from lodestream_server.runs.state import RunState
from lodestream_server.store.retention import cut
from lodestream_server.store.store import DATABASE, Store

from tests.integration.store_world import facts, new_run
from tests.support.rebuilt import differences

STARTED = Started(1, "node", 1, "exec")


async def _store_with_a_run(folder, *bodies, after=None):
    store = await Store.open(folder)
    await new_run(store, "r1")
    await store.append("r1", facts(STARTED, Logged("INFO", "hello"), *bodies))
    if after is not None:
        await store.write(after)
    await store.close()
    return folder / DATABASE


async def test_a_row_that_is_not_what_the_events_say_is_found(tmp_path_factory):
    """By the fields in which it differs; the folder is put right again, because the check comes after this test too."""
    database = await _store_with_a_run(tmp_path_factory.mktemp("store"))
    assert differences([database]) == []
    with closing(sqlite3.connect(database)) as connection, connection:
        (right,) = connection.execute("SELECT folded FROM runs").fetchone()
        connection.execute("UPDATE runs SET folded = ?", (dump(replace(load(RunState, right), node="elsewhere")),))
    (fault,) = differences([database])
    assert fault.endswith("r1 differs from its events in node")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE runs SET folded = ?", (right,))
    assert differences([database]) == []


async def test_an_event_that_is_missing_is_found_unless_it_was_cut_by_age(tmp_path_factory):
    """Of a run that goes on nothing may be missing; of one that has ended its story is enough."""
    ended = await _store_with_a_run(tmp_path_factory.mktemp("ended"), Completed(), after=lambda tx: cut(tx, "r1"))
    assert differences([ended]) == []
    goes_on = await _store_with_a_run(tmp_path_factory.mktemp("goes_on"))
    with closing(sqlite3.connect(goes_on)) as connection, connection:
        connection.execute("DELETE FROM events WHERE kind = 'logged'")
    (fault,) = differences([goes_on])
    assert "r1 cannot be rebuilt" in fault
    goes_on.unlink()
