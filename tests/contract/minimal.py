"""The least request that a method takes, made from its descriptor: whoever adds an RPC gets a row in every matrix."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from lodestream_server.grpc_door.methods import Method

from lodestream.v1 import rest_pb2
from tests.contract.doors import type_of

_INSIDE = ("request", "header")


def request_for(method: Method, tenant_id: str, project_id: str) -> Any:
    """A request that passes validation and names this project wherever one is named."""
    request = type_of(method.descriptor.input_type)()
    _fill(request, {"tenant_id": tenant_id, "project_id": project_id})
    return request


def _fill(message: Message, known: dict[str, str]) -> None:
    for field in message.DESCRIPTOR.fields:
        rule = field.GetOptions().Extensions[rest_pb2.rest]
        if field.name in _INSIDE and field.message_type:
            getattr(message, field.name).SetInParent()
            _fill(getattr(message, field.name), known)
        elif rule.required:
            _set(message, field, rule, known)


def _set(message: Message, field: Any, rule: Any, known: dict[str, str]) -> None:
    if field.is_repeated:
        made = getattr(message, field.name)
        if field.message_type:
            _fill(made.add(), known)
        else:
            made.append(1 if field.enum_type else "x")
    elif field.message_type:
        getattr(message, field.name).SetInParent()
        _fill(getattr(message, field.name), known)
    elif field.enum_type or field.cpp_type != FieldDescriptor.CPPTYPE_STRING:
        setattr(message, field.name, 1)
    else:
        setattr(message, field.name, known.get(field.name) or ("https://example.org/" if rule.url else "x"))
