"""The documented default of every field that was left out, applied alike on both doors and compiled once per message
type.

A default is written in the .proto as JSON text (`"20"`, `"\"summary\""`, `"{}"`); for words and texts the quotes may be
missing.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from lodestream.wire import fields
from lodestream.wire.compiled import Compiled
from lodestream.wire.decode import field_filler
from lodestream.wire.problems import ContractFault, Refused

M = TypeVar("M", bound=Message)


def with_defaults(message: M) -> M:
    """The same message, with every unset field that has a default set to it, also inside the messages that are set.

    Changes the message in place and returns it. An enum at its value 0 and an empty list count as unset.
    """
    _appliers(fields.descriptor_of(message))(message)
    return message


def default_of(field: FieldDescriptor) -> Any:
    """The default of a field as a JSON value; None when it has none. Raises ContractFault when the field cannot hold
    it."""
    rule = fields.rule(field)
    if not rule.HasField("default"):
        return None
    bare = not field.is_repeated and (field.enum_type or field.cpp_type == FieldDescriptor.CPPTYPE_STRING)
    if bare and not rule.default.startswith('"'):
        return rule.default
    try:
        return orjson.loads(rule.default)
    except orjson.JSONDecodeError:
        raise ContractFault(f"{field.full_name}: the default {rule.default!r} is not JSON") from None


def _compile(descriptor: Descriptor) -> Callable[[Any], None]:
    settings = [_setting(field) for field in descriptor.fields if default_of(field) is not None]
    inner = {
        field: _appliers(field.message_type)
        for field in descriptor.fields
        if field.message_type and not fields.is_map(field) and _holds_defaults(field.message_type, set())
    }

    def apply(message: Any) -> None:
        for setting in settings:
            setting(message)
        for field, value in message.ListFields() if inner else ():
            if field in inner:
                for item in value if field.is_repeated else (value,):
                    inner[field](item)

    return apply


_appliers: Compiled[Descriptor, Callable[[Any], None]] = Compiled(_compile)


def _setting(field: FieldDescriptor) -> Callable[[Any], None]:
    name, value, fill = field.name, default_of(field), field_filler(field)
    try:
        fill(value, fields.fresh(field.containing_type))  # type: ignore[arg-type]  # no extension has a rule
    except Refused as refused:
        raise ContractFault(f"{field.full_name}: the default does not fit: {refused}") from None
    # An enum's value 0 says "not said", over gRPC as by its absence; other scalars tell 0 from unset.
    by_content = bool(field.is_repeated or field.enum_type)

    def apply(message: Any) -> None:
        if not (getattr(message, name) if by_content else message.HasField(name)):
            fill(value, message)

    return apply


def _holds_defaults(descriptor: Descriptor, seen: set[Descriptor]) -> bool:
    """True when a message type, or one that it may contain, has a default."""
    if descriptor in seen:
        return False
    seen.add(descriptor)
    return any(
        fields.rule(field).HasField("default") or bool(field.message_type and _holds_defaults(field.message_type, seen))
        for field in descriptor.fields
    )
