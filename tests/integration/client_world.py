"""What tests of the client and the command line share: a real server whose runs are tiny and wait for a file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lodestream_server.runs.states import RunKind
from lodestream_server.store.reading import Scope
from lodestream_server.workloads.catalogue import Catalogue, PhaseSpec, WorkloadSpec
from lodestream_server.workloads.parameters import Parameter

from lodestream.client import Client, Patience, Settings
from tests.support.server import PROJECT, TENANT, TestServer, running_server

SCOPE = Scope(TENANT, PROJECT)
PHASES = "tests.workloads.phases"
#: Impatient enough for a test, patient enough for a busy machine.
PATIENCE = Patience(give_up_s=20.0, first_delay_s=0.01, longest_delay_s=0.2)

_KNOWN = (Parameter("records", "whole", at_least=1), Parameter("gate"), Parameter("begun"), Parameter("datasetId"))


def _work(kind: RunKind, type_: str, *functions: str) -> WorkloadSpec:
    phases = tuple(PhaseSpec(name.capitalize(), f"{PHASES}:{name}", component="Tester") for name in functions)
    return WorkloadSpec(kind, type_, phases, _KNOWN, cpu_units=1.0)


#: The documented types with other work: Count and Add take no time, Wait waits for the file `gate`.
CATALOGUE = Catalogue(
    (
        _work(RunKind.JOB, "ProcessMining", "count", "add"),
        _work(RunKind.JOB, "DataEnrichment", "count", "wait", "add"),
        _work(RunKind.JOB, "Analysis", "bad_input"),
        _work(RunKind.JOB, "Notebook"),
        _work(RunKind.OPERATION, "ProcessMiningAnalysis", "count", "add"),
        _work(RunKind.OPERATION, "DataEnrichment", "count", "wait", "add"),
        _work(RunKind.OPERATION, "ReportGeneration"),
    )
)


@dataclass(frozen=True, slots=True)
class World:
    """A server, an administrator's client, and the file that lets waiting runs go on."""

    server: TestServer
    client: Client
    gate: Path

    @property
    def waiting(self) -> dict[str, str]:
        """Parameters of a run that waits; it makes the file `begun` when it does."""
        return {"gate": str(self.gate), "begun": str(self.gate.with_name("begun"))}

    async def begun(self) -> None:
        """Returns when the run waits."""
        await appeared(self.gate.with_name("begun"))

    def environment(self) -> dict[str, str]:
        """The settings of the command line."""
        return {
            "LODESTREAM_TARGET": self.server.address,
            "LODESTREAM_TOKEN": self.server.token,
            "LODESTREAM_TENANT": TENANT,
            "LODESTREAM_PROJECT": PROJECT,
        }


async def appeared(path: Path) -> None:
    """Returns when a file is there; a test that waits in vain ends by its own time limit."""
    while not await asyncio.to_thread(path.exists):  # noqa: ASYNC110  # another process makes it
        await asyncio.sleep(0.01)


@asynccontextmanager
async def world(folder: Path, **settings: Any) -> AsyncIterator[World]:
    """A server with its data below the folder, and a client of it."""
    async with (
        running_server(folder / "data", catalogue=CATALOGUE, describe=f"{PHASES}:describe", **settings) as server,
        Client(settings=Settings(server.address, server.token, TENANT, PROJECT), patience=PATIENCE) as client,
    ):
        yield World(server, client, folder / "gate")
