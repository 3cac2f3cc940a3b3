"""What tests of delivery share: a receiver that fails as it is told to, a store with delivery on it, runs to tell."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from lodestream_server.delivery import rows
from lodestream_server.delivery.delivery import Delivery
from lodestream_server.delivery.endpoints import (
    Authentication,
    Kind,
    Registration,
    RetryPolicy,
    Stats,
    Status,
    Wishes,
)
from lodestream_server.delivery.settings import DeliverySettings
from lodestream_server.engine.clock import SystemClock
from lodestream_server.engine.ids import RandomIds
from lodestream_server.runs.bodies import (
    Body,
    Completed,
    PhaseCompleted,
    PhasePlan,
    PhaseStarted,
    Progressed,
    Queued,
    Started,
    Submitted,
)
from lodestream_server.runs.states import RunKind
from lodestream_server.store.appending import Fact, append, begin
from lodestream_server.store.reading import Scope
from lodestream_server.store.store import Store

SCOPE = Scope("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
SECRET = "not-base64-but-UTF-8: żółć"
CLOCK = SystemClock()
ALL = (
    "operation.started",
    "operation.progress",
    "operation.phase.completed",
    "operation.completed",
    "operation.failed",
    "operation.cancelled",
)
#: Fails at once and often, instead of after minutes.
SOON = RetryPolicy(max_retries=20, delay_s=0.01, multiplier=1.5, max_delay_s=0.05)
#: 200, 500 …; "reset" breaks the connection; "slow" never answers; a tuple is a status with one more header line.
Behaviour = int | str | tuple[int, str]


@dataclass(frozen=True, slots=True)
class Got:
    """A request that the receiver read, and how it answered."""

    path: str
    headers: dict[str, str]
    body: bytes
    answered: Behaviour

    @property
    def id(self) -> str:
        """Its webhook-id."""
        return self.headers["webhook-id"]

    @property
    def said(self) -> dict[str, Any]:
        """The JSON."""
        said: dict[str, Any] = orjson.loads(self.body)
        return said


@dataclass(slots=True)
class Receiver:
    """An HTTP server of a few lines. `behave` decides how each request is answered; connections are counted."""

    port: int = 0
    host: str = "127.0.0.1"
    behave: Callable[[Got], Behaviour] = lambda _: 200
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def taken(self) -> list[Got]:
        """Requests answered with success."""
        return [one for one in self.got if one.answered == 200]

    def url(self, path: str = "/hook") -> str:
        """An address of it."""
        return f"http://{self.host}:{self.port}{path}"

    async def until(self, enough: Callable[["Receiver"], bool], seconds: float = 30) -> None:
        """Waits for requests until there are enough."""
        async with asyncio.timeout(seconds):
            while not enough(self):
                self._news.clear()
                await self._news.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while (got := await _request(reader)) is not None:
                answered = self.behave(got)
                got = Got(got.path, got.headers, got.body, answered)
                if answered == "slow":
                    self._note(got)
                    await reader.read()
                    return
                if answered == "reset":
                    writer.transport.abort()
                    self._note(got)
                    return
                status, more = answered if isinstance(answered, tuple) else (answered, "")
                line = f"HTTP/1.1 {status} X\r\ncontent-length: 2\r\n{more + chr(13) + chr(10) if more else ''}\r\nok"
                writer.write(line.encode())
                await writer.drain()
                self._note(got)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _note(self, got: Got) -> None:
        self.got.append(got)
        self._news.set()


async def _request(reader: asyncio.StreamReader) -> Got | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Got(head[0].split(" ")[1], headers, body, 0)


@asynccontextmanager
async def receiving(behave: Callable[[Got], Behaviour] | None = None, **options: Any) -> AsyncIterator[Receiver]:
    """A receiver that listens until the context ends."""
    host = options.pop("host", "127.0.0.1")
    receiver = Receiver(host=host)
    if behave is not None:
        receiver.behave = behave
    server = await asyncio.start_server(receiver.serve, host, 0, **options)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


@dataclass(frozen=True, slots=True)
class World:
    """A store and delivery on it."""

    store: Store
    delivery: Delivery


def settings(**changes: Any) -> DeliverySettings:
    """Loopback allowed, and everything quick."""
    given: dict[str, Any] = {
        "allow_networks": ("127.0.0.1/32",),
        "retry": SOON,
        "attempt_s": 2.0,
        "save_s": 0.05,
        "trouble_s": 0.05,
    }
    return DeliverySettings(**{**given, **changes})


@asynccontextmanager
async def delivering(
    data_dir: Path, *, clock: Any = CLOCK, backend: Any = None, **changes: Any
) -> AsyncIterator[World]:
    """A started delivery over the directory."""
    store = await Store.open(data_dir)
    delivery = Delivery(
        store,
        lambda run, sequence: f"{run.run_id}@{sequence}",
        clock=clock,
        ids=RandomIds(),
        settings=settings(**changes),
        backend=backend,
    )
    try:
        await delivery.start()
        yield World(store, delivery)
    finally:
        await delivery.close()
        await store.close()


def webhook(url: str, *events: str, **changes: Any) -> Registration:
    """A signed webhook; what is no field of a registration is one of its wishes."""
    fields = {name: changes.pop(name) for name in [*changes] if name in Registration.__dataclass_fields__}
    wishes = Wishes(events or ALL, **changes)
    return Registration(
        **{"wishes": wishes, "address": url, "authentication": Authentication("hmac-sha256", SECRET), **fields}
    )


def _facts(bodies: Sequence[Body]) -> list[Fact]:
    return [Fact(body, CLOCK.now()) for body in bodies]


def submitted(**changes: Any) -> Submitted:
    """An operation of one phase."""
    given: dict[str, Any] = {
        "tenant_id": SCOPE.tenant_id,
        "project_id": SCOPE.project_id,
        "kind": RunKind.OPERATION,
        "type": "DataEnrichment",
        "name": "Test",
        "phases": (PhasePlan("Only"),),
    }
    return Submitted(**{**given, **changes})


async def submit(store: Store, run_id: str, **changes: Any) -> None:
    """It waits in the queue."""
    facts = _facts([submitted(**changes), Queued()])
    await store.write(lambda tx: begin(tx, run_id, facts))


async def tell(store: Store, run_id: str, *bodies: Body) -> None:
    """What happens to it."""
    facts = _facts(bodies)
    await store.write(lambda tx: append(tx, run_id, facts))


def steps(count: int) -> list[Body]:
    """Started, that many even steps of progress, and the phase's end."""
    progress = [Progressed("Only", done, count, 100.0 * done / count) for done in range(1, count + 1)]
    return [Started(1, "node", 1, "exec-1"), PhaseStarted("Only", 1), *progress, PhaseCompleted("Only", 1.0)]


async def whole_run(store: Store, run_id: str, count: int = 4, **changes: Any) -> None:
    """An operation from submission to completion."""
    await submit(store, run_id, **changes)
    await tell(store, run_id, *steps(count), Completed())


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    """What `look` gives, once it gives something. For what another task writes into the store."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):  # noqa: ASYNC110  # the store tells nobody of deliveries
            await asyncio.sleep(0.005)
    return found


async def done(world: World, run_id: str, kind: Kind) -> Stats:
    """The counts of a run's endpoint of that kind, once it has nothing more to tell."""

    async def look() -> Stats | None:
        found = await world.store.read(lambda db: rows.of_run(db, run_id, kind))
        return found[0].stats if found and found[0].status is Status.DONE else None

    stats: Stats = await eventually(look)
    return stats
