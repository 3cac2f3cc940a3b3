"""A run from submission to its end, through real worker processes; and everything that can be refused on the way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lodestream_server.engine.engine import Engine
from lodestream_server.runs.bodies import Logged, Sampled
from lodestream_server.runs.fold import replay
from lodestream_server.runs.logs import Line, line
from lodestream_server.runs.states import PhaseStatus, Priority, RunKind, State
from lodestream_server.store.paging import PageRequest
from lodestream_server.store.reading import RunFilter, Scope
from lodestream_server.store.requests import RequestId

from lodestream.errors import (
    ArtifactNotFound,
    IdempotencyKeyReused,
    InvalidField,
    NotBuilt,
    RunNotFound,
    ServerDraining,
    UnknownDataset,
)
from tests.integration.engine_world import ELSEWHERE, SCOPE, appears, engine_at, job, kinds, until


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine of its own for the test."""
    async with engine_at(tmp_path / "data") as opened:
        yield opened


async def _errors(engine: Engine, run_id: str) -> list[Line]:
    lines = [line(event) for event in await engine.events(SCOPE, run_id)]
    return [here for here in lines if here is not None and here.level == "ERROR"]


async def test_a_run_goes_from_submission_to_its_results(engine):
    """Events in order, phases done, figures, results and the published file with its content."""
    submission = await engine.submit(job("Count", name="Counting", records=7))
    run_id = submission.run.run_id
    run = await engine.ended(SCOPE, run_id)
    assert (run.state, run.percent, run.attempt, run.name) == (State.COMPLETED, 100.0, 1, "Counting")
    assert [(phase.status, phase.records) for phase in run.phases] == [
        (PhaseStatus.COMPLETED, 7),
        (PhaseStatus.COMPLETED, None),
    ]
    assert await engine.phase_results(SCOPE, run_id) == {"Count": {"counted": 7}, "Add": {"sum": 14}}
    (artifact,) = await engine.artifacts(SCOPE, run_id)
    assert engine.artifact_path(artifact).read_text() == "7"
    assert (artifact.kind, artifact.format, artifact.records, artifact.size_bytes) == ("Count", "txt", 7, 1)
    told = await kinds(engine, run_id)
    assert told[:3] == ["submitted", "queued", "started"]
    assert told[-1] == "completed"
    assert replay(await engine.events(SCOPE, run_id)) == run


async def test_every_phase_is_sampled_and_its_lines_come_before_its_end(engine):
    """What a phase said is in the log before the phase is over; what it used as well."""
    run_id = (await engine.submit(job("Count"))).run.run_id
    await engine.ended(SCOPE, run_id)
    events = await engine.events(SCOPE, run_id)
    order = [event.kind for event in events]
    assert {event.body.phase for event in events if isinstance(event.body, Sampled)} == {"Count", "Add"}
    assert order.index("logged") < order.index("artifact-stored") < order.index("phase-completed")
    (line,) = [event.body for event in events if isinstance(event.body, Logged)]
    assert (line.level, line.component, line.phase, line.details) == ("INFO", "Tester", "Count", {"records": 10})


async def test_higher_priorities_go_first(engine, tmp_path):
    """With all seats taken, what waits starts by priority, then by age."""
    gate, ledger = tmp_path / "gate", tmp_path / "ledger"
    blockers = [await engine.submit(job("OnlyWait", gate=gate, begun=tmp_path / f"b{n}")) for n in range(2)]
    for n in range(2):
        await appears(tmp_path / f"b{n}")
    waiting = []
    for priority in (Priority.LOW, Priority.NORMAL, Priority.CRITICAL, Priority.NORMAL):
        submission = await engine.submit(job("Wait", gate=gate, ledger=ledger, priority=priority))
        waiting.append(submission.run.run_id)
    low, older, critical, younger = waiting
    assert [place.run.run_id for place in await engine.queue()] == [critical, older, younger, low]
    gate.touch()
    runs = {run_id: await engine.ended(SCOPE, run_id) for run_id in waiting}
    started = sorted(waiting, key=lambda run_id: runs[run_id].started)
    assert started == [critical, older, younger, low]
    assert (await engine.ended(SCOPE, blockers[0].run.run_id)).state is State.COMPLETED


async def test_a_submission_knows_its_place_and_history_its_time(engine, tmp_path):
    """Without history nothing is promised; after a first run its duration is."""
    first = await engine.submit(job("Count"))
    assert first.estimate is None
    await engine.ended(SCOPE, first.run.run_id)
    gate = tmp_path / "gate"
    for n in range(2):
        await engine.submit(job("OnlyWait", gate=gate, begun=tmp_path / f"b{n}"))
        await appears(tmp_path / f"b{n}")
    second = await engine.submit(job("Count"))
    assert (second.queue_position, second.estimated_start) == (1, None)
    assert second.estimate is not None
    assert 0 < second.estimate.low_s <= second.estimate.high_s < 60
    gate.touch()


async def test_the_same_request_has_one_effect(engine):
    """A second send gives the first run; another body under the id is refused."""
    request = RequestId("jobs", "req-1", b"body")
    first = await engine.submit(job("Count", request=request))
    again = await engine.submit(job("Count", request=request))
    assert (again.run.run_id, again.repeated, first.repeated) == (first.run.run_id, True, False)
    with pytest.raises(IdempotencyKeyReused):
        await engine.submit(job("Count", request=RequestId("jobs", "req-1", b"other")))


async def test_impossible_submissions_are_refused_by_name(engine):
    """Type, parameters and references are checked before anything is stored."""
    with pytest.raises(NotBuilt, match="Someday"):
        await engine.submit(job("Someday"))
    with pytest.raises(InvalidField, match=r"must be one of .*Count"):
        await engine.submit(job("Nonsense"))
    with pytest.raises(InvalidField) as caught:
        await engine.submit(job("Count", records="ten", resourceAllocation={"cpuUnits": True}))
    assert [violation.field for violation in caught.value.violations] == [
        "parameters.records",
        "parameters.resourceAllocation.cpuUnits",
    ]
    with pytest.raises(UnknownDataset, match="no dataset nowhere"):
        await engine.submit(job("Count", datasetId="nowhere"))
    assert sum((await engine.counters(SCOPE, RunKind.JOB)).values()) == 0


async def test_another_project_or_kind_finds_nothing(engine):
    """Foreign and missing are the same answer, for everything that takes an id."""
    run_id = (await engine.submit(job("Count"))).run.run_id
    await engine.ended(SCOPE, run_id)
    (artifact,) = await engine.artifacts(SCOPE, run_id)
    for look in (engine.get, engine.events, engine.phase_results, engine.artifacts, engine.ended):
        with pytest.raises(RunNotFound):
            await look(ELSEWHERE, run_id)
    with pytest.raises(RunNotFound):
        await engine.get(SCOPE, run_id, RunKind.OPERATION)
    with pytest.raises(RunNotFound):
        await anext(engine.tail(ELSEWHERE, run_id))
    with pytest.raises(ArtifactNotFound):
        await engine.artifact(ELSEWHERE, artifact.artifact_id)


async def test_jobs_and_operations_are_counted_and_listed_apart(engine):
    """Both are runs; a list shows one kind."""
    await engine.ended(SCOPE, (await engine.submit(job("Count"))).run.run_id)
    operation = (await engine.submit(job("Count", kind=RunKind.OPERATION))).run
    assert operation.run_id.startswith("op-")
    await engine.ended(SCOPE, operation.run_id)
    assert (await engine.counters(SCOPE, RunKind.JOB))[State.COMPLETED] == 1
    page = await engine.list(SCOPE, RunFilter(RunKind.OPERATION), PageRequest())
    assert [run.run_id for run in page.items] == [operation.run_id]


@pytest.mark.parametrize(
    ("type_", "reason", "message"),
    [
        ("bad_input", "MISSING_COLUMN", "column X is missing; name it in the mapping"),
        ("disk_full", "DISK_FULL", "No space is left on the server's disk."),
    ],
)
async def test_what_a_phase_says_about_its_failure_is_what_people_read(engine, type_, reason, message):
    """Faults of the data and of the machine come in words, with the phase."""
    run = await engine.ended(SCOPE, (await engine.submit(job(type_))).run.run_id)
    assert run.state is State.FAILED
    assert (run.failure.reason, run.failure.message, run.failure.phase) == (reason, message, "Only")
    assert run.phases[0].status is PhaseStatus.FAILED


async def test_an_unexpected_fault_shows_an_error_id_and_nothing_else(engine, caplog):
    """Its text and traceback go to the server's log, where the id finds them."""
    run = await engine.ended(SCOPE, (await engine.submit(job("broken"))).run.run_id)
    assert run.failure.reason == "INTERNAL"
    assert "secret" not in str([event.body for event in await engine.events(SCOPE, run.run_id)])
    (record,) = [record for record in caplog.records if run.failure.error_id in record.getMessage()]
    assert "RuntimeError: secret" in record.getMessage()


@pytest.mark.parametrize(
    ("type_", "reason", "told", "next_step"),
    [
        ("broken", "INTERNAL", "RuntimeError", "tell whoever runs the server the error id"),
        ("disk_full", "DISK_FULL", "No space is left", "when there is room"),
        ("vanish", "WORKER_VANISHED", "without a result", "the log of the workers"),
    ],
)
async def test_a_fault_that_is_not_the_inputs_has_a_line_that_says_what_to_do_next(
    engine, type_, reason, told, next_step
):
    """One ERROR line with the phase, the kind of fault and the next step; nothing of the machine."""
    run = await engine.ended(SCOPE, (await engine.submit(job(type_))).run.run_id)
    (found,) = await _errors(engine, run.run_id)
    assert (run.state, run.errors, found.phase, found.details["reason"]) == (State.FAILED, 1, "Only", reason)
    assert told in found.message
    assert next_step in found.message
    assert run.failure.error_id in (None, found.details.get("errorId"))
    assert "Traceback" not in str(found)
    assert str(engine.store.files.data_dir) not in str(found)


async def test_bad_input_is_told_once(engine):
    """The failure says what is wrong with it and how to mend it; that is no line of its own."""
    run = await engine.ended(SCOPE, (await engine.submit(job("bad_input"))).run.run_id)
    assert await _errors(engine, run.run_id) == []


async def test_more_memory_than_allowed_fails_the_run_and_nobody_else(engine):
    """The limit is the run's own; the message says what it was about."""
    allocation = {"memoryGB": 0.2}
    run = await engine.ended(
        SCOPE, (await engine.submit(job("out_of_memory", resourceAllocation=allocation))).run.run_id
    )
    assert (run.state, run.failure.reason) == (State.FAILED, "OUT_OF_MEMORY")
    assert run.resources.memory_bytes == 200_000_000
    after = await engine.ended(SCOPE, (await engine.submit(job("Count"))).run.run_id)
    assert after.state is State.COMPLETED


async def test_a_draining_engine_takes_nothing_new_and_hands_back_what_is_left(tmp_path):
    """Without grace the running run returns to the queue without losing an attempt, and the next engine ends it."""
    gate, ledger = tmp_path / "gate", tmp_path / "ledger"
    async with engine_at(tmp_path / "data") as engine:
        run_id = (await engine.submit(job("Wait", gate=gate, ledger=ledger, begun=tmp_path / "begun"))).run.run_id
        await appears(tmp_path / "begun")
        await engine.drain(0.0)
        with pytest.raises(ServerDraining):
            await engine.submit(job("Count"))
        run = await engine.get(SCOPE, run_id)
        assert (run.state, run.attempts_spent) == (State.QUEUED, 0)
    gate.touch()
    async with engine_at(tmp_path / "data") as engine:
        run = await engine.ended(SCOPE, run_id)
        assert (run.state, run.attempt) == (State.COMPLETED, 1)
        assert [event.sequence for event in await engine.events(SCOPE, run_id)] == list(range(1, run.last_sequence + 1))
    assert ledger.read_text().split() == ["First", "Last"]


async def test_a_running_run_is_given_time_to_end(engine, tmp_path):
    """With grace, draining waits for it."""
    gate = tmp_path / "gate"
    run_id = (await engine.submit(job("OnlyWait", gate=gate, begun=tmp_path / "begun"))).run.run_id
    await appears(tmp_path / "begun")
    draining = asyncio.create_task(engine.drain(30.0))
    await asyncio.sleep(0)
    gate.touch()
    await draining
    assert (await engine.get(SCOPE, run_id)).state is State.COMPLETED


async def test_progress_is_told_while_the_phase_runs(engine, tmp_path):
    """A long phase shows progress and samples before its end, without saying more than twice a second."""
    run_id = (await engine.submit(job("OnlyWait", gate=tmp_path / "gate"))).run.run_id
    await until(engine, run_id, "progressed")
    await until(engine, run_id, "sampled")
    (tmp_path / "gate").touch()
    run = await engine.ended(SCOPE, run_id)
    events = await engine.events(SCOPE, run_id, kinds={"progressed"})
    lasted_s = (run.ended - run.started).total_seconds()
    assert len(events) <= lasted_s / 0.5 + 2


async def test_estimates_come_from_the_tenants_own_runs(engine):
    """Of all its projects; how long those of others take shows nowhere."""
    stranger = Scope("33333333-3333-4333-8333-333333333333", SCOPE.project_id)
    await engine.ended(SCOPE, (await engine.submit(job("Count"))).run.run_id)
    assert (await engine.submit(job("Count", scope=ELSEWHERE))).estimate is not None
    assert (await engine.submit(job("Count", scope=stranger))).estimate is None
    await engine.ended(stranger, (await engine.submit(job("Count", scope=stranger, name="First"))).run.run_id)
    assert (await engine.submit(job("Count", scope=stranger))).estimate is not None
