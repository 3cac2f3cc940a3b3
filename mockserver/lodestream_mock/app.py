"""The composition root of the mock: sessions behind both doors, in one process on one loop.

`running` is the mock as a context, for tests and other hosts; `serve` adds signals and the ready file. The gRPC door
answers before the libraries of the REST door are loaded.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import NAMESPACE_URL, uuid5

import orjson
from grpc import aio

from lodestream.errors import LodestreamError
from lodestream.local_channel import LocalChannel
from lodestream_mock.control import service as control
from lodestream_mock.control.coverage import Coverage
from lodestream_mock.control.rest import ControlDoor
from lodestream_mock.delivery.courier import Courier
from lodestream_mock.delivery.post import Post
from lodestream_mock.doors import servicers
from lodestream_mock.doors.carried import CarryingChannel
from lodestream_mock.doors.interceptor import Interceptor
from lodestream_mock.doors.shell import Shell
from lodestream_mock.session.session import Session
from lodestream_mock.session.sessions import Sessions
from lodestream_mock.settings import BadSetting, MockSettings

if TYPE_CHECKING:
    from lodestream.rest.serving import RestServer

#: A stream of log lines may hold large frames; clients' own limits still hold.
_LARGEST = 64 << 20
_LAST_ANSWERS_S = 1.0
_OPTIONS = (
    ("grpc.max_receive_message_length", _LARGEST),
    ("grpc.max_send_message_length", _LARGEST),
    ("grpc.so_reuseport", 0),  # a busy port is an error, not shared
    ("grpc.server.max_pending_requests", 10_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)


@dataclass(frozen=True, slots=True)
class RunningMock:
    """A mock that answers. `rest` is None where that door is shut."""

    grpc: str
    rest: str | None
    sessions: Sessions
    coverage: Coverage

    def ready(self) -> dict[str, str]:
        """What the ready file says; the token is for clients that insist on one, nobody checks it."""
        doors = {"grpc": self.grpc} | ({"rest": self.rest} if self.rest else {})
        return {**doors, "token": "mock"}


@asynccontextmanager
async def running(settings: MockSettings) -> AsyncIterator[RunningMock]:
    """A mock that answers until the context ends. Raises BadSetting for a busy or impossible address."""
    post = Post(settings.allowed_hosts)
    sessions = Sessions(settings.sessions)

    def with_courier(session: Session) -> None:
        session.courier = Courier(session, post)

    sessions.on_new.append(with_courier)
    coverage = Coverage()
    steering = control.Control(sessions, coverage)
    interceptor = Interceptor(sessions, coverage.note)
    server = aio.server(interceptors=[interceptor], options=_OPTIONS)
    servicers.register(server, sessions)
    control.register(server, steering)
    address = _listen(server, settings.grpc)
    await server.start()
    door: RestServer | None = None
    try:
        rest = None
        if settings.rest:
            door = await _rest_door(settings.rest, sessions, steering, interceptor)
            rest = await _opened(door, settings.rest)
        yield RunningMock(address, rest, sessions, coverage)
    finally:
        if door:
            await door.stop(_LAST_ANSWERS_S)
        await server.stop(_LAST_ANSWERS_S)
        for session in sessions.known():
            if session.courier:
                await session.courier.close()


def _listen(server: aio.Server, address: str) -> str:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise BadSetting(f"--grpc {address}: must be HOST:PORT, such as 127.0.0.1:50061; port 0 takes a free one")
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError:
        raise BadSetting(
            f"--grpc {address}: cannot listen there; is another server running? --grpc {host}:0 takes a free port"
        ) from None
    return f"{host}:{bound}"


async def _rest_door(
    address: str, sessions: Sessions, steering: control.Control, interceptor: Interceptor
) -> "RestServer":
    """The facade in front of the same servicers, in this process; its libraries load beside the loop."""
    channel = LocalChannel([interceptor], max_request_bytes=_LARGEST, max_answer_bytes=_LARGEST)
    servicers.register(channel, sessions)
    try:
        facade = await asyncio.to_thread(_facade, channel)
    except ImportError as fault:
        raise BadSetting(
            f"--rest {address}: the REST door needs {fault.name}: pip install 'lodestream[mock]'"
        ) from None
    from lodestream.rest.serving import RestServer

    try:
        return RestServer(cast("Any", Shell(facade, ControlDoor(steering), sessions)), address)
    except LodestreamError as error:
        raise BadSetting(f"--rest {error.message}") from None


def _facade(channel: LocalChannel) -> Any:
    from lodestream.rest.app import Facade
    from lodestream.rest.settings import RestSettings

    # The mock has nothing to protect: it answers for every host name that leads to it, and tickets follow from the path
    # so that the same calls get the same answers.
    chosen = RestSettings(hosts=["*"], new_ticket=lambda path: str(uuid5(NAMESPACE_URL, path)))
    return Facade(cast("aio.Channel", CarryingChannel(channel)), chosen)


async def _opened(door: "RestServer", address: str) -> str:
    try:
        return await door.start()
    except LodestreamError as error:
        host = address.rpartition(":")[0]
        raise BadSetting(
            f"--rest {error.message}; is another server running? --rest {host}:0 takes a free port"
        ) from None


async def serve(settings: MockSettings, told: Callable[[RunningMock], None] = lambda _: None) -> None:
    """Serves until SIGTERM or SIGINT; `told` is called when both doors answer. Raises BadSetting.

    The ready file appears once calls are answered and goes when they no longer are.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _forget(settings.ready_file)
    async with running(settings) as mock:
        if settings.ready_file:
            _write(settings.ready_file, orjson.dumps(mock.ready()) + b"\n")
        told(mock)
        await stop.wait()
        _forget(settings.ready_file)


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all, so that who waits for it never reads half of it. Raises BadSetting."""
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_bytes(data)
        os.replace(part, file)
    except OSError as error:
        raise BadSetting(f"--ready-file {file}: {error.strerror}") from None


def _forget(file: Path | None) -> None:
    if file:
        with suppress(OSError):
            file.unlink(missing_ok=True)
