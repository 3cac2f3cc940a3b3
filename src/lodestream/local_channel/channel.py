"""The channel: opens calls for the stubs, keeps the handlers of the servicers, and ends what runs when it closes."""

import asyncio
import contextvars
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Never, Self

import grpc
from grpc import ChannelConnectivity, aio

from lodestream.local_channel.context import Handler
from lodestream.local_channel.exchange import CANCELLED, EXPIRED, STOPPED, Ending, Exchange, too_large_request
from lodestream.local_channel.metadata import sendable
from lodestream.local_channel.methods import StreamStream, StreamUnary, UnaryStream, UnaryUnary
from lodestream.local_channel.pipe import Bell
from lodestream.local_channel.serving import Find, serve

# What gRPC takes where nothing else is set.
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024


class LocalChannel(aio.Channel, aio.Server):
    """One object for both sides: give it to the stubs as `channel` and to `add_…_to_server` as `server`.

    `close` is the client's goodbye (its calls are cancelled), `stop` the server's (its calls end as UNAVAILABLE);
    after either no call is taken. Nothing needs to be started. Belongs to the loop that calls it.
    """

    def __init__(
        self,
        interceptors: Sequence[aio.ServerInterceptor] = (),
        *,
        max_request_bytes: int = MAX_MESSAGE_BYTES,
        max_answer_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self.max_request_bytes = max_request_bytes
        self.max_answer_bytes = max_answer_bytes
        self._generic: list[grpc.GenericRpcHandler] = []
        self._registered: dict[str, Handler] = {}
        self._intercepted = bool(interceptors)
        self._find = _through(interceptors, self._resolve)
        self._running: set[Exchange] = set()  # until the servicer has stopped; also what keeps its task alive
        self._closed = False
        self._stopped = False
        self._news = Bell()  # closed, stopped

    # For the stubs.

    def unary_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> UnaryUnary:
        return UnaryUnary(self, method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> UnaryStream:
        return UnaryStream(self, method, request_serializer, response_deserializer)

    def stream_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> StreamUnary:
        return StreamUnary(self, method, request_serializer, response_deserializer)

    def stream_stream(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> StreamStream:
        return StreamStream(self, method, request_serializer, response_deserializer)

    def open(
        self, method: str, request: bytes | None, streams_answers: bool, timeout: float | None, metadata: Any
    ) -> Exchange:
        """Starts the servicer in a task of its own, unless the call is over before: then it has that ending.

        The task starts with empty context variables, as it would in another process. `timeout` in seconds.
        Raises UsageError on a closed channel, BadMetadata or TypeError for metadata that cannot be sent.
        """
        if self._closed:
            raise aio.UsageError("Channel is closed.")
        exchange = Exchange(method, sendable(metadata), request, streams_answers, self.max_answer_bytes)
        if (refusal := self._refusal(request, timeout)) is not None:
            exchange.end(refusal)
            return exchange
        if timeout is not None:
            exchange.deadline = exchange.loop.time() + timeout
            exchange.timer = exchange.loop.call_later(timeout, exchange.end, EXPIRED)
        self._running.add(exchange)
        handler = None if self._intercepted else self._registered.get(method)
        work = serve(exchange, handler, self._find, self._running.discard)
        exchange.task = exchange.loop.create_task(work, name=method, context=contextvars.Context())
        return exchange

    def _refusal(self, request: bytes | None, timeout: float | None) -> Ending | None:
        if timeout is not None and timeout <= 0:
            return EXPIRED
        if self._stopped:
            return STOPPED
        return None if request is None else too_large_request(len(request), self.max_request_bytes)

    # For the servicers.

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        self._generic += generic_rpc_handlers

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        """Found before any generic handler."""
        for name, handler in method_handlers.items():
            self._registered[f"/{service_name}/{name}"] = handler

    async def _resolve(self, details: grpc.HandlerCallDetails) -> "Handler | None":
        method = details.method
        if (registered := self._registered.get(method)) is not None:
            return registered
        for generic in self._generic:
            if (found := generic.service(details)) is not None:
                return found
        return None

    def add_insecure_port(self, address: str) -> Never:
        """Raises UsageError: what lives in this process has no ports."""
        raise aio.UsageError("A LocalChannel has no ports; use grpc.aio.server for callers of other processes.")

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> Never:
        """Raises UsageError: what lives in this process has no ports."""
        self.add_insecure_port(address)

    async def start(self) -> None:
        """Calls are taken from the beginning; there is nothing to start."""

    async def stop(self, grace: float | None) -> None:
        """Takes no more calls, waits `grace` seconds for those under way, ends the rest, waits for their servicers."""
        self._stopped = True
        await self._settle(grace, STOPPED)
        # Whoever ignores being cancelled is waited for, as by grpc.aio.
        if tasks := [exchange.task for exchange in self._running if exchange.task is not asyncio.current_task()]:
            await asyncio.wait([task for task in tasks if task is not None])
        self._news.ring()

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109  # grpc.aio's signature
        """Waits for `stop`; True when the seconds ran out before."""
        try:
            async with asyncio.timeout(timeout):
                while not self._stopped:
                    await self._news.wait()
        except TimeoutError:
            return True
        return False

    # For the owner.

    async def close(self, grace: float | None = None) -> None:
        """Takes no more calls, waits `grace` seconds for those under way, cancels the rest."""
        self._closed = True
        await self._settle(grace, CANCELLED)
        self._news.ring()

    async def _settle(self, grace: float | None, ending: Ending) -> None:
        if grace and self._running:
            await asyncio.wait([asyncio.ensure_future(exchange.ended()) for exchange in self._running], timeout=grace)
        for exchange in list(self._running):
            exchange.end(ending)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> ChannelConnectivity:
        """READY until it is closed; no connection has to be made."""
        return ChannelConnectivity.SHUTDOWN if self._closed else ChannelConnectivity.READY

    async def wait_for_state_change(self, last_observed_state: ChannelConnectivity) -> None:
        while self.get_state() is last_observed_state:
            await self._news.wait()

    async def channel_ready(self) -> None:
        """At once. Raises UsageError on a closed channel, which will never be ready again."""
        if self._closed:
            raise aio.UsageError("Channel is closed.")


def _through(interceptors: Sequence[aio.ServerInterceptor], find: Find) -> Find:
    """Asks the interceptors in their order, then `find`."""
    for interceptor in reversed(interceptors):
        find = _link(interceptor, find)
    return find


def _link(interceptor: aio.ServerInterceptor, onward: Find) -> Find:
    async def ask(details: grpc.HandlerCallDetails) -> Any:
        return await interceptor.intercept_service(onward, details)

    return ask
