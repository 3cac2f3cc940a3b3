"""What a servicer sees of one call: grpc.aio's `ServicerContext` over an exchange. Made by `serving` for each call."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Never, Self, TypeAlias

import grpc
from grpc import StatusCode, aio

from lodestream.local_channel.exchange import FINE, Ending, Exchange
from lodestream.local_channel.metadata import BadMetadata, as_trailing, sendable
from lodestream.local_channel.pipe import CallOver

# Quoted, here and in "Handler | None", as in runtime grpc these are not generic.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_log = logging.getLogger("lodestream.local_channel")
_BY_NUMBER: Mapping[int, StatusCode] = {code.value[0]: code for code in StatusCode}
_BAD_METADATA = Ending(StatusCode.INTERNAL, "Invalid metadata")


class Context(aio.ServicerContext[Any, Any]):
    """`code`, `details` and trailing metadata go out with the end, unless `abort` sent others before."""

    _decode: Callable[[bytes], Any] | None = None
    _encode: Callable[[Any], bytes] | None = None
    _code: Any = None
    _details = ""
    _trailing: tuple[Any, ...] = ()
    _sent = False
    _aborted: aio.AbortError | None = None
    _callbacks: tuple[Callable[[Any], None], ...] = ()

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    # Messages.

    def use(self, handler: Handler) -> None:
        """The handler's own (de)serialisers, for `read` and `write`; without them messages are bytes."""
        self._decode = handler.request_deserializer
        self._encode = handler.response_serializer

    async def read(self) -> Any:
        self._check()
        frame = await self._exchange.receive()
        if frame is None:
            return aio.EOF
        return frame if self._decode is None else self._decode(frame)

    async def write(self, message: Any) -> None:
        self._check()
        await self._exchange.send(message if self._encode is None else self._encode(message))

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        self._check()
        if self._exchange.initial is not None:
            raise aio.UsageError("Send initial metadata failed: already sent")
        try:
            self._exchange.begin(sendable(initial_metadata))
        except BadMetadata:
            self._exchange.finish(_BAD_METADATA)
            raise

    # The end.

    async def abort(self, code: StatusCode, details: str = "", trailing_metadata: Any = ()) -> Never:
        if self._aborted is not None:
            raise aio.UsageError("Abort already called!")
        if trailing_metadata:
            self._trailing = as_trailing(trailing_metadata)
        self._aborted = aio.AbortError("Locally aborted.")
        self._code, self._details = code, details or self._details
        failure = self._status()
        # The network would leave the caller waiting for the answer that an OK promises.
        self._end(StatusCode.UNKNOWN if failure is StatusCode.OK else failure)
        raise self._aborted

    async def abort_with_status(self, status: grpc.Status) -> Never:
        await self.abort(status.code, status.details, status.trailing_metadata)

    def finish(self) -> None:
        """The servicer has returned."""
        if not self._sent:
            self._end(self._status())

    def fail(self, details: str) -> None:
        """The servicer has raised: the code that it set, or UNKNOWN."""
        if not self._sent:
            code = self._status()
            self._details = details
            self._end(StatusCode.UNKNOWN if code is StatusCode.OK else code)

    def _end(self, code: StatusCode) -> None:
        self._sent = True
        if code is StatusCode.OK and not self._trailing:
            self._exchange.finish(FINE)
            return
        try:
            trailing = sendable(self._trailing)
        except (BadMetadata, TypeError):
            self._exchange.finish(_BAD_METADATA)
        else:
            self._exchange.finish(Ending(code, "" if code is StatusCode.OK else self._details, trailing))

    def is_own(self, error: BaseException) -> bool:
        """Whether this is the error by which `abort` stopped the servicer."""
        return error is self._aborted

    def succeeds(self) -> bool:
        """Whether the call would end well if the servicer returned now."""
        return not self._sent and self._status() is StatusCode.OK

    def over(self) -> None:
        """The servicer has stopped: its done callbacks run, whatever one of them raises."""
        for callback in self._callbacks:
            try:
                callback(self)
            except Exception:
                _log.exception("A done callback of %s raised", self._exchange.method)
        self._callbacks = ()
        self._aborted = None  # its traceback holds this context in a circle

    def _status(self) -> StatusCode:
        code = self._code
        if code is None:
            return StatusCode.OK
        return code if isinstance(code, StatusCode) else _BY_NUMBER.get(code, StatusCode.UNKNOWN)

    def _check(self) -> None:
        if self._aborted is not None:
            raise self._aborted
        if self._exchange.ending is not None:
            raise CallOver("The call is over.")

    # What the servicer sets and asks.

    def set_code(self, code: Any) -> None:
        self._code = code

    def set_details(self, details: str) -> None:
        self._details = details

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._trailing = as_trailing(trailing_metadata)

    def code(self) -> Any:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._trailing

    def invocation_metadata(self) -> Any:
        return self._exchange.metadata

    def time_remaining(self) -> Any:
        """Seconds, never negative; None without a deadline."""
        deadline = self._exchange.deadline
        return None if deadline is None else max(0.0, deadline - asyncio.get_running_loop().time())

    def done(self) -> bool:
        return self._sent

    def cancelled(self) -> bool:
        return self._status() is StatusCode.CANCELLED

    def add_done_callback(self, callback: Any) -> None:
        self._callbacks += (callback,)

    def peer(self) -> str:
        return "local:"

    def peer_identities(self) -> Iterable[bytes] | None:
        return None

    def peer_identity_key(self) -> str | None:
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return {"transport_security_type": [b"local"]}

    def set_compression(self, compression: grpc.Compression) -> None:
        """Nothing is compressed within a process."""

    def disable_next_message_compression(self) -> None:
        """Nothing is compressed within a process."""


class Requests:
    """A client stream as the servicer iterates over it; a second round finds it empty, as over the network."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        message = await self._context.read()
        if message is aio.EOF:
            raise StopAsyncIteration
        return message
