"""Batches and runs that need others: order, inputs, failures, cancellation, crashes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lodestream_server.engine.batches import NewBatch, NewStep
from lodestream_server.engine.datasets import NewDataset
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder
from lodestream_server.runs.batch import BatchState, FailurePolicy
from lodestream_server.runs.fold import replay
from lodestream_server.runs.states import RunKind, State
from lodestream_server.store.quotas import Quotas
from lodestream_server.store.requests import RequestId

from lodestream.errors import DependencyProblem, InvalidField, RunAlreadyEnded, RunNotFound, UnknownDataset
from tests.integration.clocks import ManualClock
from tests.integration.engine_world import ELSEWHERE, SCOPE, appears, engine_at, job, kinds


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine of its own for the test."""
    async with engine_at(tmp_path / "data") as opened:
        yield opened


def _step(key: str, type_: str = "Count", *needs: str, **given) -> NewStep:
    return NewStep(key, job(type_, kind=RunKind.OPERATION, **given), needs)


def _batch(*steps: NewStep, **given) -> NewBatch:
    return NewBatch(SCOPE, "A batch", steps, **given)


async def _ended(engine: Engine, state: BatchState) -> dict[str, State]:
    for step in state.batch.steps:
        await engine.ended(SCOPE, step.run_id)
    after = await engine.groups.get(SCOPE, state.batch.batch_id)
    return {step.key: run.state for step, run in zip(after.batch.steps, after.runs, strict=True)}


async def _dataset(engine: Engine, lines: int) -> str:
    async with await engine.datasets.upload(NewDataset(SCOPE, "A log")) as upload:
        await upload.write(b"case,activity\n" + b"1,a\n" * lines)
        return (await upload.finish()).dataset_id


async def test_steps_run_in_the_order_of_their_needs(engine):
    """A diamond: each begins after what it needs has ended, and the story of each can be told again."""
    state = await engine.groups.submit(
        _batch(_step("d", "Count", "b", "c"), _step("b", "Count", "a"), _step("c", "Count", "a"), _step("a"))
    )
    assert [run.state for run in state.runs] == [State.BLOCKED] * 3 + [State.QUEUED]
    assert set((await _ended(engine, state)).values()) == {State.COMPLETED}
    after = await engine.groups.get(SCOPE, state.batch.batch_id)
    runs = {step.key: run for step, run in zip(after.batch.steps, after.runs, strict=True)}
    assert runs["a"].ended <= min(runs["b"].started, runs["c"].started)
    assert max(runs["b"].ended, runs["c"].ended) <= runs["d"].started
    assert (after.state, after.percent, after.ended) == (State.COMPLETED, 100.0, runs["d"].ended)
    for run in runs.values():
        assert replay(await engine.events(SCOPE, run.run_id)) == run


async def test_what_a_step_leaves_is_the_input_of_those_that_need_it(engine):
    """The enriched log where there is one; a step that leaves none hands on the log it worked on."""
    dataset = await _dataset(engine, 5)
    state = await engine.groups.submit(
        _batch(
            _step("first", "Enrich", datasetId=dataset),
            _step("second", "Lines", "first"),
            _step("third", "Lines", "second"),
            _step("own", "Lines", "first", datasetId=dataset),
        )
    )
    assert set((await _ended(engine, state)).values()) == {State.COMPLETED}
    counted = {}
    for step in state.batch.steps:
        counted[step.key] = (await engine.phase_results(SCOPE, step.run_id))["Only"]["lines"]
    assert counted == {"first": 5, "second": 10, "third": 10, "own": 5}
    second, third = [await engine.get(SCOPE, step.run_id) for step in state.batch.steps[1:3]]
    assert second.parameters["datasetId"] == second.dataset_id == third.dataset_id != dataset
    assert (await engine.datasets.get(SCOPE, second.dataset_id)).description["events"] == 10


async def test_those_that_need_a_failed_one_fail_and_the_others_go_on(engine):
    """All along the chain, with the reason; what is independent completes."""
    state = await engine.groups.submit(
        _batch(_step("bad", "Fail"), _step("next", "Count", "bad"), _step("last", "Count", "next"), _step("free"))
    )
    assert await _ended(engine, state) == {
        "bad": State.FAILED,
        "next": State.FAILED,
        "last": State.FAILED,
        "free": State.COMPLETED,
    }
    after = await engine.groups.get(SCOPE, state.batch.batch_id)
    failure = after.runs[1].failure
    assert failure is not None
    assert (failure.reason, failure.details["runId"]) == ("DEPENDENCY", after.runs[0].run_id)
    assert after.state is State.FAILED


async def test_the_first_failure_stops_everything_when_asked_to(engine, tmp_path):
    """Also what is running."""
    begun = tmp_path / "begun"
    waiting = _step("running", "Gate", gate=tmp_path / "gate", begun=begun)
    later = _step("later", "Count", "running")
    bad = _step("bad", "Fail")
    state = await engine.groups.submit(_batch(waiting, later, bad, policy=FailurePolicy(stop_on_first_failure=True)))
    states = await _ended(engine, state)
    assert states["bad"] is State.FAILED
    assert states["running"] is State.CANCELLED
    assert states["later"] in (State.CANCELLED, State.FAILED)


async def test_without_going_on_what_has_not_begun_does_not(engine, tmp_path):
    """What runs is left to its end."""
    running = _step("running", "Gate", gate=tmp_path / "gate", begun=tmp_path / "begun")
    later = _step("later", "Count", "running")
    policy = FailurePolicy(continue_independent=False)
    state = await engine.groups.submit(_batch(running, _step("bad", "Fail"), later, policy=policy))
    assert (await engine.ended(SCOPE, state.runs[2].run_id)).state is State.CANCELLED
    (tmp_path / "gate").touch()
    assert (await _ended(engine, state))["running"] in (State.COMPLETED, State.CANCELLED)


async def test_failed_operations_are_tried_once_more_when_asked_to(engine, tmp_path):
    """An attempt of the same run; one with a policy of its own keeps that."""
    mends = _step("mends", "Break", ledger=tmp_path / "one", failures=1)
    policy = {"retryPolicy": {"maxRetries": 0}}
    own = _step("own", "Break", ledger=tmp_path / "two", failures=1, extras=policy)
    state = await engine.groups.submit(_batch(mends, own, retry_failed=True))
    assert await _ended(engine, state) == {"mends": State.COMPLETED, "own": State.FAILED}


@pytest.mark.parametrize(
    ("steps", "field"),
    [
        ((_step("a", "Count", "b"), _step("b", "Count", "a")), "operations[0].dependencies"),
        ((_step("a"), _step("a")), "operations[1].operation_key"),
        ((_step("a", "Count", "x"),), "operations[0].dependencies[0]"),
    ],
)
async def test_a_batch_that_has_no_order_is_refused_whole(engine, steps, field):
    """Nothing of it is there afterwards."""
    with pytest.raises(DependencyProblem) as caught:
        await engine.groups.submit(_batch(*steps))
    assert caught.value.violations[0].field == field
    assert sum((await engine.counters(SCOPE, RunKind.OPERATION)).values()) == 0


async def test_one_step_at_fault_refuses_the_batch(engine):
    """With its place in the path, whether it is seen before the transaction or inside it."""
    with pytest.raises(InvalidField, match=r"operations\[1\]\.parameters\.records"):
        await engine.groups.submit(_batch(_step("a"), _step("b", records=0)))
    with pytest.raises(UnknownDataset, match=r"operations\[1\]\.parameters\.datasetId"):
        await engine.groups.submit(_batch(_step("a"), _step("b", datasetId="gone")))
    with pytest.raises(InvalidField):
        await engine.groups.submit(_batch())
    assert sum((await engine.counters(SCOPE, RunKind.OPERATION)).values()) == 0


async def test_cancelling_a_batch_stops_what_has_not_ended(engine, tmp_path):
    """Twice gives the same; what completed stays; a batch that completed cannot be cancelled."""
    done = _step("done")
    running = _step("running", "Gate", "done", gate=tmp_path / "gate", begun=tmp_path / "begun")
    state = await engine.groups.submit(_batch(done, running, _step("later", "Count", "running")))
    await appears(tmp_path / "begun")
    after = await engine.groups.cancel(SCOPE, state.batch.batch_id, CancelOrder("ann", "enough"))
    assert [run.state for run in after.runs] == [State.COMPLETED, State.CANCELLED, State.CANCELLED]
    assert after.state is State.CANCELLED
    assert await engine.groups.cancel(SCOPE, state.batch.batch_id, CancelOrder("bob")) == after
    other = await engine.groups.submit(_batch(_step("only")))
    await _ended(engine, other)
    with pytest.raises(RunAlreadyEnded, match="COMPLETED"):
        await engine.groups.cancel(SCOPE, other.batch.batch_id, CancelOrder())
    with pytest.raises(RunNotFound):
        await engine.groups.get(ELSEWHERE, state.batch.batch_id)


async def test_the_same_request_submits_one_batch(engine):
    """However often it is sent."""
    batch = _batch(_step("a"), _step("b", "Count", "a"), request=RequestId("batch", "r1", b"body"))
    first, again = await engine.groups.submit(batch), await engine.groups.submit(batch)
    assert again.batch == first.batch
    assert sum((await engine.counters(SCOPE, RunKind.OPERATION)).values()) == 2


async def test_a_steps_limit_begins_when_its_needs_are_done(tmp_path):
    """As the contract says."""
    clock = ManualClock()
    async with engine_at(tmp_path / "data", clock) as engine:
        first = _step("first", "Gate", gate=tmp_path / "gate", begun=tmp_path / "begun")
        second = _step("second", "Count", "first", timeout_s=60)
        state = await engine.groups.submit(_batch(first, second))
        assert state.runs[1].deadline is None
        await appears(tmp_path / "begun")
        clock.advance(1000)
        (tmp_path / "gate").touch()
        run = await engine.ended(SCOPE, state.runs[1].run_id)
        assert run.state is State.COMPLETED
        assert run.deadline is not None
        assert run.queued_at is not None
        assert (run.deadline - run.queued_at).total_seconds() == 60


async def test_jobs_can_need_jobs(engine, tmp_path):
    """Those that ended well count as done, those that did not are refused, as are unknown ones."""
    running = (await engine.submit(job("OnlyWait", gate=tmp_path / "gate"))).run.run_id
    waits = (await engine.submit(job("Count", dependencies=(running,)))).run
    assert (waits.state, waits.waiting_for) == (State.BLOCKED, (running,))
    explained = await engine.desk.explain(SCOPE, waits.run_id)
    assert [(reason.reason, reason.subject) for reason in explained.reasons] == [("DEPENDENCY", running)]
    assert [run.run_id for run in await engine.dependants(SCOPE, running)] == [waits.run_id]
    (tmp_path / "gate").touch()
    assert (await engine.ended(SCOPE, waits.run_id)).state is State.COMPLETED
    after = (await engine.submit(job("Count", dependencies=(running, waits.run_id)))).run
    assert (await engine.ended(SCOPE, after.run_id)).state is State.COMPLETED
    failed = await engine.ended(SCOPE, (await engine.submit(job("bad_input"))).run.run_id)
    for needed in (failed.run_id, "unknown"):
        with pytest.raises(DependencyProblem, match=r"dependencies\[0\]"):
            await engine.submit(job("Count", dependencies=(needed,)))
    with pytest.raises(DependencyProblem):
        await engine.submit(job("Count", scope=ELSEWHERE, dependencies=(running,)))


async def test_what_has_no_room_to_become_an_input_waits_for_it_and_says_so(tmp_path):
    """Until somebody makes room; the run is not lost, and is not said to be about to start."""
    async with engine_at(tmp_path / "data", quotas=Quotas(dataset_bytes=100)) as engine:
        origin, filler = await _dataset(engine, 5), await _dataset(engine, 10)
        steps = (_step("clean", "Enrich", datasetId=origin), _step("lines", "Lines", "clean"))
        clean, lines = [step.run_id for step in (await engine.groups.submit(_batch(*steps))).batch.steps]
        await engine.ended(SCOPE, clean)
        told = (await engine.desk.explain(SCOPE, lines)).sentence
        assert told == "What the runs before it left is being made its input."
        await engine.datasets.delete(SCOPE, filler)
        assert (await engine.ended(SCOPE, lines)).state is State.COMPLETED


async def test_a_batch_that_is_quicker_than_its_cancellation_is_not_called_cancelled(engine, monkeypatch):
    """All its operations completed between the look and the step."""

    async def too_late(run, order):
        await engine.ended(SCOPE, run.run_id)

    monkeypatch.setattr(engine.groups, "_stop", too_late)
    state = await engine.groups.submit(_batch(_step("only")))
    with pytest.raises(RunAlreadyEnded, match="ended as COMPLETED"):
        await engine.groups.cancel(SCOPE, state.batch.batch_id, CancelOrder("ann"))


async def test_a_blocked_run_is_cancelled_at_once_and_so_is_what_needs_it(engine, tmp_path):
    """The one ends as cancelled, the other because it cannot go on."""
    running = (await engine.submit(job("OnlyWait", gate=tmp_path / "gate"))).run.run_id
    middle = (await engine.submit(job("Count", dependencies=(running,)))).run.run_id
    last = (await engine.submit(job("Count", dependencies=(middle,)))).run.run_id
    assert (await engine.cancel(SCOPE, middle, CancelOrder())).state is State.CANCELLED
    ended = await engine.ended(SCOPE, last)
    assert (ended.state, ended.failure.reason) == (State.FAILED, "DEPENDENCY")
    (tmp_path / "gate").touch()


async def test_what_waited_when_the_server_went_away_goes_on_with_the_next(tmp_path):
    """Also when what it needs ended while nobody looked."""
    data, gate = tmp_path / "data", tmp_path / "gate"
    async with engine_at(data) as engine:
        first = _step("first", "Gate", gate=gate, begun=tmp_path / "begun")
        state = await engine.groups.submit(_batch(first, _step("second", "Count", "first")))
        await appears(tmp_path / "begun")
        # As if the server had died before it could look after those that wait.
        await engine._prerequisites.close()
        engine._prerequisites._dependants.clear()
        gate.touch()
        await engine.ended(SCOPE, state.runs[0].run_id)
        assert (await engine.get(SCOPE, state.runs[1].run_id)).state is State.BLOCKED
    async with engine_at(data) as engine:
        assert set((await _ended(engine, state)).values()) == {State.COMPLETED}
        assert (await kinds(engine, state.runs[1].run_id)).count("queued") == 1


async def test_many_batches_at_once_all_end(engine):
    """Chains and fans beside each other; every operation ends once."""
    batches = [
        _batch(_step("a"), *(_step(f"b{n}", "Count", "a") for n in range(3)), _step("z", "Count", "b0", "b1", "b2"))
        for _ in range(5)
    ]
    states = await asyncio.gather(*(engine.groups.submit(batch) for batch in batches))
    for state in states:
        assert set((await _ended(engine, state)).values()) == {State.COMPLETED}
