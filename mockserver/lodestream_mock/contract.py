"""The contract's methods, found in its descriptors: nothing here names one."""

import importlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from lodestream import documented
from lodestream.v1 import rest_pb2

#: Every file of the contract that declares a service.
_FILES = (
    "operation",
    "batch",
    "job",
    "queue",
    "system",
    "tracking",
    "webhook",
    "dataset",
    "artifact",
    "resource",
    "key",
)


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC. `path` is what gRPC calls it; `example` the documented answer, "" when no page shows one."""

    name: str
    service: str
    descriptor: MethodDescriptor
    request: Any
    response: Any
    uploads: bool
    streams: bool
    example: str

    @property
    def path(self) -> str:
        """ "/lodestream.v1.JobService/GetJob"."""
        return f"/{self.service}/{self.name}"


@cache
def methods() -> dict[str, Method]:
    """Every RPC of the contract by its name; names are unique over all services."""
    names = set(documented.names())
    found: dict[str, Method] = {}
    for file in _FILES:
        module = importlib.import_module(f"lodestream.v1.{file}_pb2")
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                operation = method.GetOptions().Extensions[rest_pb2.documented_as]
                example = f"{operation}.response"
                found[method.name] = Method(
                    name=method.name,
                    service=service.full_name,
                    descriptor=method,
                    request=GetMessageClass(method.input_type),
                    response=GetMessageClass(method.output_type),
                    uploads=method.client_streaming,
                    streams=method.server_streaming,
                    example=example if example in names else "",
                )
    return found
