"""The methods of the contract as calls on a channel, by name: what the resolver maps an operationId to.

Made from the descriptors, so an RPC that the protos gain needs no line here.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import aio

import lodestream.v1
from lodestream.v1 import rest_pb2


@dataclass(frozen=True)
class Rpc:
    """One method on one channel. `call` is grpc.aio's multi-callable of the method's kind; `live` the stream that keeps
    a unary method's answer up to date."""

    name: str
    call: Any
    request: type[Message]
    response: type[Message]
    live: "Rpc | None" = None

    @cached_property
    def has_request_id(self) -> bool:
        """Whether the request can carry an idempotency key."""
        return "request_id" in self.request.DESCRIPTOR.fields_by_name


def rpcs(channel: aio.Channel) -> Mapping[str, Rpc]:
    """Name -> method, for every method of every service in lodestream.v1."""
    plain = {method.name: (method, _rpc(channel, method)) for method in _methods()}
    live = {_live_of(method): rpc for method, rpc in plain.values() if _live_of(method)}
    return {
        name: Rpc(rpc.name, rpc.call, rpc.request, rpc.response, live.get(name)) for name, (_, rpc) in plain.items()
    }


def _methods() -> Iterator[MethodDescriptor]:
    for module in pkgutil.iter_modules(lodestream.v1.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"lodestream.v1.{module.name}").DESCRIPTOR
            for service in file.services_by_name.values():
                yield from service.methods


def _rpc(channel: aio.Channel, method: MethodDescriptor) -> Rpc:
    request: Any = GetMessageClass(method.input_type)
    response: Any = GetMessageClass(method.output_type)
    kinds = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    call: Any = kinds[method.client_streaming, method.server_streaming](
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    return Rpc(method.name, call, request, response)


def _live_of(method: MethodDescriptor) -> str:
    return str(method.GetOptions().Extensions[rest_pb2.live_of])
