"""A receiver that fails three times in ten and a sender that is killed again and again: the proof, in any size."""

import asyncio
import os
import random
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from lodestream_server.delivery.endpoints import RetryPolicy
from standardwebhooks.webhooks import Webhook

from tests.integration.delivery_sender import STEPS
from tests.integration.delivery_world import SCOPE, SECRET, Behaviour, Got, Receiver, delivering, receiving, webhook

ROOT = Path(__file__).parents[2]
#: A fifth of a percent of a percent of a percent of deliveries would use up all of these by chance.
PATIENT = RetryPolicy(max_retries=20, delay_s=0.02, multiplier=1.5, max_delay_s=0.5)
PER_RUN = STEPS + 3


@dataclass(frozen=True, slots=True)
class Figures:
    """What the round came to."""

    events: int
    arrived: int
    requests: int
    repeated: int
    kills: int


async def survive(data_dir: Path, runs: int, kills: int, seed: int, seconds: float) -> Figures:
    """Every telling of every run arrives, in the run's order, signed; raises AssertionError otherwise."""
    chance = random.Random(seed)

    def behave(_: Got) -> Behaviour:
        return chance.choice((500, "reset", "slow")) if chance.random() < 0.3 else 200

    async with receiving(behave) as receiver:
        async with delivering(data_dir) as world:
            await world.delivery.webhooks.register(SCOPE, webhook(receiver.url(), retry=PATIENT))
        marks = sorted(chance.sample(range(1, runs * PER_RUN), kills))
        for mark in [*marks, None]:
            sender = await _sender(data_dir, runs)
            try:
                enough = runs * PER_RUN if mark is None else mark
                await receiver.until(lambda r, enough=enough: _arrived(r) >= enough, seconds)  # type: ignore[misc]  # a lambda has no hints
            finally:
                sender.kill()
                await sender.wait()
        _check(receiver, runs)
        return Figures(
            runs * PER_RUN,
            _arrived(receiver),
            len(receiver.got),
            len(receiver.taken) - _arrived(receiver),
            kills,
        )


async def _sender(data_dir: Path, runs: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.delivery_sender",
        str(data_dir),
        str(runs),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def _arrived(receiver: Receiver) -> int:
    return len({one.id for one in receiver.taken})


def _check(receiver: Receiver, runs: int) -> None:
    signed = Webhook(SECRET.encode())
    heard: dict[str, list[str]] = defaultdict(list)
    bodies: dict[str, bytes] = {}
    for one in receiver.got:
        signed.verify(one.body, one.headers)
        assert bodies.setdefault(one.id, one.body) == one.body, "the same id, another body"
    seen: set[str] = set()
    for one in receiver.taken:
        if one.id not in seen:
            seen.add(one.id)
            heard[one.said["operationId"]].append(one.said["event"])
    expected = ["started", *["progress"] * STEPS, "phase.completed", "completed"]
    wrong = {run: told for run, told in heard.items() if told != [f"operation.{word}" for word in expected]}
    assert not wrong, f"out of order or incomplete: {dict(list(wrong.items())[:3])}"
    assert set(heard) == {f"op-{number}" for number in range(runs)}
    assert Counter(map(len, heard.values())) == {PER_RUN: runs}
