"""A door to a server: how a contract test calls, whichever transport carries it.

Tests speak in messages of the contract and catch `lodestream.errors`; a door knows the rest. `method` is
"JobService/GetJob".
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message
from lodestream_server.grpc_door.methods import METHODS, Method

from lodestream import rich_status


class Door(Protocol):
    """What every transport can do."""

    name: str

    def with_token(self, token: str | None) -> "Door":
        """The same door for another caller; None sends no key."""

    async def call(self, method: str, request: Message) -> Any:
        """The answer of a unary method. Raises what the server raised."""

    def watch(self, method: str, request: Message) -> AsyncIterator[Any]:
        """The messages of a server stream. Raises what the server raised."""

    async def send(self, method: str, requests: Iterable[Message]) -> Any:
        """The answer to a client stream. Raises what the server raised."""


class GrpcDoor:
    """gRPC, over the network or within the process."""

    name = "grpc"

    def __init__(self, channel: grpc.aio.Channel, token: str | None) -> None:
        self._channel = channel
        self._token = token

    def with_token(self, token: str | None) -> "GrpcDoor":
        return GrpcDoor(self._channel, token)

    async def call(self, method: str, request: Message) -> Any:
        try:
            return await self._begin(self._channel.unary_unary, method, request)
        except grpc.aio.AioRpcError as status:
            raise _told(status) from status

    async def watch(self, method: str, request: Message) -> AsyncIterator[Any]:
        stream = self._begin(self._channel.unary_stream, method, request)
        try:
            async for message in stream:
                yield message
        except grpc.aio.AioRpcError as status:
            raise _told(status) from status
        finally:
            stream.cancel()

    async def send(self, method: str, requests: Iterable[Message]) -> Any:
        try:
            return await self._begin(self._channel.stream_unary, method, iter(requests))
        except grpc.aio.AioRpcError as status:
            raise _told(status) from status

    def _begin(self, kind: Any, method: str, request: Any) -> Any:
        known = method_of(method)
        call = kind(
            f"/{known.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer_type(known).FromString,
        )
        metadata = (("authorization", f"Bearer {self._token}"),) if self._token else ()
        return call(request, metadata=metadata, timeout=60)


def method_of(name: str) -> Method:
    """The method by its short name."""
    return METHODS[f"lodestream.v1.{name}"]


def answer_type(method: Method) -> Any:
    """The message class of a method's answers."""
    return type_of(method.descriptor.output_type)


def type_of(descriptor: Any) -> Any:
    """The class of a message type."""
    from google.protobuf.message_factory import GetMessageClass

    return GetMessageClass(descriptor)


def _told(status: grpc.aio.AioRpcError) -> Exception:
    error = rich_status.from_call(status)
    assert error is not None, f"a status without details of ours: {status.code()} {status.details()}"
    assert rich_status.code_of(error) is status.code(), "the code has to be the reason's"
    return error
