"""The real server in a test's own process: on a free port, with the catalogue the test brings.

async with running_server(tmp_path) as server:
    await JobServiceStub(server.channel).GetJob(request, metadata=server.metadata)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
from lodestream_server.app import RunningServer, running
from lodestream_server.engine.engine import Engine
from lodestream_server.settings import ServerSettings
from lodestream_server.workloads.built_in import BUILT_IN
from lodestream_server.workloads.catalogue import Catalogue

ROOT = Path(__file__).parents[2]
TENANT = "11111111-1111-4111-8111-111111111111"
PROJECT = "22222222-2222-4222-8222-222222222222"


@dataclass(frozen=True, slots=True)
class TestServer:
    """A running server and an open channel to it."""

    __test__ = False

    running: RunningServer
    channel: grpc.aio.Channel
    metadata: tuple[tuple[str, str], ...] = field(default=())

    @property
    def address(self) -> str:
        """host:port."""
        return self.running.address

    @property
    def token(self) -> str:
        """The administrator's token."""
        assert self.running.token is not None
        return self.running.token

    @property
    def engine(self) -> Engine:
        """The engine behind it."""
        return self.running.engine


@asynccontextmanager
async def running_server(
    data_dir: Path, *, catalogue: Catalogue = BUILT_IN, describe: str | None = None, **settings: Any
) -> AsyncIterator[TestServer]:
    """A server until the context ends; `settings` override ServerSettings.

    Its workers find the workloads under `tests`; `describe` names a function ("module:function") to look at datasets.
    """
    chosen = ServerSettings(**{"grpc": "127.0.0.1:0", "seats": 2, "data_dir": data_dir, **settings})
    engine = replace(chosen.engine(), worker_environment={"PYTHONPATH": str(ROOT)})
    if describe is not None:
        engine = replace(engine, describe=describe)
    async with (
        running(chosen, catalogue=catalogue, engine_settings=engine) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield TestServer(server, channel, signed(server.token or ""))


def signed(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call with this key."""
    return (("authorization", f"Bearer {token}"),)
