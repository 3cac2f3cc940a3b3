"""SIGKILL of the whole server: no event is lost or told twice, finished phases are not run again, orphans are gone."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from lodestream_server.runs.bodies import Requeued, Started
from lodestream_server.runs.fold import replay
from lodestream_server.runs.states import State
from lodestream_server.store.store import Store

from lodestream.errors import DataDirInUse
from tests.integration.engine_world import ROOT, SCOPE, alive, appears, engine_at


async def _serve(data_dir: Path, ready: Path) -> asyncio.subprocess.Process:
    await asyncio.to_thread(ready.unlink, missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.crashing_server",
        str(data_dir),
        str(ready),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    await appears(ready)
    return process


async def _kill(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


async def test_a_server_killed_three_times_in_a_run_ends_it_as_if_nothing_had_happened(tmp_path):
    """The sequence has no gap and one ending, each restart says so, and the first phase ran once."""
    data_dir, ready = tmp_path / "data", tmp_path / "ready"
    ready.with_suffix(".order").touch()
    for _ in range(3):
        server = await _serve(data_dir, ready)
        await appears(tmp_path / "begun")
        await _kill(server)
        (tmp_path / "begun").unlink()
    run_id = (tmp_path / "ready.run").read_text()
    (tmp_path / "gate").touch()
    async with engine_at(data_dir) as engine:
        run = await engine.ended(SCOPE, run_id)
        events = await engine.events(SCOPE, run_id)
    assert (run.state, run.attempt, run.finished) == (State.COMPLETED, 1, ("First", "Wait", "Last"))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert sum(event.ends_run for event in events) == 1
    assert replay(events) == run
    assert [event.body.reason for event in events if isinstance(event.body, Requeued)] == ["SERVER_RESTARTED"] * 3
    assert (tmp_path / "ledger").read_text().split() == ["First", "Last"]
    pids = {event.body.pid for event in events if isinstance(event.body, Started)}
    assert len(pids) == 4
    assert not any(alive(pid) for pid in pids)


async def test_a_cancel_that_was_accepted_survives_the_server(tmp_path):
    """The request is durable first: the next server finishes what it asked for."""
    data_dir, ready = tmp_path / "data", tmp_path / "ready"
    ready.with_suffix(".order").write_text("cancel")
    server = await _serve(data_dir, ready)
    await appears(ready.with_suffix(".asked"))
    await _kill(server)
    async with engine_at(data_dir) as engine:
        run = await engine.ended(SCOPE, ready.with_suffix(".run").read_text())
        told = [event.kind for event in await engine.events(SCOPE, run.run_id)]
    assert run.state is State.CANCELLED
    assert run.receipt is not None
    assert run.receipt.rung == "SIGKILL"
    assert told[-2:] == ["cancel-requested", "cancelled"]
    assert not alive(run.pid or 0)


async def test_two_servers_on_one_directory_are_one_too_many(tmp_path):
    """The second is told which process has it; when that is killed, the directory is free."""
    server = await _serve(tmp_path / "data", tmp_path / "ready")
    with pytest.raises(DataDirInUse, match=str(server.pid)):
        await Store.open(tmp_path / "data")
    await _kill(server)
    store = await Store.open(tmp_path / "data")
    await store.close()
