"""What the compilers of this package ask of a field: its rule, its kind, its oneof. Nothing is decided here twice."""

from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from lodestream.v1 import rest_pb2

TIMESTAMP = "google.protobuf.Timestamp"
DURATION = "google.protobuf.Duration"
MONEY = "google.type.Money"
RANGE = "lodestream.v1.DurationRange"

INTEGERS: dict[int, tuple[int, int]] = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
DECIMALS = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)


def descriptor_of(message: Message | type[Message]) -> Descriptor:
    """The descriptor of a message or message type (the type stubs know two names for the one class)."""
    return cast(Descriptor, message.DESCRIPTOR)


def rule(field: FieldDescriptor) -> rest_pb2.RestRule:
    """The REST rule of a field; all of it unset where the .proto says nothing."""
    return field.GetOptions().Extensions[rest_pb2.rest]


def ordered(descriptor: Descriptor) -> list[FieldDescriptor]:
    """The fields in the order of their numbers, which is the documented order of the keys."""
    return sorted(descriptor.fields, key=lambda field: field.number)


def kind(field: FieldDescriptor) -> str:
    """Full name of a field's message type; "" for scalars and enums."""
    return str(field.message_type.full_name) if field.message_type else ""


def is_map(field: FieldDescriptor) -> bool:
    """True for `map<…>` fields."""
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def choice(field: FieldDescriptor) -> str:
    """Name of the oneof that a field belongs to; "" outside of one (the hidden oneof behind `optional` is none)."""
    oneof = field.containing_oneof
    return "" if oneof is None or oneof.name == f"_{field.name}" else str(oneof.name)


def map_value(field: FieldDescriptor) -> FieldDescriptor:
    """The field of a map's entries that holds the value."""
    assert field.message_type is not None  # entries of a map are messages
    return field.message_type.fields_by_name["value"]


def fresh(descriptor: Descriptor) -> Message:
    """An empty message of a type."""
    return GetMessageClass(descriptor)()
