"""What a client can do with a call whose requests are a stream: feed it by an iterator, or write them one by one."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Self

from grpc import aio

from lodestream.local_channel.call import MIXED, LocalCall
from lodestream.local_channel.exchange import CANCELLED, Exchange
from lodestream.local_channel.pipe import CallOver

_log = logging.getLogger("lodestream.local_channel")

_FINISHED: Final = "RPC already finished."
_HALF_CLOSED: Final = 'RPC is half closed after calling "done_writing".'


class ManyRequests(LocalCall):
    """Fed by an iterator (`pumped`), or written one by one."""

    _encode: Callable[[Any], bytes] | None
    _max_request_bytes: int
    _pumped: bool
    _half_closed = False

    def feed(self, requests: Any, encode: Callable[[Any], bytes] | None, max_request_bytes: int) -> Self:
        """Takes the requests from this iterator, async or not; None: from `write`."""
        self._encode, self._max_request_bytes, self._pumped = encode, max_request_bytes, requests is not None
        exchange = self._exchange
        if self._pumped and exchange.ending is None:
            pump = _pump(exchange, requests, encode, max_request_bytes)
            exchange.pump = asyncio.get_running_loop().create_task(pump)
        return self

    async def write(self, request: Any) -> None:
        """Waits until the servicer is near. Raises what the call ended with, InvalidStateError if that was well."""
        self._refuse_if_pumped()
        if self.done():
            raise asyncio.InvalidStateError(_FINISHED)
        if self._half_closed:
            raise asyncio.InvalidStateError(_HALF_CLOSED)
        frame = request if self._encode is None else self._encode(request)
        try:
            await self._exchange.offer(frame, self._max_request_bytes)
        except asyncio.CancelledError:
            self.cancel()
            raise
        except CallOver:
            self._raise_for_status()
            raise asyncio.InvalidStateError(_FINISHED) from None

    async def done_writing(self) -> None:
        """The last request was written; calling it again does nothing."""
        self._refuse_if_pumped()
        self._half_closed = True
        if self._exchange.requests is not None and not self.done():
            self._exchange.requests.close()

    async def wait_for_connection(self) -> None:
        self._raise_for_status()

    def _refuse_if_pumped(self) -> None:
        if self._pumped:
            raise aio.UsageError(MIXED)


async def _pump(
    exchange: Exchange, requests: Any, encode: Callable[[Any], bytes] | None, max_request_bytes: int
) -> None:
    """Feeds the client's iterator in; holds the exchange, not the call, which may be dropped meanwhile."""
    try:
        if hasattr(requests, "__aiter__"):
            async for request in requests:
                await exchange.offer(request if encode is None else encode(request), max_request_bytes)
        else:
            for request in requests:
                await exchange.offer(request if encode is None else encode(request), max_request_bytes)
        if exchange.requests is not None:
            exchange.requests.close()
    except CallOver:
        _log.debug("%s ended before its requests did", exchange.method)
    except asyncio.CancelledError:
        if exchange.requests is None or exchange.requests.closed:
            return  # the end of the call stopped it; the error would hold the exchange in a circle
        exchange.end(CANCELLED)
        raise
    except Exception as error:
        _log.debug("The request iterator of %s raised", exchange.method, exc_info=True)
        exchange.cause = error
        exchange.end(CANCELLED)
    finally:
        exchange.pump = None
        if hasattr(requests, "aclose"):
            await requests.aclose()
