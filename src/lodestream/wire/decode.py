"""documented JSON -> message, compiled once per message type.

Reading is strict (see `scalars`), takes words and texts of both languages, and reports every fault it finds in one go,
each with its JSON pointer. A JSON null in a field means that the field is absent. Keys are the documented ones
(`json_name`); unknown keys are refused.
"""

import difflib
import json
from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeAlias, TypeVar

import orjson
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from lodestream.wire import fields, freeform, scalars
from lodestream.wire.compiled import Compiled
from lodestream.wire.problems import MAX_PROBLEMS, Problem, Refused, clip, refuse, wrong_type
from lodestream.wire.styles import style_of
from lodestream.wire.words import numbers, read_word

M = TypeVar("M", bound=Message)
# (JSON value, message) -> fills the message, or one field of it.
Filler: TypeAlias = Callable[[Any, Any], None]
Reader: TypeAlias = Callable[[Any], Any]

_FREE_FORM: dict[str, Filler] = {
    "google.protobuf.Struct": freeform.read_object,
    "google.protobuf.Value": freeform.read_value,
    "google.protobuf.ListValue": freeform.read_list,
}


def from_json(data: bytes | bytearray | memoryview | str | dict[str, Any], message_type: type[M]) -> M:
    """A message from its documented JSON, given as text or already parsed. Raises Refused with every problem found.

    Of duplicate keys in a text the last one counts; who minds them checks before.
    """
    return read(data, message_type, filler(fields.descriptor_of(message_type)))


def read(data: bytes | bytearray | memoryview | str | dict[str, Any], message_type: type[M], fill: Filler) -> M:
    """A message filled by `fill` from JSON, as text or already parsed."""
    document = data if isinstance(data, dict) else parse(data)
    try:
        message = message_type()
        fill(document, message)
    except scalars.Ambiguous:  # rare: one more pass that tells 12345678901234567890123 from 1.2e22
        message = message_type()
        fill(_exactly(data), message)
    return message


def parse(data: bytes | bytearray | memoryview | str) -> Any:
    """JSON text as plain Python; Refused when it is none."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise refuse(f"not valid JSON: {error}") from None


def _exactly(data: Any) -> Any:
    text: Any = json.dumps(data) if isinstance(data, dict) else bytes(data) if isinstance(data, memoryview) else data
    try:
        return json.loads(text, parse_float=scalars.Decimal)
    except (ValueError, RecursionError):
        raise refuse("a number has too many digits, or the nesting is too deep") from None


def filler(descriptor: Descriptor) -> Filler:
    """The compiled function that fills a message of this type from a JSON value."""
    return _fillers(descriptor)


def _compile(descriptor: Descriptor) -> Filler:
    return _FREE_FORM.get(descriptor.full_name) or filler_without(descriptor, ())


_fillers: Compiled[Descriptor, Filler] = Compiled(_compile)


def filler_without(descriptor: Descriptor, left_out: Collection[str]) -> Filler:
    """The same for a body whose message has some keys elsewhere (in the path): those are unknown keys here."""
    plan = {
        field.json_name: field_filler(field) for field in fields.ordered(descriptor) if field.json_name not in left_out
    }
    choices = {field.json_name: choice for field in descriptor.fields if (choice := fields.choice(field))}
    return partial(_fill_one_of, plan, choices) if choices else partial(_fill, plan)


def _fill(plan: dict[str, Filler], value: Any, message: Any) -> None:
    if not isinstance(value, dict):
        raise wrong_type(value, "an object")
    problems: list[Problem] = []
    for key, item in value.items():
        put = plan.get(key)
        if put is None:
            problems.append(unknown(str(key), plan, "key").under(str(key)))
        elif item is not None:
            try:
                put(item, message)
            except Refused as refused:
                problems += refused.under(key)
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        raise Refused(problems)


def _fill_one_of(plan: dict[str, Filler], choices: dict[str, str], value: Any, message: Any) -> None:
    _fill(plan, value, message)
    given = [key for key, item in value.items() if item is not None and key in choices]
    twice = {choice for choice, count in Counter(choices[key] for key in given).items() if count > 1}
    if twice:
        rivals = [key for key in given if choices[key] in twice]
        raise Refused(
            Problem("", f"excludes {', '.join(k for k in rivals if k != key)}", "send one of them").under(key)
            for key in rivals
        )


def unknown(name: str, known: Collection[str], what: str) -> Problem:
    """The problem of a key or parameter that the contract does not have."""
    near = difflib.get_close_matches(name, known, 1, 0.7)
    hint = f"did you mean {near[0]}? " if near else ""
    return Problem(
        "",
        f"unknown {what} {clip(name)}",
        f"{hint}known here: {', '.join(sorted(known)) or 'none'}",
        tuple(sorted(known)),
    )


def field_filler(field: FieldDescriptor) -> Filler:
    """The function that sets one field of a message from a JSON value other than null."""
    name = field.name
    if fields.is_map(field):
        return _map_filler(field)
    if field.message_type:
        style = style_of(field)
        fill = style.read if style else filler(field.message_type)
        return partial(_put_messages, name, fill) if field.is_repeated else partial(_put_message, name, fill)
    return partial(_put_all, name, reader(field)) if field.is_repeated else partial(_put, name, reader(field))


def reader(field: FieldDescriptor) -> Reader:
    """The function JSON value -> value of a scalar or enum field (of one element where it is repeated)."""
    if style := style_of(field):
        return style.read
    if field.enum_type:
        return _word_reader(field.enum_type)
    if field.cpp_type in fields.INTEGERS:
        return scalars.integer(*fields.INTEGERS[field.cpp_type])
    if field.cpp_type in fields.DECIMALS:
        return scalars.number
    if field.type == FieldDescriptor.TYPE_BYTES:
        return scalars.octets
    return scalars.boolean if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else scalars.text


def _word_reader(enum: EnumDescriptor) -> Reader:
    known = numbers(enum)

    def read_one(value: Any) -> int:
        number = known.get(value) if type(value) is str else None
        return read_word(enum, value) if number is None else number

    return read_one


def _put(name: str, read_one: Reader, value: Any, message: Any) -> None:
    setattr(message, name, read_one(value))


def _put_message(name: str, fill: Filler, value: Any, message: Any) -> None:
    target = getattr(message, name)
    target.SetInParent()  # an empty object is a given object
    fill(value, target)


def _put_all(name: str, read_one: Reader, value: Any, message: Any) -> None:
    getattr(message, name).extend(_each(read_one, value))


def _put_messages(name: str, fill: Filler, value: Any, message: Any) -> None:
    add = getattr(message, name).add
    _each(lambda item: fill(item, add()), value)


def _each(read_one: Reader, value: Any) -> list[Any]:
    """Every element read; a text is no list of letters."""
    if not isinstance(value, list):
        raise wrong_type(value, "a list")
    out: list[Any] = []
    problems: list[Problem] = []
    for index, item in enumerate(value):
        try:
            out.append(read_one(item))
        except Refused as refused:
            problems += refused.under(index)
            if len(problems) >= MAX_PROBLEMS:
                break
    if problems:
        raise Refused(problems)
    return out


def _map_filler(field: FieldDescriptor) -> Filler:
    name = field.name
    value_field = fields.map_value(field)
    fill = filler(value_field.message_type) if value_field.message_type else None
    read_one = None if fill else reader(value_field)

    def put(value: Any, message: Any) -> None:
        if not isinstance(value, dict):
            raise wrong_type(value, "an object")
        entries = getattr(message, name)
        problems: list[Problem] = []
        for key, item in value.items():
            try:
                if fill:
                    fill(item, entries[scalars.text(key)])
                elif read_one:
                    entries[scalars.text(key)] = read_one(item)
            except Refused as refused:
                problems += refused.under(key)
        if problems:
            raise Refused(problems)

    return put
