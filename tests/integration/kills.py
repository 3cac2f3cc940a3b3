"""Servers killed at random moments under load, one after the other on one data directory; then what must be true."""

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from lodestream_server.engine.engine import Engine
from lodestream_server.runs.fold import replay
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind, State
from lodestream_server.store.paging import PageRequest
from lodestream_server.store.reading import RunFilter

from tests.integration.engine_world import ROOT, SCOPE, engine_at
from tests.integration.loaded_server import CANCELLED

#: Long enough for some servers to do a little, short enough for others to die in their recovery: in terms of what the
#: first one needed for its first acknowledgement, because a busy machine may take seconds to start a program.
_SHORTEST, _LONGEST = 0.3, 2.0
_FIRST_S = 60.0


async def survive(folder: Path, kills: int, seed: int) -> int:
    """So many kills; how many runs there were. Raises AssertionError, with the folder kept, where one is lost."""
    dice, ledger = random.Random(seed), folder / "ledger"
    begin = time.monotonic()
    await _one_life(folder / "data", ledger, seed * 1000, _acknowledged(ledger))
    needs_s = time.monotonic() - begin
    for turn in range(1, kills):
        lives_s = needs_s * dice.uniform(_SHORTEST, _LONGEST)
        await _one_life(folder / "data", ledger, seed * 1000 + turn, asyncio.sleep(lives_s))
    lines = [line.split() for line in ledger.read_text().splitlines()]
    async with engine_at(folder / "data") as engine:
        runs = [run_id for kind in RunKind for run_id in await _all(engine, kind)]
        lost = {run_id for _, run_id in lines} - set(runs)
        assert not lost, f"seed {seed}: acknowledged and lost: {sorted(lost)[:5]}"
        cancelled = {run_id for word, run_id in lines if word == CANCELLED}
        assert cancelled, f"seed {seed}: no cancellation was acknowledged"
        names: Counter[str] = Counter()
        for run_id in runs:
            run = await _checked(engine, run_id)
            assert run.state is State.CANCELLED or run_id not in cancelled, f"seed {seed}: {run_id} is {run.state}"
            names[run.name] += 1
        twice = [name for name, times in names.items() if times > 1]
        assert not twice, f"seed {seed}: there twice: {twice[:5]}"
    return len(runs)


async def _acknowledged(ledger: Path) -> None:
    async with asyncio.timeout(_FIRST_S):
        while not await asyncio.to_thread(_has_lines, ledger):  # noqa: ASYNC110  # another process writes it
            await asyncio.sleep(0.01)


def _has_lines(ledger: Path) -> bool:
    return ledger.exists() and ledger.stat().st_size > 0


async def _one_life(data_dir: Path, ledger: Path, seed: int, until: Coroutine[Any, Any, None]) -> None:
    errors = await asyncio.to_thread(open, ledger.with_name(f"errors-{seed}"), "wb")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.loaded_server",
        str(data_dir),
        str(ledger),
        str(seed),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=errors,
    )
    ending, doom = asyncio.create_task(process.wait()), asyncio.create_task(until)
    try:
        await asyncio.wait((ending, doom), return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            said = await asyncio.to_thread(ledger.with_name(f"errors-{seed}").read_text)
            raise AssertionError(f"seed {seed}: the server ended by itself with {ending.result()}: {said[-3000:]}")
        process.kill()
        await ending
        doom.result()
    finally:
        doom.cancel()
        errors.close()


async def _all(engine: Engine, kind: RunKind) -> list[str]:
    found, token = list[str](), None
    while True:
        page = await engine.list(SCOPE, RunFilter(kind), PageRequest(page_size=100, page_token=token))
        found += [run.run_id for run in page.items]
        if (token := page.next_token) is None:
            return found


async def _checked(engine: Engine, run_id: str) -> RunState:
    async with asyncio.timeout(120):
        run = await engine.ended(SCOPE, run_id)
    events = await engine.events(SCOPE, run_id)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1)), run_id
    assert sum(event.ends_run for event in events) == 1, run_id
    assert replay(events) == run, run_id
    return run
