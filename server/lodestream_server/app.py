"""The composition root of the real server: opens the engine, puts the services behind the guard, listens, and takes it
all down in order.

`running` is the server as a context, for tests and other hosts; `serve` adds signals and the ready file.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import EngineSettings
from lodestream_server.engine.opening import open_engine
from lodestream_server.grpc_door.admin_token import admin_token, write_private
from lodestream_server.grpc_door.guard import Guard
from lodestream_server.grpc_door.listening import check_address, listen, make_server
from lodestream_server.grpc_door.methods import SERVICES
from lodestream_server.services import Services, add_services, make_services
from lodestream_server.services.watching import Pace, Streams
from lodestream_server.settings import ServerSettings
from lodestream_server.workloads.catalogue import BUILT_IN, Catalogue

log = logging.getLogger(__name__)

#: For answers under way once streams have been told to end.
_LAST_ANSWERS_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers. `token` is the administrator's, None when it is not kept in the data directory.

    Another door to the same services: a channel or server with `guard` as its interceptor, and `add_services`.
    """

    address: str
    token: str | None
    engine: Engine
    guard: Guard
    services: Services
    streams: Streams


@asynccontextmanager
async def running(
    settings: ServerSettings, *, catalogue: Catalogue = BUILT_IN, engine_settings: EngineSettings | None = None
) -> AsyncIterator[RunningServer]:
    """A server that answers until the context ends; work still running then goes back to the queue.

    `engine_settings` replaces what the settings say of the engine, for hosts with workloads of their own.

    Raises CannotListen, DataDirInUse, StoreTooNew, StoreDamaged.
    """
    engine_settings = engine_settings or settings.engine()
    check_address(settings)
    async with open_engine(settings.data_dir, engine_settings, catalogue=catalogue) as engine:
        streams, state = Streams(), health.aio.HealthServicer()
        guard = Guard(engine.keys, reflection_takes_key=settings.reflection == "key")
        server = make_server(settings, [guard])
        pace = Pace(settings.bookmark_s, settings.stream_age_s)
        services = make_services(
            engine, streams, settings=engine_settings, pace=pace, data_dir=settings.data_dir, catalogue=catalogue
        )
        add_services(server, services)
        health_pb2_grpc.add_HealthServicer_to_server(state, server)
        if settings.reflection != "off":
            reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        address = listen(server, settings)
        token = await admin_token(engine.keys, settings.data_dir, renew=settings.renew_admin_token)
        await server.start()
        for name in ("", *SERVICES):
            await state.set(name, health_pb2.HealthCheckResponse.SERVING)
        try:
            yield RunningServer(address, token, engine, guard, services, streams)
        finally:
            await state.enter_graceful_shutdown()
            streams.end_all()
            await server.stop(_LAST_ANSWERS_S)


async def serve(settings: ServerSettings, ready_file: Path | None = None) -> None:
    """Serves until SIGTERM or SIGINT. The ready file appears once calls are answered and goes when they no longer are.

    The first signal drains; a second one hands running work back to the queue at once.
    """
    stop, hurry = asyncio.Event(), asyncio.Event()
    _own_the_signals(stop, hurry)
    _forget(ready_file)
    async with running(settings) as server:
        if ready_file is not None:
            write_private(ready_file, orjson.dumps(ready(server)).decode() + "\n")
        log.info("serving", extra={"grpc": server.address})
        await stop.wait()
        _forget(ready_file)
        log.info("stopping", extra={"at_work": len(server.engine.at_work()), "drain_s": settings.drain_s})
        await _drain(server.engine, settings.drain_s, hurry)
    log.info("stopped")


def ready(server: RunningServer) -> dict[str, str | None]:
    """What the ready file says."""
    return {"grpc": server.address, "token": server.token}


def _own_the_signals(stop: asyncio.Event, hurry: asyncio.Event) -> None:
    def asked() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked)


async def _drain(engine: Engine, grace_s: float, hurry: asyncio.Event) -> None:
    drained, hurried = asyncio.create_task(engine.drain(grace_s)), asyncio.create_task(hurry.wait())
    await asyncio.wait({drained, hurried}, return_when=asyncio.FIRST_COMPLETED)
    for task in (drained, hurried):
        task.cancel()
    await asyncio.gather(drained, hurried, return_exceptions=True)


def _forget(ready_file: Path | None) -> None:
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
