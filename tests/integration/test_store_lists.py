"""Lists: filters, page numbers inside the window, tokens beyond it; and the records beside the runs."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from lodestream_server.runs.bodies import ArtifactStored, Completed, Started
from lodestream_server.runs.states import Priority, RunKind, State
from lodestream_server.store.paging import PageRequest, place
from lodestream_server.store.reading import RunFilter, Scope, page_of_runs
from lodestream_server.store.records import (
    Dataset,
    add_dataset,
    artifacts_of,
    find_artifact,
    find_dataset,
    page_of_datasets,
    remove_dataset,
)
from lodestream_server.store.store import Store

from lodestream.errors import BadPageToken, DatasetInUse, DatasetNotFound, InvalidField, PageBeyondWindow
from tests.integration.store_world import NOON, SCOPE, facts, new_run

STARTED = Started(1, "node", 1, "exec")
ELSEWHERE = Scope(SCOPE.tenant_id, "99999999-9999-4999-8999-999999999999")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store of its own for the test."""
    opened = await Store.open(tmp_path)
    yield opened
    await opened.close()


async def _list(store: Store, wanted: RunFilter, **page):
    return await store.read(lambda db: page_of_runs(db, SCOPE, wanted, PageRequest(**page)))


def _ids(page) -> list[str]:
    return [run.run_id for run in page.items]


JOBS = RunFilter(RunKind.JOB)


async def test_pages_go_on_without_gap_or_repeat(store):
    """By token or by number: seven runs in pages of three, newest first, also where instants are equal."""
    for n in range(7):
        await new_run(store, f"r{n}", at_s=n // 2)
    seen, token = [], None
    while True:
        page = await _list(store, JOBS, page_size=3, page_token=token)
        seen += _ids(page)
        if (token := page.next_token) is None:
            break
    assert seen == ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]
    assert [_ids(await _list(store, JOBS, page=n, page_size=3)) for n in (1, 2, 3, 4)] == [
        seen[:3],
        seen[3:6],
        seen[6:],
        [],
    ]


async def test_a_new_run_does_not_shift_the_pages_of_a_token(store):
    """The token names the last row seen, not how many."""
    for n in range(4):
        await new_run(store, f"r{n}", at_s=n)
    first = await _list(store, JOBS, page_size=2)
    await new_run(store, "newer", at_s=9)
    assert _ids(await _list(store, JOBS, page_size=2, page_token=first.next_token)) == ["r1", "r0"]


async def test_filters_narrow_together(store):
    """State, type, priority, submitter and inclusive dates."""
    await new_run(store, "a", at_s=0, type="A", priority=Priority.HIGH, submitted_by="ann")
    await new_run(store, "b", at_s=10, type="B", priority=Priority.HIGH, submitted_by="bob")
    await new_run(store, "c", at_s=20, type="B", priority=Priority.LOW, submitted_by="bob")
    await store.append("c", facts(STARTED, at_s=21))
    await new_run(store, "op", at_s=5, kind=RunKind.OPERATION)

    async def ids(**narrow):
        return _ids(await _list(store, RunFilter(RunKind.JOB, **narrow)))

    assert await ids() == ["c", "b", "a"]
    assert await ids(states=frozenset({State.RUNNING})) == ["c"]
    assert await ids(states=frozenset({State.RUNNING, State.QUEUED, State.FAILED})) == ["c", "b", "a"]
    assert await ids(types=frozenset({"B"}), priorities=frozenset({Priority.HIGH})) == ["b"]
    assert await ids(submitted_by="ann") == ["a"]
    assert await ids(created_from=NOON + timedelta(seconds=10)) == ["c", "b"]
    assert await ids(created_to=NOON + timedelta(seconds=10)) == ["b", "a"]


async def test_another_project_sees_nothing(store):
    """Lists never reach beyond their scope."""
    await new_run(store, "a")
    page = await store.read(lambda db: page_of_runs(db, ELSEWHERE, JOBS, PageRequest()))
    assert page.items == ()


async def test_pages_beyond_the_window_name_the_token(store):
    """100 pages of 100 are reachable by number, the next one is not."""
    await _list(store, JOBS, page=100, page_size=100)
    with pytest.raises(PageBeyondWindow) as caught:
        await _list(store, JOBS, page=101, page_size=100)
    assert "page_token" in caught.value.violations[0].description


@pytest.mark.parametrize("page", [{"page_size": 0}, {"page_size": 101}, {"page": -1}, {"page": 2, "page_token": "x"}])
async def test_impossible_pages_are_refused(store, page):
    """The field at fault is named."""
    with pytest.raises(InvalidField):
        await _list(store, JOBS, **page)


async def test_a_token_of_another_list_is_refused(store):
    """It would silently show the wrong rows."""
    for n in range(3):
        await new_run(store, f"r{n}")
    token = (await _list(store, JOBS, page_size=1)).next_token
    with pytest.raises(BadPageToken):
        await _list(store, RunFilter(RunKind.JOB, submitted_by="ann"), page_size=1, page_token=token)
    with pytest.raises(BadPageToken):
        await _list(store, JOBS, page_token="bm90aGluZw")


@pytest.mark.parametrize("token", ["MW", "WzFd", "bnVsbA", "é", "=", "WzEsMiwzLDRd"])
def test_a_made_up_token_is_refused(token):
    """Whatever it decodes to: a number, a list of one or of four, null, nothing at all."""
    with pytest.raises(BadPageToken):
        place(PageRequest(page_token=token), "jobs")


async def test_lists_walk_an_index_and_never_sort(store):
    """Whatever the filter, SQLite takes rows in order from an index and needs no sorting of the project."""
    from lodestream_server.store.reading import _conditions

    for state in (None, State.QUEUED):
        where, values = _conditions(SCOPE, JOBS, state, (1, 1))
        query = f"EXPLAIN QUERY PLAN SELECT created, number FROM runs WHERE {where} ORDER BY created DESC, number DESC"
        plan = await store.read(lambda db, q=query, v=values: [row[3] for row in db.execute(q, v)])
        assert any("COVERING INDEX" in step for step in plan)
        assert not any("TEMP B-TREE" in step for step in plan)


def _dataset(dataset_id: str) -> Dataset:
    return Dataset(dataset_id, SCOPE.tenant_id, SCOPE.project_id, "Log", "log.csv", "csv", 10, "00", NOON)


async def test_a_dataset_in_use_cannot_be_deleted(store):
    """Until the run that names it has ended."""
    await store.write(lambda tx: add_dataset(tx, _dataset("d1")))
    await new_run(store, "r1", dataset_id="d1")
    with pytest.raises(DatasetInUse):
        await store.write(lambda tx: remove_dataset(tx, SCOPE, "d1"))
    await store.append("r1", facts(STARTED, Completed()))
    assert (await store.write(lambda tx: remove_dataset(tx, SCOPE, "d1"))).dataset_id == "d1"
    with pytest.raises(DatasetNotFound):
        await store.write(lambda tx: remove_dataset(tx, SCOPE, "d1"))


async def test_datasets_are_listed_in_their_project_only(store):
    """And found there only."""
    for n in range(3):
        await store.write(lambda tx, n=n: add_dataset(tx, _dataset(f"d{n}")))
    page = await store.read(lambda db: page_of_datasets(db, SCOPE, PageRequest(page_size=2)))
    rest = await store.read(
        lambda db: page_of_datasets(db, SCOPE, PageRequest(page_size=2, page_token=page.next_token))
    )
    assert [found.dataset_id for found in (*page.items, *rest.items)] == ["d2", "d1", "d0"]
    assert await store.read(lambda db: find_dataset(db, ELSEWHERE, "d1")) is None


async def test_an_artifact_is_known_with_its_event(store):
    """The same commit makes it findable, in its project only."""
    stored = ArtifactStored("art-1", "Only", "Map", "Visualization", "phases/01-only/map.svg", 5, "00")
    await new_run(store, "r1")
    await store.append("r1", facts(STARTED, stored))
    (artifact,) = await store.read(lambda db: artifacts_of(db, "r1"))
    assert (artifact.artifact_id, artifact.path) == ("art-1", "phases/01-only/map.svg")
    assert await store.read(lambda db: find_artifact(db, SCOPE, "art-1")) == artifact
    assert await store.read(lambda db: find_artifact(db, ELSEWHERE, "art-1")) is None
