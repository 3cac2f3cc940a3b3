"""The four kinds of calls, and what a stub holds for each of its methods: calling it opens one. Made by the channel."""

from collections.abc import Callable
from typing import Any, Protocol

import grpc
from grpc import aio

from lodestream.local_channel.call import ManyAnswers, OneAnswer, Watched
from lodestream.local_channel.exchange import Exchange
from lodestream.local_channel.requests import ManyRequests

_NO_CREDENTIALS = "Call credentials are only valid on secure channels"


class LocalUnaryUnaryCall(OneAnswer, aio.UnaryUnaryCall[Any, Any]):
    """One request, one answer. Runs to its end even if the caller drops it."""

    async def wait_for_connection(self) -> None:
        await self


class LocalUnaryStreamCall(ManyAnswers, aio.UnaryStreamCall[Any, Any]):
    """One request, a stream of answers."""


class LocalStreamUnaryCall(ManyRequests, OneAnswer, Watched, aio.StreamUnaryCall[Any, Any]):
    """A stream of requests, one answer. Fed by an iterator it runs to its end even if the caller drops it."""

    def __del__(self) -> None:
        if not getattr(self, "_pumped", True):
            super().__del__()


class LocalStreamStreamCall(ManyRequests, ManyAnswers, aio.StreamStreamCall[Any, Any]):
    """Streams both ways."""


class Opens(Protocol):
    """The part of the channel that methods need."""

    max_request_bytes: int

    def open(
        self, method: str, request: bytes | None, streams_answers: bool, timeout: float | None, metadata: Any
    ) -> Exchange:
        """A call under way; `request` is None where requests are a stream."""


class _Method:
    def __init__(
        self,
        channel: Opens,
        method: str,
        encode: Callable[[Any], bytes] | None,
        decode: Callable[[bytes], Any] | None,
    ) -> None:
        self._channel = channel
        self._method = method
        self._encode = encode
        self._decode = decode

    def _one(self, request: Any, streams: bool, timeout: float | None, metadata: Any, credentials: Any) -> Exchange:
        if credentials is not None:
            raise aio.UsageError(_NO_CREDENTIALS)
        frame = request if self._encode is None else self._encode(request)
        return self._channel.open(self._method, frame, streams, timeout, metadata)

    def _many(self, streams: bool, timeout: float | None, metadata: Any, credentials: Any) -> Exchange:
        if credentials is not None:
            raise aio.UsageError(_NO_CREDENTIALS)
        return self._channel.open(self._method, None, streams, timeout, metadata)


class UnaryUnary(_Method, aio.UnaryUnaryMultiCallable[Any, Any]):
    """One request, one answer."""

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> LocalUnaryUnaryCall:
        return LocalUnaryUnaryCall(self._one(request, False, timeout, metadata, credentials), self._decode)


class UnaryStream(_Method, aio.UnaryStreamMultiCallable[Any, Any]):
    """One request, a stream of answers."""

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> LocalUnaryStreamCall:
        return LocalUnaryStreamCall(self._one(request, True, timeout, metadata, credentials), self._decode)


class StreamUnary(_Method, aio.StreamUnaryMultiCallable[Any, Any]):
    """A stream of requests, one answer."""

    def __call__(
        self,
        request_iterator: Any = None,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> LocalStreamUnaryCall:
        call = LocalStreamUnaryCall(self._many(False, timeout, metadata, credentials), self._decode)
        return call.feed(request_iterator, self._encode, self._channel.max_request_bytes)


class StreamStream(_Method, aio.StreamStreamMultiCallable[Any, Any]):
    """Streams both ways."""

    def __call__(
        self,
        request_iterator: Any = None,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> LocalStreamStreamCall:
        call = LocalStreamStreamCall(self._many(True, timeout, metadata, credentials), self._decode)
        return call.feed(request_iterator, self._encode, self._channel.max_request_bytes)
