"""What runs refer to: checked when they are submitted, handed to the worker, held until they have ended."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from lodestream_server.engine.batches import NewBatch, NewStep
from lodestream_server.engine.datasets import NewDataset
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.keeping import Keep, Policy
from lodestream_server.engine.models import RetryOrder
from lodestream_server.engine.opening import open_engine
from lodestream_server.runs.bodies import PhaseCompleted
from lodestream_server.runs.states import RunKind, State
from lodestream_server.store.paging import PageRequest
from lodestream_server.store.retention import drop_files
from lodestream_server.workloads.catalogue import Catalogue, PhaseSpec, WorkloadSpec
from lodestream_server.workloads.parameters import Parameter

from lodestream.errors import DatasetInUse, DependencyProblem, UnknownDataset, UnknownRun
from tests.integration.engine_world import CATALOGUE, ELSEWHERE, PHASES, SCOPE, job, settings, until

_NAMES = (
    Parameter("datasetId", "dataset"),
    Parameter("compareWith", "object", inside=(Parameter("datasetId", "dataset"),)),
    Parameter("joins", "objects", inside=(Parameter("datasetId", "dataset"),)),
    Parameter("sourceRunId", "run"),
    Parameter("baselineRunId", "run"),
    Parameter("modelResourceId", "resource"),
)
_PHASES = (PhaseSpec("First", f"{PHASES}:count"), PhaseSpec("Look", f"{PHASES}:look"))
_LOOKERS = tuple(WorkloadSpec(kind, "Look", _PHASES, _NAMES, cpu_units=1.0) for kind in RunKind)
#: Everything that has ended and that nobody needs goes.
_NOTHING = Policy(Keep(artifacts_days=0.0, datasets_days=0.0), every_s=3600)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine that also knows a type that looks."""
    catalogue = Catalogue((*CATALOGUE, *_LOOKERS))
    async with open_engine(tmp_path / "data", settings(), catalogue=catalogue) as opened:
        yield opened


async def _dataset(engine: Engine, lines: int) -> str:
    async with await engine.datasets.upload(NewDataset(SCOPE, "A log")) as upload:
        await upload.write(b"case,activity\n" + b"1,a\n" * lines)
        return (await upload.finish()).dataset_id


async def _done(engine: Engine, type_: str = "Count", **given) -> str:
    run = (await engine.submit(job(type_, **given))).run
    assert (await engine.ended(SCOPE, run.run_id)).state is State.COMPLETED
    return run.run_id


async def _seen(engine: Engine, run_id: str) -> dict:
    assert (await engine.ended(SCOPE, run_id)).state is State.COMPLETED
    return (await engine.phase_results(SCOPE, run_id))["Look"]


async def test_a_worker_is_given_all_datasets_that_the_parameters_name(engine):
    """Also inside objects and lists of them, each once, the run's own among them."""
    own, second, third = [await _dataset(engine, lines) for lines in (1, 2, 3)]
    named = {"compareWith": {"datasetId": second}, "joins": [{"datasetId": third}, {"datasetId": own}]}
    seen = await _seen(engine, (await engine.submit(job("Look", datasetId=own, **named))).run.run_id)
    assert (seen["dataset"], seen["datasets"]) == (own, {own: 2, second: 3, third: 4})
    assert (seen["resources"], seen["sources"]) == ({}, [])


async def test_what_is_not_there_is_refused_with_its_field(engine):
    """A dataset, a run, and a run of another project, which looks as if it never was; nothing of them is begun."""
    with pytest.raises(UnknownDataset, match=r"parameters\.joins\[0\]\.datasetId: there is no dataset nope"):
        await engine.submit(job("Look", joins=[{"datasetId": "nope"}]))
    foreign = (await engine.submit(job("Count", scope=ELSEWHERE))).run.run_id
    await engine.ended(ELSEWHERE, foreign)
    for run_id in ("nope", foreign):
        with pytest.raises(UnknownRun, match=rf"parameters\.sourceRunId: there is no run {run_id} in this project"):
            await engine.submit(job("Look", sourceRunId=run_id))
    assert (await engine.counters(SCOPE, RunKind.JOB))[State.QUEUED] == 0


async def test_a_run_that_did_not_complete_is_no_source(engine, tmp_path):
    """One that failed never is; one at work is when the new run waits for it."""
    failed = (await engine.submit(job("bad_input"))).run.run_id
    await engine.ended(SCOPE, failed)
    with pytest.raises(UnknownRun, match=rf"parameters\.sourceRunId: the run {failed} has not completed, it is FAIL"):
        await engine.submit(job("Look", sourceRunId=failed))
    at_work = (await engine.submit(job("OnlyWait", gate=tmp_path / "gate"))).run.run_id
    await until(engine, at_work, "phase-started")
    with pytest.raises(UnknownRun, match="has not completed, it is RUNNING"):
        await engine.submit(job("Look", sourceRunId=at_work))
    waits = (await engine.submit(job("Look", sourceRunId=at_work, dependencies=(at_work,)))).run.run_id
    (tmp_path / "gate").touch()
    assert [one["run"] for one in (await _seen(engine, waits))["sources"]] == [at_work]


async def test_named_runs_come_before_those_it_depends_on_and_these_before_what_they_depended_on(engine):
    """With their results, files, parameters and times; each once."""
    named = await _done(engine, records=3)
    steps = [
        NewStep("first", job("Count", kind=RunKind.OPERATION, records=4)),
        NewStep("second", job("Count", kind=RunKind.OPERATION, records=5), ("first",)),
        NewStep("look", job("Look", kind=RunKind.OPERATION, sourceRunId=named), ("second",)),
    ]
    batch = await engine.groups.submit(NewBatch(SCOPE, "A batch", tuple(steps)))
    first, second, look = [step.run_id for step in batch.batch.steps]
    sources = (await _seen(engine, look))["sources"]
    assert [one["run"] for one in sources] == [named, second, first]
    assert sources[0] == {
        "run": named,
        "kind": "job",
        "type": "Count",
        "records": 3,
        "results": {"Count": {"counted": 3}, "Add": {"sum": 6}},
        "files": ["count.txt", "manifest.json", "manifest.json"],
        "timed": True,
    }
    assert [(one["kind"], one["records"]) for one in sources[1:]] == [("operation", 5), ("operation", 4)]


async def test_a_changed_input_runs_every_phase_again(engine, tmp_path):
    """The same inputs keep what is done, another source keeps nothing; the answer foresees both."""
    (tmp_path / "trap").touch()
    one, other = await _done(engine, records=1), await _done(engine, records=2)
    run_id = (await engine.submit(job("Look", sourceRunId=one, trap=tmp_path / "trap"))).run.run_id
    assert (await engine.ended(SCOPE, run_id)).state is State.FAILED
    (tmp_path / "trap").unlink()
    for source, kept in ((one, True), (other, False)):
        order = RetryOrder("ann", parameters={"sourceRunId": source})
        retried = await engine.retrying.retry(SCOPE, run_id, order)
        assert retried.phases == (("First",) if kept else ())
        new = retried.submission.run.run_id
        assert [run["run"] for run in (await _seen(engine, new))["sources"]] == [source]
        events = [event.body for event in await engine.events(SCOPE, new)]
        assert [body.kept for body in events if isinstance(body, PhaseCompleted)] == [kept, False]


async def test_a_retry_still_builds_on_what_its_origin_depended_on(engine, tmp_path):
    """Its sources are there again, and the dataset that was handed down."""
    (tmp_path / "trap").touch()
    dataset = await _dataset(engine, 2)
    steps = (
        NewStep("clean", job("Enrich", kind=RunKind.OPERATION, datasetId=dataset)),
        NewStep("look", job("Look", kind=RunKind.OPERATION, trap=tmp_path / "trap"), ("clean",)),
    )
    batch = await engine.groups.submit(NewBatch(SCOPE, "A batch", steps))
    clean, look = [step.run_id for step in batch.batch.steps]
    assert (await engine.ended(SCOPE, look)).state is State.FAILED
    (tmp_path / "trap").unlink()
    retried = await engine.retrying.retry(SCOPE, look, RetryOrder("ann"))
    assert retried.phases == ("First",)
    seen = await _seen(engine, retried.submission.run.run_id)
    assert [one["run"] for one in seen["sources"]] == [clean]
    assert seen["datasets"] == {seen["dataset"]: 5}


async def test_what_a_run_works_on_is_not_taken_from_it(tmp_path):
    """Neither by somebody who deletes nor by retention; afterwards both may."""
    catalogue = Catalogue((*CATALOGUE, *_LOOKERS))
    changed = settings(seats=1, retention=_NOTHING)
    async with open_engine(tmp_path / "data", changed, catalogue=catalogue) as engine:
        blocker = (await engine.submit(job("OnlyWait", gate=tmp_path / "gate"))).run.run_id
        await until(engine, blocker, "phase-started")
        own, second = await _dataset(engine, 1), await _dataset(engine, 2)
        named = {"datasetId": own, "joins": [{"datasetId": second}]}
        waits = (await engine.submit(job("Look", **named))).run.run_id
        for used in (own, second):
            with pytest.raises(DatasetInUse):
                await engine.datasets.delete(SCOPE, used)
        assert (await engine.retention.sweep()).datasets == 0
        (tmp_path / "gate").touch()
        assert (await _seen(engine, waits))["datasets"] == {own: 2, second: 3}
        assert (await engine.retention.sweep()).datasets == 2


async def test_files_of_all_upstream_runs_stay_while_somebody_builds_on_them(tmp_path):
    """Named ones and those further up a chain of dependencies; afterwards they go."""
    catalogue = Catalogue((*CATALOGUE, *_LOOKERS))
    async with open_engine(tmp_path / "data", settings(retention=_NOTHING), catalogue=catalogue) as engine:
        gate = tmp_path / "gate"
        blocker = (await engine.submit(job("OnlyWait", gate=gate))).run.run_id
        await until(engine, blocker, "phase-started")
        ids = [
            (await engine.submit(job("Count", records=1))).run.run_id,
        ]
        ids.append((await engine.submit(job("Count", records=2, dependencies=(ids[0],)))).run.run_id)
        look = (await engine.submit(job("Look", dependencies=(ids[1], blocker)))).run.run_id
        await asyncio.gather(*(engine.ended(SCOPE, run_id) for run_id in ids))
        assert (await engine.retention.sweep()).runs_emptied == 0
        gate.touch()
        seen = await _seen(engine, look)
        assert [(one["run"], "count.txt" in one["files"]) for one in seen["sources"]] == [
            (ids[1], True),
            (blocker, False),
            (ids[0], True),
        ]
        assert (await engine.retention.sweep()).runs_emptied == 3  # its own as well


async def test_a_run_that_lost_its_files_is_no_source(tmp_path):
    """Neither by name nor as a dependency: what it left has gone, however well it ended."""
    catalogue = Catalogue((*CATALOGUE, *_LOOKERS))
    async with open_engine(tmp_path / "data", settings(retention=_NOTHING), catalogue=catalogue) as engine:
        gone = await _done(engine, records=1)
        assert (await engine.retention.sweep()).runs_emptied == 1
        with pytest.raises(UnknownRun, match=rf"parameters\.sourceRunId: the files of the run {gone} are no longer"):
            await engine.submit(job("Look", sourceRunId=gone))
        with pytest.raises(DependencyProblem, match=rf"dependencies\[0\]: the files of the run {gone} are no longer"):
            await engine.submit(job("Look", dependencies=(gone,)))


async def test_files_that_somebody_came_to_need_since_they_were_looked_for_stay(tmp_path):
    """Between a sweep's look and its step a run may be submitted that builds on them."""
    catalogue = Catalogue((*CATALOGUE, *_LOOKERS))
    async with open_engine(tmp_path / "data", settings(seats=1), catalogue=catalogue) as engine:
        first = await _done(engine, records=1)
        second = await _done(engine, records=2, dependencies=(first,))
        alone = await _done(engine, records=3)
        await engine.submit(job("OnlyWait", gate=tmp_path / "gate"))
        waits = (await engine.submit(job("Look", sourceRunId=second))).run.run_id
        for run_id, goes in ((first, False), (second, False), (alone, True), (waits, False)):
            assert await engine.store.write(partial(drop_files, run_id=run_id)) is goes
        (tmp_path / "gate").touch()
        assert [one["run"] for one in (await _seen(engine, waits))["sources"]] == [second]


async def test_an_enriched_log_becomes_a_dataset_though_nobody_waits_for_it(engine):
    """Listed and described like an uploaded one, with where it came from; a second look makes no second one."""
    origin = await _dataset(engine, 3)
    run_id = await _done(engine, "Enrich", kind=RunKind.OPERATION, datasetId=origin)
    async with asyncio.timeout(20):
        while len(found := (await engine.datasets.list(SCOPE, PageRequest())).items) < 2:  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.01)
    made = found[0]
    assert (made.name, made.format, made.description["events"]) == ("Enriched", "csv", 6)
    assert made.description["notes"] == [f"This is what the run {run_id} left."]
    assert engine.store.files.dataset(made.dataset_id).read_text().count("\n") == 7
    waits = (await engine.submit(job("Look", dependencies=(run_id,)))).run.run_id
    assert (await _seen(engine, waits))["dataset"] == made.dataset_id
    assert len((await engine.datasets.list(SCOPE, PageRequest())).items) == 2


async def test_several_that_wait_for_one_log_share_one_dataset(engine):
    """However close together they ask for it."""
    origin = await _dataset(engine, 3)
    steps = [NewStep("clean", job("Enrich", kind=RunKind.OPERATION, datasetId=origin))]
    steps += [NewStep(f"look-{one}", job("Look", kind=RunKind.OPERATION), ("clean",)) for one in range(4)]
    batch = await engine.groups.submit(NewBatch(SCOPE, "A batch", tuple(steps)))
    seen = [await _seen(engine, step.run_id) for step in batch.batch.steps[1:]]
    assert len({one["dataset"] for one in seen}) == 1
    assert len((await engine.datasets.list(SCOPE, PageRequest())).items) == 2
