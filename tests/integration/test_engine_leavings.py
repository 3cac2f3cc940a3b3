"""What a cancelled run leaves: one zip of its finished phases, or nothing at all."""

import hashlib
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder
from lodestream_server.runs.states import State

from lodestream.errors import ArtifactNotFound
from tests.integration.engine_world import SCOPE, appears, engine_at, job, until


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine of its own for the test."""
    async with engine_at(tmp_path / "data") as opened:
        yield opened


async def _waiting(engine: Engine, tmp_path: Path) -> str:
    order = job("CountThenWait", records=7, gate=tmp_path / "gate", begun=tmp_path / "begun")
    run_id = (await engine.submit(order)).run.run_id
    await appears(tmp_path / "begun")
    await until(engine, run_id, "phase-completed")  # said before that, committed perhaps after
    return run_id


@pytest.mark.parametrize("force", [False, True])
async def test_the_finished_phases_are_in_one_zip(engine, tmp_path, force):
    """Their files and their results; size and checksum are those of the file, and the zip opens."""
    run_id = await _waiting(engine, tmp_path)
    run = await engine.cancel(SCOPE, run_id, CancelOrder(force=force))
    assert run.receipt.phases_kept == ("Count",)
    [kept] = [one for one in await engine.artifacts(SCOPE, run_id) if one.kind == "PartialResults"]
    content = engine.artifact_path(kept).read_bytes()
    assert (kept.size_bytes, kept.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    with zipfile.ZipFile(engine.artifact_path(kept)) as archive:
        assert archive.testzip() is None
        assert archive.read("Count/count.txt") == b"7"
        assert json.loads(archive.read("results.json")) == {"Count": {"counted": 7}}


async def test_without_preserving_nothing_is_left(tmp_path):
    """No artifact is known any more and no file is on the disk; results stay in the story."""
    async with engine_at(tmp_path / "data") as engine:
        run_id = await _waiting(engine, tmp_path)
        [before] = await engine.artifacts(SCOPE, run_id)
        run = await engine.cancel(SCOPE, run_id, CancelOrder(preserve=False))
        assert run.receipt is not None
        assert (run.receipt.phases_kept, run.artifacts) == ((), 0)
        assert await engine.artifacts(SCOPE, run_id) == ()
        with pytest.raises(ArtifactNotFound):
            await engine.artifact(SCOPE, before.artifact_id)
    assert not (tmp_path / "data" / "runs" / run_id).exists()


async def test_a_run_that_had_finished_nothing_leaves_no_zip(engine, tmp_path):
    """An empty zip would promise something."""
    run_id = (await engine.submit(job("OnlyWait", gate=tmp_path / "gate", begun=tmp_path / "begun"))).run.run_id
    await appears(tmp_path / "begun")
    run = await engine.cancel(SCOPE, run_id, CancelOrder())
    assert (run.state, run.artifacts, await engine.artifacts(SCOPE, run_id)) == (State.CANCELLED, 0, ())


async def test_cancelling_twice_makes_one_zip(engine, tmp_path):
    """The second answer is the first one's."""
    run_id = await _waiting(engine, tmp_path)
    first = await engine.cancel(SCOPE, run_id, CancelOrder())
    assert await engine.cancel(SCOPE, run_id, CancelOrder(preserve=False)) == first
    assert len(await engine.artifacts(SCOPE, run_id)) == 2


async def test_what_a_crash_left_to_be_removed_goes_at_the_next_start(tmp_path):
    """The files of a run that is to keep nothing do not come back."""
    data = tmp_path / "data"
    async with engine_at(data) as engine:
        run_id = await _waiting(engine, tmp_path)
        await engine.cancel(SCOPE, run_id, CancelOrder(preserve=False))
        await engine._leavings.close()
        # As if the server had died between the commit and the removal.
        await engine._store.write(lambda tx: tx.connection.execute("INSERT INTO doomed_files VALUES (?)", (run_id,)))
    left = data / "runs" / run_id / "phases"
    left.mkdir(parents=True)
    async with engine_at(data):
        assert not left.exists()


async def test_a_folder_of_a_run_that_was_never_committed_goes_at_the_next_start(tmp_path):
    """A server that died between taking over phases and committing the retry leaves one; other runs keep theirs."""
    data = tmp_path / "data"
    async with engine_at(data) as engine:
        run_id = (await engine.ended(SCOPE, (await engine.submit(job("Count"))).run.run_id)).run_id
    stranger = data / "runs" / "op-retry-never" / "phases"
    stranger.mkdir(parents=True)
    async with engine_at(data) as engine:
        assert not stranger.parent.exists()
        [artifact] = await engine.artifacts(SCOPE, run_id)
        assert engine.artifact_path(artifact).is_file()
