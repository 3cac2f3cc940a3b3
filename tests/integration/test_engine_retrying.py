"""Trying ended runs again, as new runs: what is taken over, what is changed, what is refused."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.merging import merged
from lodestream_server.engine.models import CancelOrder, RetryOrder
from lodestream_server.runs.bodies import Allocated, PhaseCompleted
from lodestream_server.runs.states import Priority, RunKind, State
from lodestream_server.store.requests import RequestId

from lodestream.errors import InvalidField, RunNotFound, RunNotRetryable
from tests.integration.engine_world import ELSEWHERE, SCOPE, appears, engine_at, job

GB = 10**9


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine on a machine of 8 GB."""
    async with engine_at(tmp_path / "data", memory_bytes=8 * GB, cpu_units=4.0) as opened:
        yield opened


async def _cancelled(engine: Engine, tmp_path: Path, kind: RunKind = RunKind.JOB, **given) -> str:
    """A run that was stopped in its second phase."""
    paths = {"gate": tmp_path / "gate", "begun": tmp_path / "begun"}
    run_id = (await engine.submit(job("CountThenWait", kind=kind, **paths, **given))).run.run_id
    await appears(tmp_path / "begun")
    await engine.cancel(SCOPE, run_id, CancelOrder("ann"))
    (tmp_path / "gate").touch()
    return run_id


async def _kept(engine: Engine, run_id: str) -> dict[str, bool]:
    events = await engine.events(SCOPE, run_id)
    return {event.body.phase: event.body.kept for event in events if isinstance(event.body, PhaseCompleted)}


@pytest.mark.parametrize("kind", RunKind)
async def test_resuming_takes_over_what_is_unchanged(engine, tmp_path, kind):
    """The finished phase is kept with its file under the new run's own id; both downloads work."""
    origin = await _cancelled(engine, tmp_path, kind, records=7)
    retried = await engine.retrying.retry(SCOPE, origin, RetryOrder("bob", "once more"), kind)
    new = retried.submission.run
    assert (retried.phases, retried.first_phase, retried.records, retried.percent) == (("Count",), "Wait", 7, 50.0)
    assert (new.origin, new.retry_number, new.submitted_by) == (origin, 1, "bob")
    assert new.run_id.startswith("op-retry-") == (kind is RunKind.OPERATION)
    assert (await engine.ended(SCOPE, new.run_id)).state is State.COMPLETED
    assert await _kept(engine, new.run_id) == {"Count": True, "Wait": False}
    [mine] = await engine.artifacts(SCOPE, new.run_id)
    theirs = [one for one in await engine.artifacts(SCOPE, origin) if one.phase == "Count"]
    assert mine.artifact_id != theirs[0].artifact_id
    for artifact in (mine, *theirs):
        assert engine.artifact_path(artifact).read_text() == "7"


async def test_a_restart_takes_over_nothing(engine, tmp_path):
    """Every phase is run again."""
    origin = await _cancelled(engine, tmp_path)
    retried = await engine.retrying.retry(SCOPE, origin, RetryOrder(take_over=False))
    assert (retried.phases, retried.first_phase, retried.percent) == ((), "Count", 0.0)
    await engine.ended(SCOPE, retried.submission.run.run_id)
    assert await _kept(engine, retried.submission.run.run_id) == {"Count": False, "Wait": False}


async def test_a_changed_parameter_runs_the_phases_again_that_read_it(engine, tmp_path):
    """The one that only the later phase reads leaves the earlier one as it is; the other one does not."""
    origin = await _cancelled(engine, tmp_path, records=7)
    other_gate = RetryOrder(parameters={"begun": str(tmp_path / "again")})
    retried = await engine.retrying.retry(SCOPE, origin, other_gate)
    assert retried.phases == ("Count",)
    await engine.ended(SCOPE, retried.submission.run.run_id)
    assert (await _kept(engine, retried.submission.run.run_id))["Count"] is True
    retried = await engine.retrying.retry(SCOPE, origin, RetryOrder(parameters={"records": 8}))
    assert retried.phases == ()
    run = await engine.ended(SCOPE, retried.submission.run.run_id)
    assert (run.retry_number, run.parameters["records"]) == (2, 8)
    assert await _kept(engine, run.run_id) == {"Count": False, "Wait": False}


async def test_dropping_the_originals_results_leaves_the_new_runs(engine, tmp_path):
    """What was taken over stays readable although the origin's files are gone."""
    origin = await _cancelled(engine, tmp_path, records=7)
    retried = await engine.retrying.retry(SCOPE, origin, RetryOrder(keep_original=False))
    await engine.ended(SCOPE, retried.submission.run.run_id)
    await engine._leavings.close()
    assert await engine.artifacts(SCOPE, origin) == ()
    assert not (tmp_path / "data" / "runs" / origin).exists()
    [mine] = await engine.artifacts(SCOPE, retried.submission.run.run_id)
    assert engine.artifact_path(mine).read_text() == "7"


async def test_more_memory_is_twice_as_much_and_on_the_timeline(engine, tmp_path):
    """As far as the machine has it."""
    asked: dict[str, Any] = {"resourceAllocation": {"memoryGB": 3}}
    origin = await _cancelled(engine, tmp_path, **asked)
    first = (await engine.retrying.retry(SCOPE, origin, RetryOrder(double_memory=True))).submission.run
    assert first.resources.memory_bytes == 6 * GB
    events = await engine.events(SCOPE, first.run_id)
    [change] = [event.body for event in events if isinstance(event.body, Allocated)]
    assert (change.before.memory_bytes, change.reason) == (3 * GB, "RETRY")


async def test_the_documented_changes_all_count(engine, tmp_path):
    """Resources and their priority, settings beneath a key, the new limit and policy."""
    origin = await _cancelled(engine, tmp_path, algorithmSettings={"deep": 1, "wide": 2})
    order = RetryOrder(
        parameters={
            "algorithmSettings": {"deep": 3, "wide": None},
            "resourceAllocation": {"cpuUnits": 3, "memoryGB": 2, "priority": "Critical"},
        },
        policy={"maxRetries": 2, "retryDelay": 180, "backoffMultiplier": 1.5},
        timeout_s=10800,
    )
    run = (await engine.retrying.retry(SCOPE, origin, order)).submission.run
    assert run.parameters["algorithmSettings"] == {"deep": 3}
    assert (run.resources.cpu_units, run.resources.memory_bytes) == (3.0, 2 * GB)
    assert (run.priority, run.timeout_s) == (Priority.CRITICAL, 10800)
    assert run.extras["retryPolicy"]["maxRetries"] == 2


async def test_only_what_went_wrong_is_tried_again(engine, tmp_path):
    """Not what completed, not what runs, not what is not yours."""
    done = await engine.ended(SCOPE, (await engine.submit(job("Count"))).run.run_id)
    running = (await engine.submit(job("OnlyWait", gate=tmp_path / "gate"))).run.run_id
    for run_id in (done.run_id, running):
        with pytest.raises(RunNotRetryable):
            await engine.retrying.retry(SCOPE, run_id, RetryOrder())
    with pytest.raises(RunNotFound):
        await engine.retrying.retry(ELSEWHERE, done.run_id, RetryOrder())
    with pytest.raises(RunNotFound):
        await engine.retrying.retry(SCOPE, done.run_id, RetryOrder(), RunKind.OPERATION)
    (tmp_path / "gate").touch()


async def test_a_parameter_that_does_not_fit_is_refused_and_leaves_nothing(engine, tmp_path):
    """Neither a run nor a folder."""
    origin = await _cancelled(engine, tmp_path)
    before = sorted((tmp_path / "data" / "runs").iterdir())
    with pytest.raises(InvalidField, match="records"):
        await engine.retrying.retry(SCOPE, origin, RetryOrder(parameters={"records": 0}))
    assert sorted((tmp_path / "data" / "runs").iterdir()) == before


async def test_the_same_request_retries_once(engine, tmp_path):
    """However often it is sent."""
    origin = await _cancelled(engine, tmp_path)
    order = RetryOrder(request=RequestId("retry", "r1", b"body"))
    first = await engine.retrying.retry(SCOPE, origin, order)
    again = await engine.retrying.retry(SCOPE, origin, order)
    assert again.submission.repeated
    assert again.submission.run.run_id == first.submission.run.run_id
    assert len(list((tmp_path / "data" / "runs").iterdir())) == 2


def test_parameters_are_merged_key_by_key():
    """As RFC 7396 says: objects are merged, null removes, everything else replaces."""
    under = {"a": 1, "b": {"c": 2, "d": 3}, "e": [1, 2]}
    assert merged(under, {"b": {"c": None, "x": 4}, "e": [3], "a": None}) == {"b": {"d": 3, "x": 4}, "e": [3]}
    assert merged({"a": 1}, {"a": {"b": None, "c": 2}}) == {"a": {"c": 2}}
    assert merged(under, {}) == under
