"""Python arguments -> fields of requests: words of enums, instants, durations, free-form parameters.

Called by the clients. What cannot be sent raises InvalidField here, in the words that the server would use.
"""

import math
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from lodestream.errors import InvalidField, Violation
from lodestream.wire import Refused, from_json, numbers
from lodestream.wire.problems import clip
from lodestream.wire.words import unknown_word

M = TypeVar("M", bound=Message)


def number_of(enum: EnumDescriptor, value: str | int | None, field: str) -> int:
    """The number of a documented word ("Completed", "High", in any of our languages and cases) or of a number; 0 for
    None."""
    if value is None or isinstance(value, int):
        return value or 0
    folded = {word.lower(): number for word, number in numbers(enum).items()}
    if value.lower() in folded:
        return folded[value.lower()]
    raise _invalid(field, unknown_word(enum, clip(value)))


def type_named(enum: EnumDescriptor, value: str | int, field: str) -> dict[str, Any]:
    """The fields of a request that say what to do: a documented type, or else the name of an own workload."""
    known = isinstance(value, int) or value.lower() in {word.lower() for word in numbers(enum)}
    if known or not isinstance(value, str):
        return {field: number_of(enum, value, field)}
    return {field: number_of(enum, "Custom", field), "custom_type": value}


def struct(values: Mapping[str, Any] | None, field: str = "parameters") -> Struct:
    """A free-form object. Whole numbers beyond 2^53, NaN and what JSON does not have are refused by name."""
    try:
        return from_json(dict(values or {}), Struct)
    except Refused as refused:
        raise _invalid(field, refused) from None


def message(document: Mapping[str, Any], message_type: type[M]) -> M:
    """A request from its documented JSON. What it does not know or cannot take is refused by name."""
    try:
        return from_json(dict(document), message_type)
    except Refused as refused:
        raise _invalid("", refused) from None


def _invalid(field: str, refused: Refused) -> InvalidField:
    return InvalidField.of(
        *(
            Violation(
                (field + problem.pointer.replace("/", ".")).lstrip("."),
                ": ".join(filter(None, (problem.reason, problem.fix))),
            )
            for problem in refused.problems
        )
    )


def timestamp(instant: datetime | None) -> Timestamp | None:
    """The instant; a naive one is UTC."""
    if instant is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC))
    return stamp


def duration(span: timedelta | None) -> Duration | None:
    """The duration."""
    if span is None:
        return None
    result = Duration()
    result.FromTimedelta(span)
    return result


def minutes(span: timedelta | None) -> int | None:
    """Whole minutes, rounded up, at least one: that is how jobs state their time limit."""
    return None if span is None else max(1, math.ceil(span.total_seconds() / 60))


def new_request_id() -> str:
    """An id that makes sending a submission twice the same as sending it once."""
    return str(uuid.uuid4())


def given(**fields: Any) -> dict[str, Any]:
    """The fields that are not None, 0, "" or empty: what a proto3 request leaves out when nothing was asked."""
    return {name: value for name, value in fields.items() if value not in (None, 0, "", (), [])}
