"""The servers that the contract is held against, each behind its doors. One server serves a whole module; every test
has a project of its own, so tests do not meet."""

import uuid
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from lodestream_server.services import add_services

from lodestream.local_channel import LocalChannel
from lodestream.rest.app import Facade
from lodestream.rest.serving import RestServer
from tests.contract.doors import Door, GrpcDoor
from tests.contract.kinds import JOBS, OPERATIONS, Kind
from tests.contract.rest_door import RestDoor
from tests.contract.workloads import CATALOGUE, PHASES
from tests.contract.world import World
from tests.support.server import running_server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real_server(tmp_path_factory):
    """The real server with workloads that are quick."""
    folder = tmp_path_factory.mktemp("data")
    async with running_server(folder, catalogue=CATALOGUE, describe=f"{PHASES}:describe", bookmark_s=0.4) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rest(real_server):
    """A client of the facade in front of it."""
    async with LocalChannel(interceptors=[real_server.running.guard]) as channel:
        add_services(channel, real_server.running.services)
        server = RestServer(Facade(channel), "127.0.0.1:0")
        async with httpx.AsyncClient(base_url=await server.start(), timeout=30) as client:
            yield client
        await server.stop()


@pytest_asyncio.fixture(params=["real-grpc", "real-local", "real-rest"], loop_scope="module")
async def door(request: pytest.FixtureRequest, real_server, rest) -> AsyncIterator[Door]:
    """Every (server, transport) there is: over the network, and within the process."""
    if request.param == "real-grpc":
        yield GrpcDoor(real_server.channel, real_server.token)
        return
    async with LocalChannel(interceptors=[real_server.running.guard]) as channel:
        add_services(channel, real_server.running.services)
        beside = GrpcDoor(channel, real_server.token)
        if request.param == "real-local":
            yield beside
            return
        yield RestDoor(rest, real_server.token, beside)


@pytest.fixture
def world(door: Door, tmp_path) -> World:
    """A fresh tenant and project behind the door."""
    return World(door, str(uuid.uuid4()), str(uuid.uuid4()), tmp_path)


@pytest.fixture(params=[JOBS, OPERATIONS], ids=["job", "operation"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Both documented shapes of a run."""
    found: Kind = request.param
    return found
