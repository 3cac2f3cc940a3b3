"""The composition root of the real server: opens the engine, puts the services behind the guard, listens, and takes it
all down in order.

`running` is the server as a context, for tests and other hosts; `serve` adds signals and the ready file.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lodestream.local_channel import LocalChannel
from lodestream_server.delivery.delivery import Delivery
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import EngineSettings
from lodestream_server.engine.opening import open_engine
from lodestream_server.grpc_door.admin_token import admin_token, write_private
from lodestream_server.grpc_door.credentials import Credentials, link_key
from lodestream_server.grpc_door.guard import Guard
from lodestream_server.grpc_door.limits import Limits
from lodestream_server.grpc_door.listening import CannotListen, check_address, listen, make_server
from lodestream_server.grpc_door.methods import SERVICES
from lodestream_server.grpc_door.web_tokens import WebTokens, WebTokenSettings
from lodestream_server.observing.opening import observation
from lodestream_server.services import Services, add_services, make_services
from lodestream_server.services.run_tokens import run_tokens
from lodestream_server.services.watching import Pace, Streams
from lodestream_server.settings import ServerSettings
from lodestream_server.workloads.built_in import offered
from lodestream_server.workloads.catalogue import Catalogue

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
    health: health.aio.HealthServicer
    rest: str | None = None
    metrics: str | None = None


@asynccontextmanager
async def running(
    settings: ServerSettings, *, catalogue: Catalogue | None = None, engine_settings: EngineSettings | None = None
) -> AsyncIterator[RunningServer]:
    """A server that answers until the context ends; work still running then goes back to the queue.

    `catalogue` and `engine_settings` replace what the settings say of work and engine, for other hosts.

    Raises CannotListen, BadWebTokenSettings, DataDirInUse, StoreTooNew, StoreDamaged.
    """
    engine_settings = engine_settings or settings.engine()
    catalogue = catalogue or offered(notebooks=settings.notebooks)
    check_address(settings)
    web_tokens = _web_tokens(settings)
    async with (
        open_engine(settings.data_dir, engine_settings, catalogue=catalogue) as engine,
        observation(settings, engine) as seen,
        _delivering(settings, engine) as delivery,
    ):
        streams, state = Streams(), health.aio.HealthServicer()
        key = link_key(settings.data_dir)
        known = Credentials(engine.keys, link_key=key, web_tokens=web_tokens)
        guard = Guard(
            known,
            reflection_takes_key=settings.reflection == "key",
            limits=Limits(*settings.allowances()),
            observers=seen.observers,
        )
        server = make_server(settings, [guard])
        pace = Pace(settings.bookmark_s, settings.stream_age_s)
        services = make_services(
            engine,
            streams,
            delivery,
            settings=engine_settings,
            pace=pace,
            data_dir=settings.data_dir,
            catalogue=catalogue,
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
            async with _rest_door(settings, guard, services, state, key) as rest:
                yield RunningServer(address, token, engine, guard, services, streams, state, rest, seen.metrics)
        finally:
            await state.enter_graceful_shutdown()
            streams.end_all()
            await server.stop(_LAST_ANSWERS_S)


@asynccontextmanager
async def _delivering(settings: ServerSettings, engine: Engine) -> AsyncIterator[Delivery]:
    """Delivery to others, until the context ends; what is not settled then is sent after the next start."""
    tokens, chosen = run_tokens(engine.store_id), settings.delivery(settings.rest_public_url)
    delivery = Delivery(engine.store, tokens, clock=engine.clock, ids=engine.ids, settings=chosen)
    await delivery.start()
    try:
        yield delivery
    finally:
        await delivery.close()


@asynccontextmanager
async def _rest_door(
    settings: ServerSettings, guard: Guard, services: Services, state: health.aio.HealthServicer, key: bytes
) -> AsyncIterator[str | None]:
    """The REST door to the same services, within the process: its address, None where the settings name none.

    It ends before the gRPC door does: streams first, then answers under way, then the channel.
    """
    if settings.rest is None:
        yield None
        return
    try:
        from lodestream.rest.app import Facade
        from lodestream.rest.serving import RestServer, split_address
        from lodestream.rest.settings import RestSettings
    except ImportError as fault:
        raise CannotListen(f"The REST door needs {fault.name}: pip install 'lodestream[rest]'.") from None
    sizes = settings.largest_message_bytes
    channel = LocalChannel([guard], max_request_bytes=sizes, max_answer_bytes=sizes)
    add_services(channel, services)
    health_pb2_grpc.add_HealthServicer_to_server(state, channel)
    chosen = RestSettings(
        hosts=[*settings.names_of(settings.rest_hosts), split_address(settings.rest)[0]],
        origins=settings.names_of(settings.rest_origins),
        link_key=key,
        link_ttl_s=settings.rest_link_s,
        public_url=settings.rest_public_url,
        spool_dir=str(_folder(settings.data_dir / "forms")),
    )
    pair = settings.tls_certificate, settings.tls_key
    door = RestServer(Facade(channel, chosen), settings.rest, certificate=pair[0], key=pair[1])
    address = await door.start()
    try:
        yield address
    finally:
        await door.stop(_LAST_ANSWERS_S)
        await channel.stop(0)


def _folder(path: Path) -> Path:
    """The folder, made when it is not there."""
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _settle() -> None:
    from lodestream.rest.serving import settle

    settle()


def _web_tokens(settings: ServerSettings) -> WebTokens | None:
    asked = WebTokenSettings(settings.jwt_issuer, settings.jwt_audience, settings.jwt_jwks, settings.jwt_key)
    return None if asked == WebTokenSettings() else WebTokens(asked)


async def serve(settings: ServerSettings, ready_file: Path | None = None) -> None:
    """Serves until SIGTERM or SIGINT. The ready file appears once calls are answered and goes when they no longer are.

    The first signal drains; a second one hands running work back to the queue at once.
    """
    stop, hurry = asyncio.Event(), asyncio.Event()
    _own_the_signals(stop, hurry)
    _forget_stale(ready_file)
    async with running(settings) as server:
        if ready_file is not None:
            write_private(ready_file, orjson.dumps(ready(server)).decode() + "\n")
        if server.rest is not None:
            _settle()
        log.info("serving", extra={"grpc": server.address, "rest": server.rest, "metrics": server.metrics})
        await stop.wait()
        _forget(ready_file)
        log.info("stopping", extra={"at_work": len(server.engine.at_work()), "drain_s": settings.drain_s})
        # Whoever balances load stops sending; who watches goes on watching until the work has ended or gone back.
        await server.health.enter_graceful_shutdown()
        await _drain(server.engine, settings.drain_s, hurry)
    log.info("stopped")


def ready(server: RunningServer) -> dict[str, str | None]:
    """What the ready file says."""
    doors = {"grpc": server.address, "rest": server.rest, "metrics": server.metrics}
    return {**{name: address for name, address in doors.items() if address}, "token": server.token}


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


def _forget_stale(ready_file: Path | None) -> None:
    """Removes what a server that was killed left behind, so that nobody waits for a ready file and finds an old one.

    A server that answers keeps its file: this one may be about to learn that the data directory is in use.
    """
    if ready_file is None or not ready_file.exists():
        return
    try:
        host, _, port = str(orjson.loads(ready_file.read_bytes())["grpc"]).rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), timeout=0.5).close()
    except (OSError, ValueError, KeyError, TypeError):
        _forget(ready_file)


def _forget(ready_file: Path | None) -> None:
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
