"""The courier of a session: finds what endpoints have to be told, and posts it when its time has come.

One task a session, started with the first endpoint. Deliveries go out in the order of the virtual clock, retries
included; `settled` returns when nothing that is due waits any more.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from lodestream import wire
from lodestream.v1.common_pb2 import OperationType
from lodestream.v1.webhook_pb2 import DeliveryPayload
from lodestream_mock.delivery.endpoint import Endpoint
from lodestream_mock.delivery.payload import payload
from lodestream_mock.delivery.post import Outcome, signed
from lodestream_mock.play import typed
from lodestream_mock.play.moment import moment
from lodestream_mock.play.run import Run
from lodestream_mock.scenarios.story import Kind
from lodestream_mock.session.ids import made_id
from lodestream_mock.session.session import Session

Sender: TypeAlias = Callable[[str, Mapping[str, str], bytes], Awaitable[Outcome]]
MODES = ("duplicate", "out-of-order", "bad-signature", "late")


@dataclass(slots=True)
class Attempt:
    """One attempt at a virtual time."""

    at: int
    outcome: Outcome


@dataclass(slots=True)
class Delivery:
    """Something that an endpoint is told; `next_at` is None when it is done or given up."""

    delivery_id: str
    endpoint: Endpoint
    event: str
    run_id: str
    created_at: int
    body: bytes
    next_at: int | None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def success(self) -> bool:
        """Whether it arrived."""
        return bool(self.attempts) and self.attempts[-1].outcome.success


class Courier:
    """`modes` are ways to misbehave, see MODES."""

    def __init__(self, session: Session, send: Sender) -> None:
        self.session = session
        self.endpoints: dict[str, Endpoint] = {}
        self.deliveries: dict[str, Delivery] = {}
        self.modes: frozenset[str] = frozenset()
        self._send = send
        self._cursors: dict[tuple[str, str], int] = {}
        self._shown: dict[tuple[str, str], float] = {}
        self._due: list[tuple[int, int, Delivery]] = []
        self._held: Delivery | None = None
        self._order = 0
        self._task: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._woken = asyncio.Event()

    def add(self, endpoint: Endpoint) -> None:
        """From now on an endpoint is told what happens after this moment."""
        self.endpoints[endpoint.endpoint_id] = endpoint
        for run in self.session.runs.values():
            played = self.session.played(run)
            if run.began < endpoint.since or not run.number:
                self._cursors[endpoint.endpoint_id, run.run_id] = moment(played, endpoint.since - run.began).sequence
        self.wake()

    def remove(self, endpoint_id: str) -> None:
        """What waits for the endpoint is dropped."""
        self.endpoints.pop(endpoint_id, None)
        for delivery in self.deliveries.values():
            if delivery.endpoint.endpoint_id == endpoint_id:
                delivery.next_at = None

    def of_endpoint(self, endpoint_id: str) -> list[Delivery]:
        """Newest first."""
        return [d for d in reversed(self.deliveries.values()) if d.endpoint.endpoint_id == endpoint_id]

    def again(self, delivery: Delivery) -> None:
        """Sends a delivery once more, now."""
        self._push(delivery, self.session.now_ms)
        self.wake()

    def wake(self) -> None:
        """Something may be due: the clock has moved, or an endpoint or a run has come."""
        if not self.endpoints and not self._due:
            return
        self._idle.clear()
        self._woken.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def settled(self) -> None:
        """Returns when everything due has been posted."""
        await self._idle.wait()

    async def close(self) -> None:
        """Ends the task."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def ping(self, endpoint: Endpoint) -> Outcome:
        """Posts a test event now, outside the order, and tells what came back."""
        now = typed.instant(self.session.epoch_ms)
        body = wire.to_json(DeliveryPayload(event="ping", timestamp=now, data=DeliveryPayload.Data()))
        headers = signed(self._id(), body, endpoint.secret, endpoint.token)
        return await self._send(endpoint.url, {**endpoint.headers, **headers}, body)

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            self._collect()
            while self._due and self._due[0][0] <= self.session.now_ms:
                at, _, delivery = heapq.heappop(self._due)
                if delivery.next_at == at:
                    await self._pass_on(delivery)
                self._collect()
            if self._held:
                held, self._held = self._held, None
                await self._attempt(held)
                continue
            if not self._woken.is_set():
                self._idle.set()
                await self._wait()
                self._idle.clear()

    async def _wait(self) -> None:
        """Until somebody wakes us, or on a running clock until the next happening may be due."""
        if not self.session.clock.rate:
            await self._woken.wait()
            return
        waits = [asyncio.ensure_future(self._woken.wait()), asyncio.ensure_future(self._next_due())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _next_due(self) -> None:
        session = self.session
        times = [run.began + item.at for run in session.runs.values() for item in session.played(run).happenings]
        ahead = [at for at in [*times, *(entry[0] for entry in self._due)] if at > session.now_ms]
        await session.clock.moved(min(ahead, default=None))

    async def _pass_on(self, delivery: Delivery) -> None:
        """Posts in order, or with every other pair turned round."""
        if "out-of-order" in self.modes and self._held is None and not delivery.attempts:
            self._held = delivery
            return
        await self._attempt(delivery)
        if self._held:
            held, self._held = self._held, None
            await self._attempt(held)

    async def _attempt(self, delivery: Delivery) -> None:
        endpoint, now = delivery.endpoint, self.session.now_ms
        at = delivery.next_at if delivery.next_at is not None else now
        for _ in range(2 if "duplicate" in self.modes else 1):
            headers = signed(
                delivery.delivery_id,
                delivery.body,
                endpoint.secret,
                endpoint.token,
                bad="bad-signature" in self.modes,
                late="late" in self.modes,
            )
            outcome = await self._send(endpoint.url, {**endpoint.headers, **headers}, delivery.body)
        delivery.attempts.append(Attempt(at, outcome))
        wait = None if outcome.success or outcome.final else endpoint.retries.wait(len(delivery.attempts))
        delivery.next_at = None
        if wait is not None and endpoint.endpoint_id in self.endpoints:
            self._push(delivery, at + wait)

    def _push(self, delivery: Delivery, at: int) -> None:
        delivery.next_at = at
        self._order += 1
        heapq.heappush(self._due, (at, self._order, delivery))

    def _collect(self) -> None:
        """Queues what has happened since the last look, in the order in which it happened."""
        found = sorted(self._news(), key=lambda news: news[:2])
        for at, _, endpoint, run, index in found:
            delivery = self._delivery(at, endpoint, run, index)
            if delivery:
                self.deliveries[delivery.delivery_id] = delivery
                self._push(delivery, at)

    def _news(self) -> Iterator[tuple[int, int, Endpoint, Run, int]]:
        now, order = self.session.now_ms, 0
        for endpoint in self.endpoints.values():
            for run in list(self.session.runs.values()):
                if not self._concerns(endpoint, run):
                    continue
                happenings = self.session.played(run).happenings
                seen = self._cursors.get((endpoint.endpoint_id, run.run_id), 0)
                reached = moment(self.session.played(run), now - run.began).sequence
                for index in range(seen, reached):
                    at = run.began + happenings[index].at
                    if endpoint.event_of(happenings[index].kind) and (endpoint.until is None or at <= endpoint.until):
                        order += 1
                        yield at, order, endpoint, run, index
                self._cursors[endpoint.endpoint_id, run.run_id] = max(seen, reached)

    def _concerns(self, endpoint: Endpoint, run: Run) -> bool:
        if endpoint.run_id:
            return endpoint.run_id == run.run_id
        story = self.session.played(run).story
        known = story.type if typed.number(OperationType.DESCRIPTOR, story.type) else "Custom"
        return (
            story.kind == "operation"
            and (not endpoint.types or known in endpoint.types)
            and (not endpoint.priorities or story.priority in endpoint.priorities)
        )

    def _delivery(self, at: int, endpoint: Endpoint, run: Run, index: int) -> Delivery | None:
        """None for progress below the least increment."""
        played = self.session.played(run)
        item = played.happenings[index]
        place = endpoint.endpoint_id, run.run_id
        if item.kind is Kind.PROGRESS and endpoint.min_increment:
            percent = moment(played, item.at).percent
            if percent - self._shown.get(place, 0.0) < endpoint.min_increment:
                return None
            self._shown[place] = percent
        told = payload(played, index, endpoint.word_of(item.kind), self.session.scenario.name, self.session.tenant)
        return Delivery(self._id(), endpoint, told.event, run.run_id, at, wire.to_json(told), None)

    def _id(self) -> str:
        return f"msg_{made_id('delivery', self.session.settings.seed, self.session.count('delivery'))}"
