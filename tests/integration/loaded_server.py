"""A server without doors that sends itself work until it is killed: `python -m tests.integration.loaded_server DATA_DIR
LEDGER SEED`. A line in the ledger is an acknowledgement, durable before anything else happens: the name of a run that
was submitted, or CANCELLED, and its id."""

import asyncio
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from lodestream_server.engine.batches import NewBatch, NewStep
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import CancelOrder
from lodestream_server.runs.states import Priority, RunKind
from lodestream_server.store.requests import RequestId

from lodestream.errors import LodestreamError
from tests.integration.engine_world import SCOPE, engine_at, job

#: In the ledger, instead of the name.
CANCELLED = "cancelled"
_AT_ONCE = 4


async def main(data_dir: Path, ledger: Path, seed: int) -> None:
    """Works until killed."""
    dice = random.Random(seed)
    async with engine_at(data_dir, lease_s=60.0) as engine:
        with open(ledger, "ab", buffering=0) as told:  # noqa: ASYNC230  # once, before there is anything to block
            await asyncio.gather(*(_send(engine, told.fileno(), f"{seed}-{n}", dice) for n in range(_AT_ONCE)))


async def _send(engine: Engine, told: int, sender: str, dice: random.Random) -> None:
    number = 0
    while True:
        name, number = f"{sender}-{number}", number + 1
        if dice.random() < 0.2:
            run_ids = await _batch(engine, name)
        else:
            run_ids = [await _job(engine, name, dice)]
        _note(told, name, run_ids)
        if dice.random() < 0.2:
            try:
                await engine.cancel(SCOPE, run_ids[0], CancelOrder(force=dice.random() < 0.5))
            except LodestreamError:
                continue
            _note(told, CANCELLED, run_ids[:1])
        elif dice.random() < 0.7:
            await engine.ended(SCOPE, run_ids[-1])


def _note(told: int, name: str, run_ids: Sequence[str]) -> None:
    # One write, which a kill does not cut in two.
    os.write(told, "".join(f"{name} {run_id}\n" for run_id in run_ids).encode())
    os.fsync(told)


async def _job(engine: Engine, name: str, dice: random.Random) -> str:
    type_ = dice.choice(["Count", "Count", "Count", "bad_input", "once_deadly"])
    given = {"priority": dice.choice(list(Priority)), "request": RequestId("load", name, b"")}
    return (await engine.submit(job(type_, name=name, **given))).run.run_id


async def _batch(engine: Engine, name: str) -> list[str]:
    steps = tuple(
        NewStep(key, job("Count", kind=RunKind.OPERATION, name=f"{name}-{key}"), needs)
        for key, needs in (("a", ()), ("b", ("a",)), ("c", ("a",)))
    )
    state = await engine.groups.submit(NewBatch(SCOPE, name, steps, request=RequestId("load", name, b"")))
    return [run.run_id for run in state.runs]


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
