"""What the contract says about each method, read once from its descriptors: role, where the project stands in the
request, which kind of call it is.

The guard asks it for every call; the tests walk it, so that a new RPC cannot be forgotten.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, cast

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message

from lodestream.errors import InvalidField, Violation
from lodestream.v1 import (
    artifact_pb2,
    batch_pb2,
    dataset_pb2,
    job_pb2,
    key_pb2,
    operation_pb2,
    queue_pb2,
    resource_pb2,
    rest_pb2,
    system_pb2,
    tracking_pb2,
    webhook_pb2,
)
from lodestream_server.store.keys import Role
from lodestream_server.store.reading import Scope

_FILES: Final = (
    operation_pb2,
    job_pb2,
    tracking_pb2,
    batch_pb2,
    queue_pb2,
    system_pb2,
    dataset_pb2,
    artifact_pb2,
    webhook_pb2,
    resource_pb2,
    key_pb2,
)
#: Messages that hold the project one level down: Watch requests wrap the Get request, uploads begin with a header.
_INSIDE: Final = ("request", "header")


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC. `name` is "lodestream.v1.JobService/GetJob"; `scope_of` finds the project in a request."""

    name: str
    descriptor: MethodDescriptor
    role: Role
    scope_of: Callable[[Any], Scope]

    @property
    def client_streams(self) -> bool:
        """Whether requests come as a stream."""
        return bool(self.descriptor.client_streaming)

    @property
    def server_streams(self) -> bool:
        """Whether answers go as a stream."""
        return bool(self.descriptor.server_streaming)


def _method(descriptor: MethodDescriptor) -> Method:
    service = descriptor.containing_service.full_name
    role = descriptor.GetOptions().Extensions[rest_pb2.role] or "read"
    return Method(f"{service}/{descriptor.name}", descriptor, cast(Role, role), _finder(descriptor.input_type))


def _finder(request: Descriptor) -> Callable[[Any], Scope]:
    """How to find the project. Fields that are no `required` part of the request do not scope it (CreateKey)."""
    if _scoped(request):
        return _scope
    inside = next((name for name in _INSIDE if name in request.fields_by_name), None)
    if inside is None:
        return lambda _: Scope("", "")

    def inner(message: Any) -> Scope:
        if not message.HasField(inside):
            raise InvalidField.of(Violation(inside, "is required: it says which tenant and project"))
        return _scope(getattr(message, inside))

    return inner


def _scoped(request: Descriptor) -> bool:
    field = request.fields_by_name.get("tenant_id")
    return field is not None and bool(field.GetOptions().Extensions[rest_pb2.rest].required)


def _scope(message: Message) -> Scope:
    found = cast(Any, message)
    # GUIDs are equal whatever their case; what is stored and compared is lower case.
    return Scope(found.tenant_id.lower(), getattr(found, "project_id", "").lower())


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        method.name: method
        for file in _FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in map(_method, service.methods)
    }
)
SERVICES: Final[tuple[str, ...]] = tuple(dict.fromkeys(name.partition("/")[0] for name in METHODS))
