"""What one value has to keep, by its type and by its field's rule: the leaves of `check`.

Every function here gives a checker: value -> its problems, with pointers relative to the value. Only numbers and
lengths are repeated in a reason, never a text.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from lodestream.wire import durations, fields, freeform, instants
from lodestream.wire.amounts import plain
from lodestream.wire.problems import Problem, Refused
from lodestream.wire.styles import ends, nanos
from lodestream.wire.words import unknown_word, words

# One set value (for lists: one element) -> its problems, pointers relative to it.
Checker: TypeAlias = Callable[[Any], Iterator[Problem]]

_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def of_type(field: FieldDescriptor) -> Checker | None:
    """The checks that follow from the type and form of one value; None when its parts, if any, are all there is."""
    if field.message_type:
        return _MESSAGES.get(fields.kind(field))
    if field.enum_type:
        return _known_word(field.enum_type)
    if field.cpp_type in fields.DECIMALS:
        return _finite
    rule = fields.rule(field)
    return _guid if rule.guid else _url if rule.url else None


def of_size(field: FieldDescriptor) -> Checker | None:
    """The checks of `min` and `max` on a field's whole value: entries of lists and maps, else amount or length."""
    rule = fields.rule(field)
    bounds = (rule.min if rule.HasField("min") else -math.inf, rule.max if rule.HasField("max") else math.inf)
    if bounds == (-math.inf, math.inf):
        return None
    return _length(bounds, "entries") if field.is_repeated else _bounds(field, bounds)


def _known_word(enum: EnumDescriptor) -> Checker:
    known = words(enum, "en")

    def word(number: int) -> Iterator[Problem]:
        if number and number not in known:
            yield from unknown_word(enum, str(number)).problems

    return word


def _finite(value: float) -> Iterator[Problem]:
    if not math.isfinite(value):
        yield Problem("", "NaN and infinity are no numbers here", "give a finite number")


def _guid(value: str) -> Iterator[Problem]:
    if value and not _GUID.fullmatch(value):
        yield Problem(
            "", "is not a GUID", "use 8-4-4-4-12 hexadecimal digits, like 660e8400-e29b-41d4-a716-446655440000"
        )


def _url(value: str) -> Iterator[Problem]:
    if value and not is_web_address(value):
        yield Problem("", "is not an absolute http or https address", "write it like https://example.org/path")


def is_web_address(value: str) -> bool:
    """True for an absolute http(s) address without blanks or control characters; nothing is resolved."""
    if any(character <= " " or character == "\x7f" for character in value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _duration(value: Any) -> Iterator[Problem]:
    if not 0 <= nanos(value) <= durations.MAX_SECONDS * durations.NANOS:
        yield Problem("", "is not a possible duration", f"give 0 to {durations.MAX_SECONDS} seconds")


def _range(value: Any) -> Iterator[Problem]:
    low, high = ends(value)
    if not 0 <= low <= high <= durations.MAX_SECONDS:
        yield Problem(
            "", "is not a possible range of durations", "give a low end from 0 up that is not above the high end"
        )


def _timestamp(value: Any) -> Iterator[Problem]:
    if not (instants.MIN_SECONDS <= value.seconds <= instants.MAX_SECONDS and 0 <= value.nanos < durations.NANOS):
        yield Problem(
            "", "is not a possible time", "stay within the years 1 to 9999, nanoseconds from 0 to 999,999,999"
        )


def _free_form(write: Callable[[Any], Any]) -> Checker:
    """What cannot be written as JSON is not let in: too deep, NaN, infinity."""

    def walk(value: Any) -> Iterator[Problem]:
        try:
            write(value)
        except Refused as refused:
            yield from refused.problems

    return walk


_MESSAGES: dict[str, Checker] = {
    fields.DURATION: _duration,
    fields.RANGE: _range,
    fields.TIMESTAMP: _timestamp,
    "google.protobuf.Struct": _free_form(freeform.object_of),
    "google.protobuf.Value": _free_form(freeform.value_of),
    "google.protobuf.ListValue": _free_form(freeform.list_of),
}


def _bounds(field: FieldDescriptor, bounds: tuple[float, float]) -> Checker:
    match fields.kind(field):
        case fields.DURATION:
            return _amount(bounds, lambda value: nanos(value) / durations.NANOS, " seconds")
        case fields.RANGE:
            return _amount(bounds, lambda value: ends(value)[1], " seconds")
        case "google.protobuf.Struct":
            return lambda value: _length(bounds, "keys")(value.fields)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return _length(bounds, "bytes" if field.type == FieldDescriptor.TYPE_BYTES else "characters")
    return _amount(bounds, float, "")


def _amount(bounds: tuple[float, float], amount: Callable[[Any], float], unit: str) -> Checker:
    low, high = bounds

    def inside(value: Any) -> Iterator[Problem]:
        size = amount(value)
        if math.isfinite(size) and not low <= size <= high:
            yield Problem(
                "", f"{plain(size)}{unit} is {'below' if size < low else 'above'} the limit", _span(bounds, unit)
            )

    return inside


def _length(bounds: tuple[float, float], unit: str) -> Checker:
    low, high = bounds

    def inside(value: Any) -> Iterator[Problem]:
        if not low <= len(value) <= high:
            yield Problem("", f"has {len(value)} {unit}", _span(bounds, f" {unit}"))

    return inside


def _span(bounds: tuple[float, float], unit: str) -> str:
    low, high = bounds
    if low == -math.inf:
        return f"give at most {plain(high)}{unit}"
    return f"give at least {plain(low)}{unit}" if high == math.inf else f"give {plain(low)} to {plain(high)}{unit}"
