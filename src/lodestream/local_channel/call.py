"""What a client can do with a call: ask how it stands, cancel it, await its answer, read its answers.

`requests.py` adds the writing, `methods.py` puts the four kinds together. Whoever awaits, reads or writes and is
cancelled in that cancels the call, as over the network.
"""

import asyncio
import logging
import weakref
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Final

from grpc import StatusCode, aio

from lodestream.local_channel.exchange import CANCELLED, DROPPED, Exchange

_log = logging.getLogger("lodestream.local_channel")

MIXED: Final = "The iterator and read/write APIs may not be mixed on a single RPC."


class LocalCall(aio.Call):
    """What all four kinds share: status, metadata, cancellation."""

    _callbacks: tuple[Callable[[Any], None], ...] = ()

    def __init__(self, exchange: Exchange, decode: Callable[[bytes], Any] | None) -> None:
        self._exchange = exchange
        self._decode = decode

    def __repr__(self) -> str:
        ending = self._exchange.ending
        state = "under way" if ending is None else f"{ending.code.name} {ending.details!r}"
        return f"<{type(self).__name__} {self._exchange.method} {state}>"

    def cancel(self) -> bool:
        return self._exchange.end(CANCELLED)

    def cancelled(self) -> bool:
        ending = self._exchange.ending
        return ending is not None and ending.code is StatusCode.CANCELLED

    def done(self) -> bool:
        return self._exchange.ending is not None

    def time_remaining(self) -> float | None:
        deadline = self._exchange.deadline
        return None if deadline is None else max(0.0, deadline - asyncio.get_running_loop().time())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Called with this call when it ends; at once if it has. What it raises is logged."""
        self._callbacks += (callback,)
        if self.done():
            self._tell()
        else:
            self._exchange.when_ended = self._teller()

    async def initial_metadata(self) -> aio.Metadata:
        exchange = self._exchange
        while exchange.initial is None:
            await exchange.news.wait()
        return aio.Metadata(*exchange.initial)

    async def trailing_metadata(self) -> aio.Metadata:
        return aio.Metadata(*(await self._exchange.ended()).trailing)

    async def code(self) -> StatusCode:
        return (await self._exchange.ended()).code

    async def details(self) -> str:
        return (await self._exchange.ended()).details

    async def debug_error_string(self) -> str:
        ending = await self._exchange.ended()
        return "" if ending.code is StatusCode.OK else f"local:{self._exchange.method}"

    async def wait_for_connection(self) -> None:
        """Until the servicer has begun to answer. Raises what the call ended with, if it did not end well."""
        await self.initial_metadata()
        self._raise_for_status()

    def _raise_for_status(self) -> None:
        ending = self._exchange.ending
        if ending is None or ending.code is StatusCode.OK:
            return
        if ending.local:
            raise asyncio.CancelledError from self._exchange.cause
        raise aio.AioRpcError(
            ending.code,
            aio.Metadata(*self._exchange.initial or ()),
            aio.Metadata(*ending.trailing),
            details=ending.details,
            debug_error_string=f"local:{self._exchange.method}",
        )

    def _teller(self) -> Callable[[], None]:
        return self._tell

    def _tell(self) -> None:
        callbacks, self._callbacks = self._callbacks, ()
        for callback in callbacks:
            try:
                callback(self)
            except Exception:
                _log.exception("A done callback of %r raised", self)


class Watched(LocalCall):
    """A call that nobody can do anything with once the caller has dropped it: it is then cancelled."""

    def __del__(self) -> None:
        exchange = getattr(self, "_exchange", None)  # None when the constructor itself failed
        if exchange is None or exchange.ending is not None or exchange.loop.is_closed():
            return
        if asyncio._get_running_loop() is exchange.loop:
            self._drop()
        else:  # the garbage collector runs in whatever thread comes along
            exchange.loop.call_soon_threadsafe(self._drop)

    def _drop(self) -> None:
        if self._exchange.end(DROPPED):
            self._tell()

    def _teller(self) -> Callable[[], None]:
        mine = weakref.WeakMethod(self._tell)

        def tell() -> None:
            if (alive := mine()) is not None:
                alive()

        return tell


class OneAnswer(LocalCall):
    """Awaiting it gives the answer, as often as one likes."""

    def __await__(self) -> Generator[Any, None, Any]:
        exchange = self._exchange
        try:
            while exchange.ending is None:
                yield from exchange.news.wait().__await__()
        except asyncio.CancelledError:
            self.cancel()
            raise
        self._raise_for_status()
        return exchange.answer if self._decode is None else self._decode(exchange.answer or b"")


class ManyAnswers(Watched):
    """Iterated over, or read one by one; not both."""

    _iterated: bool | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        self._choose(iterated=True)
        return self

    async def __anext__(self) -> Any:
        message = await self._next()
        if message is aio.EOF:
            raise StopAsyncIteration
        return message

    async def read(self) -> Any:
        """The next answer, or `grpc.aio.EOF` after the last. Raises what the call ended with, if not well."""
        if not self.done():
            self._choose(iterated=False)
        return await self._next()

    async def _next(self) -> Any:
        if self._exchange.ending is None:
            try:
                frame = await self._exchange.take()
            except asyncio.CancelledError:
                self.cancel()
                raise
            if frame is not None:
                return frame if self._decode is None else self._decode(frame)
        self._raise_for_status()
        return aio.EOF

    def _choose(self, *, iterated: bool) -> None:
        if self._iterated is None:
            self._iterated = iterated
        elif self._iterated is not iterated:
            raise aio.UsageError(MIXED)
