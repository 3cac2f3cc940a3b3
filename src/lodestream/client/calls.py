"""One unary call: deadline, another try when that is safe, and errors as the classes that the server raised.

Called by every part of the client. A call is sent again only after UNAVAILABLE and only when sending it twice has the
effect of sending it once: reads, and submissions, which carry a request id.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar, cast
from weakref import WeakSet

from grpc import StatusCode
from grpc.aio import AioRpcError, Channel

from lodestream.client import failures
from lodestream.client.channel import SignedChannel
from lodestream.client.settings import Settings
from lodestream.errors import LodestreamError

RequestT = TypeVar("RequestT", contravariant=True)
ResponseT = TypeVar("ResponseT", covariant=True)
StubT = TypeVar("StubT")

#: Waits before the further tries of a unary call, each with full jitter: at most 1.3 s in all,
#: long enough for a connection that broke, short enough for a person who waits for the answer that nobody is there.
RETRY_DELAYS_S: Final = (0.1, 0.3, 0.9)


class Unary(Protocol[RequestT, ResponseT]):
    """A unary method of a stub."""

    def __call__(self, request: RequestT, /, *, timeout: float | None = None) -> Awaitable[ResponseT]:
        """Starts the call."""


@dataclass(slots=True)
class Caller:
    """A channel with the settings it was opened for; makes stubs and calls."""

    channel: Channel
    settings: Settings
    deadline_s: float = 30.0
    retries: tuple[float, ...] = RETRY_DELAYS_S
    #: Streams that may be open, so that closing the client ends them.
    watches: WeakSet[Any] = field(default_factory=WeakSet)
    _stubs: dict[Any, Any] = field(default_factory=dict)

    def stub(self, stub_class: Callable[[Channel], StubT]) -> StubT:
        """The stub of a service, made once; its calls carry the API key."""
        if stub_class not in self._stubs:
            signed = SignedChannel(self.channel, self.settings.token, self.deadline_s)
            self._stubs[stub_class] = stub_class(cast(Channel, signed))
        return cast(StubT, self._stubs[stub_class])

    async def call(
        self,
        method: Unary[RequestT, ResponseT],
        request: RequestT,
        *,
        repeatable: bool = True,
        deadline_s: float | None = None,
    ) -> ResponseT:
        """The answer. `deadline_s` covers all tries. Raises what `failures.error_of` makes of a status."""
        ends = time.monotonic() + (deadline_s or self.deadline_s)
        for delay_s in (*(self.retries if repeatable else ()), None):
            left_s = max(ends - time.monotonic(), 0.001)
            try:
                return await method(request, timeout=left_s)
            except AioRpcError as status:
                error = self.error_of(status)
                if delay_s is None or status.code() is not StatusCode.UNAVAILABLE:
                    raise error from None
                wait_s = error.retry_after_s or random.uniform(delay_s / 2, delay_s)
                if time.monotonic() + wait_s > ends:
                    raise error from None
            await asyncio.sleep(wait_s)
        raise AssertionError("the last try either returns or raises")

    def error_of(self, status: AioRpcError) -> LodestreamError:
        """The exception of a status, with the target where nobody answered."""
        return failures.error_of(status, self.settings)
