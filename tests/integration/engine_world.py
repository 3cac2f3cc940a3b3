"""What tests of the engine share: a catalogue of tiny workloads run by real worker processes, and files as gates."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import EngineSettings, NewRun
from lodestream_server.engine.opening import open_engine
from lodestream_server.runs.states import RunKind
from lodestream_server.store.reading import Scope
from lodestream_server.workloads.catalogue import Catalogue, PhaseSpec, WorkloadSpec
from lodestream_server.workloads.parameters import RESOURCE_ALLOCATION, Parameter

SCOPE = Scope("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
ELSEWHERE = Scope(SCOPE.tenant_id, "99999999-9999-4999-8999-999999999999")
ROOT = Path(__file__).parents[2]
PHASES = "tests.workloads.phases"


def _work(type_: str, *phases: tuple[str, str], kind: RunKind = RunKind.JOB) -> WorkloadSpec:
    specs = tuple(PhaseSpec(name, f"{PHASES}:{function}", component="Tester") for name, function in phases)
    known = (Parameter("records", "whole", at_least=1), Parameter("gate"), Parameter("datasetId"), RESOURCE_ALLOCATION)
    return WorkloadSpec(kind, type_, specs, known, cpu_units=1.0)


CATALOGUE = Catalogue(
    (
        _work("Count", ("Count", "count"), ("Add", "add")),
        _work("Count", ("Count", "count"), ("Add", "add"), kind=RunKind.OPERATION),
        _work("Wait", ("First", "tick"), ("Wait", "wait"), ("Last", "tick")),
        _work("Wait", ("First", "tick"), ("Wait", "wait"), ("Last", "tick"), kind=RunKind.OPERATION),
        _work("OnlyWait", ("Wait", "wait")),
        _work("CountThenWait", ("Count", "count"), ("Wait", "wait")),
        _work("EnrichThenWait", ("Enrich", "enrich"), ("Wait", "wait")),
        _work("CountThenWait", ("Count", "count"), ("Wait", "wait"), kind=RunKind.OPERATION),
        *(
            _work(name, ("Only", function), kind=RunKind.OPERATION)
            for name, function in (
                ("Enrich", "enrich"),
                ("Lines", "lines"),
                ("Gate", "wait"),
                ("Fail", "bad_input"),
                ("Break", "until_mended"),
            )
        ),
        _work("Mend", ("First", "tick"), ("Mend", "until_mended")),
        *(
            _work(name, ("Only", name))
            for name in (
                "deaf",
                "deaf_and_stubborn",
                "bad_input",
                "broken",
                "out_of_memory",
                "disk_full",
                "vanish",
                "killed",
                "crash",
                "freeze",
                "quits",
                "once_deadly",
                "hungry",
            )
        ),
        WorkloadSpec(RunKind.JOB, "Someday"),
    )
)


def settings(**changes: Any) -> EngineSettings:
    """Two workers that find the tests' workloads."""
    given: dict[str, Any] = {
        "seats": 2,
        "worker_environment": {"PYTHONPATH": str(ROOT)},
        "describe": f"{PHASES}:describe",
    }
    return EngineSettings(**{**given, **changes})


@asynccontextmanager
async def engine_at(data_dir: Path, clock: Any = None, dice: Any = None, **changes: Any) -> AsyncIterator[Engine]:
    """A started engine with the tests' catalogue."""
    chance = dice or random.random
    async with open_engine(data_dir, settings(**changes), catalogue=CATALOGUE, clock=clock, dice=chance) as engine:
        yield engine


def job(type_: str, **given: Any) -> NewRun:
    """A job in the project of the tests; what is no field of it is a parameter."""
    fields = {name: given.pop(name) for name in [*given] if name in NewRun.__dataclass_fields__}
    parameters = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    return NewRun(**{"scope": SCOPE, "kind": RunKind.JOB, "type": type_, "parameters": parameters, **fields})


async def kinds(engine: Engine, run_id: str) -> list[str]:
    """The kinds of all events of a run."""
    return [event.kind for event in await engine.events(SCOPE, run_id)]


async def until(engine: Engine, run_id: str, kind: str, after: int = 0) -> None:
    """Waits for the first event of that kind."""
    async for event in engine.tail(SCOPE, run_id, after):
        if event.kind == kind:
            return
    raise AssertionError(f"the run ended without {kind}")


async def appears(path: Path) -> None:
    """Waits for a file that a worker makes."""
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(path.exists):  # noqa: ASYNC110  # another process makes it
            await asyncio.sleep(0.002)


def alive(pid: int) -> bool:
    """Whether there is such a process, and not merely what nobody has reaped of it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
