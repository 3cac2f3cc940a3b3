"""The methods of the contract, found in the generated stubs, for tests that hold for every one of them."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

import lodestream.v1
from lodestream.v1 import rest_pb2


@cache
def methods() -> list[MethodDescriptor]:
    """Every method of every service in lodestream.v1."""
    modules = [m.name for m in pkgutil.iter_modules(lodestream.v1.__path__) if m.name.endswith("_pb2")]
    files = [importlib.import_module(f"lodestream.v1.{name}").DESCRIPTOR for name in modules]
    return [method for file in files for service in file.services_by_name.values() for method in service.methods]


def message_type(example: str) -> Any:
    """The message of a documented payload: "get-job.response" is the answer of the method documented as get-job."""
    operation, kind = example.split(".")
    for method in methods():
        if method.GetOptions().Extensions[rest_pb2.documented_as] == operation:
            return GetMessageClass(method.output_type if kind == "response" else method.input_type)
    raise LookupError(f"no method is documented as {operation}")


@cache
def rest_types() -> list[Any]:
    """The request and answer types of every method that has a REST path, each once."""
    found = {
        descriptor: None
        for method in methods()
        if method.GetOptions().HasExtension(annotations_pb2.http)
        for descriptor in (method.input_type, method.output_type)
    }
    return [GetMessageClass(descriptor) for descriptor in found]


def all_types() -> list[Any]:
    """The request and answer types of every method."""
    return [GetMessageClass(d) for d in dict.fromkeys(d for m in methods() for d in (m.input_type, m.output_type))]


def walk(descriptor: Descriptor, seen: set[Descriptor] | None = None) -> Iterator[Descriptor]:
    """A message type and every message type that it can hold."""
    seen = set() if seen is None else seen
    if descriptor not in seen:
        seen.add(descriptor)
        yield descriptor
        for field in descriptor.fields:
            if field.message_type:
                yield from walk(field.message_type, seen)
