"""The rules that a message has to keep, whichever door it came through: `required`, `min`, `max`, `guid`, `url`, and
what no door lets in.

Compiled once per message type. What is always refused: NaN and infinity, unknown enum numbers, negative durations,
ranges upside down, times outside the years 1 to 9999, free-form objects deeper than 32 levels. Values of `secret`
fields never appear in a reason, nor do others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from lodestream.wire import durations, fields, freeform, instants
from lodestream.wire.amounts import plain
from lodestream.wire.compiled import Compiled
from lodestream.wire.problems import MAX_PROBLEMS, Problem, Refused
from lodestream.wire.styles import ends, nanos
from lodestream.wire.words import unknown_word, words

# One set value (for lists: one element) -> its problems, pointers relative to it.
Checker: TypeAlias = Callable[[Any], Iterator[Problem]]
# A message -> its problems.
MessageChecker: TypeAlias = Callable[[Any], Iterator[Problem]]

_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FREE_FORM: dict[str, Callable[[Any], Any]] = {
    "google.protobuf.Struct": freeform.object_of,
    "google.protobuf.Value": freeform.value_of,
    "google.protobuf.ListValue": freeform.list_of,
}


def check(message: Message) -> list[Problem]:
    """Everything wrong with a message, at most 20 problems, in field order; empty when it keeps the contract."""
    return [
        problem
        for problem, _ in zip(checker(fields.descriptor_of(message))(message), range(MAX_PROBLEMS), strict=False)
    ]


def checked(message: Message) -> None:
    """Raises Refused when `check` finds something."""
    if problems := check(message):
        raise Refused(problems)


def proto_path(message_type: type[Message] | Message, pointer: str) -> str:
    """The field that a JSON pointer names, as gRPC callers know it: "/stages/2/stageName" -> "stages[2].stage_name".

    Tokens that name no field (unknown keys, keys of free-form objects) are kept as they are.
    """
    descriptor: Descriptor | None = fields.descriptor_of(message_type)
    path = ""
    for token in (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]):
        field = next((f for f in descriptor.fields if f.json_name == token), None) if descriptor else None
        if field is None and token.isdigit() and path:
            path += f"[{token}]"
            continue
        path += f".{field.name if field else token}"
        descriptor = field.message_type if field and not fields.is_map(field) else None
    return path.removeprefix(".")


def checker(descriptor: Descriptor) -> MessageChecker:
    """The compiled checker of a message type."""
    return _checkers(descriptor)


def _compile(descriptor: Descriptor) -> MessageChecker:
    required = [field for field in fields.ordered(descriptor) if fields.rule(field).required]
    names = {field: field.json_name for field in descriptor.fields}
    plan = {field: found for field in descriptor.fields if (found := _field_checker(field))}

    def walk(message: Any) -> Iterator[Problem]:
        given = dict(message.ListFields())
        for field in required:
            if field not in given or _empty(field, given[field]):
                yield Problem(f"/{names[field]}", "is required", "give it a value")
        for field, value in given.items():
            if field in plan:
                for problem in plan[field](value):
                    yield problem.under(names[field])

    return walk


_checkers: Compiled[Descriptor, MessageChecker] = Compiled(_compile)


def _empty(field: FieldDescriptor, value: Any) -> bool:
    """True for what is given in form only: blank text, word "unspecified"."""
    if field.is_repeated:
        return not len(value)
    return not value.strip() if isinstance(value, str) else bool(field.enum_type) and not value


def _field_checker(field: FieldDescriptor) -> Checker | None:
    """The checks of a field's value as a whole; None when anything goes."""
    rule = fields.rule(field)
    bounds = (rule.min if rule.HasField("min") else -math.inf, rule.max if rule.HasField("max") else math.inf)
    bounded = bounds != (-math.inf, math.inf)
    if fields.is_map(field):
        single = _single_checker(fields.map_value(field))
        return _all([_length(bounds, "entries")] if bounded else [], _of_map(single))
    single = _single_checker(field)
    if field.is_repeated:
        return _all([_length(bounds, "entries")] if bounded else [], _of_list(single))
    return _all([_bounds(field, bounds)] if bounded else [], single)


def _all(checkers: list[Checker], last: Checker | None) -> Checker | None:
    every = [*checkers, last] if last else checkers
    if len(every) < 2:
        return every[0] if every else None

    def both(value: Any) -> Iterator[Problem]:
        for one in every:
            yield from one(value)

    return both


def _of_list(single: Checker | None) -> Checker | None:
    if single is None:
        return None

    def each(values: Any) -> Iterator[Problem]:
        for index, value in enumerate(values):
            for problem in single(value):
                yield problem.under(index)

    return each


def _of_map(single: Checker | None) -> Checker | None:
    if single is None:
        return None

    def each(values: Any) -> Iterator[Problem]:
        for key in sorted(values):
            for problem in single(values[key]):
                yield problem.under(str(key))

    return each


def _single_checker(field: FieldDescriptor) -> Checker | None:
    """The checks of one value that follow from its type and form, without its bounds."""
    rule = fields.rule(field)
    if field.message_type:
        return _MESSAGES.get(fields.kind(field)) or _free_form(field) or checker(field.message_type)
    if field.enum_type:
        return _known_word(field.enum_type)
    if field.cpp_type in fields.DECIMALS:
        return _finite
    if rule.guid:
        return _guid
    return _url if rule.url else None


def _free_form(field: FieldDescriptor) -> Checker | None:
    write = _FREE_FORM.get(fields.kind(field))
    if write is None:
        return None

    def walk(value: Any) -> Iterator[Problem]:
        try:
            write(value)
        except Refused as refused:
            yield from refused.problems

    return walk


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


_MESSAGES: dict[str, Checker] = {
    fields.DURATION: _duration,
    fields.RANGE: _range,
    fields.TIMESTAMP: _timestamp,
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
