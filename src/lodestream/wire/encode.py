"""message -> documented JSON, compiled once per (message type, language, localized).

Keys come in the order of the field numbers. What is unset is absent, unless the rule of the field says `always` or
`null_when_absent`. An enum value without a word is absent too. A value that has no JSON form (NaN, a negative duration)
is a bug of the servicer and raises Refused with its pointer, so that it is never stored or shown as something else.
"""

from collections.abc import Callable
from functools import partial
from keyword import iskeyword
from typing import Any, TypeAlias

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from lodestream.v1 import rest_pb2
from lodestream.wire import fields, freeform, scalars
from lodestream.wire.amounts import plain
from lodestream.wire.compiled import Compiled
from lodestream.wire.languages import LANGUAGES, Language
from lodestream.wire.problems import Refused
from lodestream.wire.styles import style_of
from lodestream.wire.words import words

# Any protobuf value -> its JSON value; None says that it has none and the key stays out.
Writer: TypeAlias = Callable[[Any], Any]

_FREE_FORM: dict[str, Writer] = {
    "google.protobuf.Struct": freeform.object_of,
    "google.protobuf.Value": freeform.value_of,
    "google.protobuf.ListValue": freeform.list_of,
}
_UNSET_SCALARS: dict[int, Any] = {
    FieldDescriptor.CPPTYPE_STRING: "",
    FieldDescriptor.CPPTYPE_BOOL: False,
    FieldDescriptor.CPPTYPE_DOUBLE: 0.0,
}


def to_json(message: Message, language: Language = "en") -> bytes:
    """The documented JSON of a message, UTF-8, without spaces. Raises Refused for values that have no JSON form."""
    return orjson.dumps(writer(fields.descriptor_of(message), language)(message))


def to_dict(message: Message, language: Language = "en") -> dict[str, Any]:
    """The same document as a dict of plain Python values, fresh for every call, keys in documented order."""
    document: dict[str, Any] = writer(fields.descriptor_of(message), language)(message)
    return document


def writer(descriptor: Descriptor, language: Language, localized: bool = False) -> Writer:
    """The compiled writer of a message type; `localized` when a message around it makes words follow the language."""
    return _writers((descriptor, language, localized))


def _compile(key: tuple[Descriptor, Language, bool]) -> Writer:
    descriptor, language, localized = key
    if language not in LANGUAGES:
        raise ValueError(f"unknown language {language!r}: use one of {', '.join(LANGUAGES)}")
    if descriptor.full_name in _FREE_FORM:
        return _FREE_FORM[descriptor.full_name]
    localized = localized or bool(descriptor.GetOptions().Extensions[rest_pb2.localized])
    order = fields.ordered(descriptor)
    plan = {field: (field.json_name, _field_writer(field, language, localized)) for field in order}
    absent = {field.json_name: unset for field in order if (unset := _when_unset(field, plan[field][1]))}
    return _filled(_sparse(plan), [field.json_name for field in order], absent) if absent else _sparse(plan)


_writers: Compiled[tuple[Descriptor, Language, bool], Writer] = Compiled(_compile)


def _sparse(plan: dict[FieldDescriptor, tuple[str, Writer | None]]) -> Writer:
    """The writer of what is set: a function of a line or two per field, made as source text, as dataclasses are.

    Asking for each field by name costs less than listing those that are set and looking each up: a whole answer takes a
    seventh less time.
    """
    names: dict[str, Any] = {"Refused": Refused}
    lines = ["def write(message):", " out = {}", " is_set = message.HasField", " key = ''", " try:"]
    for place, (field, (key, convert)) in enumerate(plan.items()):
        names[f"convert{place}"] = convert
        lines += _lines(field, key, f"convert{place}" if convert else "")
    lines += ["  pass", " except Refused as refused:", "  raise Refused(refused.under(key)) from None", " return out"]
    exec("\n".join(lines), names)  # noqa: S102  # made of the names in our own contract
    made: Writer = names["write"]
    return made


def _lines(field: FieldDescriptor, key: str, convert: str) -> list[str]:
    """What is done for a field; `convert` is the name of its writer, "" when the value is its own JSON."""
    value = f"getattr(message, {field.name!r})" if iskeyword(field.name) else f"message.{field.name}"
    lines = [f"  if is_set({field.name!r}):"] if field.has_presence else [f"  value = {value}", "  if value:"]
    value = value if field.has_presence else "value"
    if not convert:
        return [*lines, f"   out[{key!r}] = {value}"]
    return [
        *lines,
        f"   key = {key!r}",
        f"   json = {convert}({value})",
        "   if json is not None:",
        "    out[key] = json",
    ]


def _filled(sparse: Writer, order: list[str], absent: dict[str, Callable[[], Any]]) -> Writer:
    """The writer of what is set and of what stands for the unset; most messages lack nothing and take the short way."""
    needed = absent.keys()

    def write(message: Message) -> dict[str, Any]:
        out: dict[str, Any] = sparse(message)
        if needed <= out.keys():
            return out
        return {key: out[key] if key in out else absent[key]() for key in order if key in out or key in absent}

    return write


def _when_unset(field: FieldDescriptor, write: Writer | None) -> Callable[[], Any] | None:
    """What stands for an unset field, made anew each time; None when the key stays out."""
    rule = fields.rule(field)
    if rule.null_when_absent:
        return lambda: None
    if not rule.always or fields.choice(field):
        return None
    if field.is_repeated:
        return dict if fields.is_map(field) else list
    if field.enum_type or fields.kind(field) == fields.TIMESTAMP:
        return None  # no word and no time can stand for "not said"
    if field.message_type:
        unset: Any = fields.fresh(field.message_type)
    else:
        unset = b"" if field.type == FieldDescriptor.TYPE_BYTES else _UNSET_SCALARS.get(field.cpp_type, 0)
    return lambda: write(unset) if write else unset


def _field_writer(field: FieldDescriptor, language: Language, localized: bool) -> Writer | None:
    """The writer of a field's value; None when the value is its own JSON."""
    if fields.is_map(field):
        return partial(_map, _single_writer(fields.map_value(field), language, localized))
    one = _single_writer(field, language, localized)
    return partial(_list, one) if field.is_repeated else one


def _single_writer(field: FieldDescriptor, language: Language, localized: bool) -> Writer | None:
    if style := style_of(field):
        return style.writer(language)
    if field.message_type:
        return writer(field.message_type, language, localized)
    if field.enum_type:
        return words(field.enum_type, language if localized else "en").get
    if field.cpp_type in fields.DECIMALS:
        return plain
    return scalars.octets_text if field.type == FieldDescriptor.TYPE_BYTES else None


def _list(write: Writer | None, values: Any) -> list[Any]:
    if write is None:
        return list(values)
    out: list[Any] = []
    try:
        for value in values:
            out.append(write(value))
    except Refused as refused:
        raise Refused(refused.under(len(out))) from None
    return [item for item in out if item is not None] if None in out else out


def _map(write: Writer | None, values: Any) -> dict[str, Any]:
    """Maps have no order of their own, so their keys are sorted."""
    out = {str(key): values[key] if write is None else write(values[key]) for key in sorted(values)}
    return {key: value for key, value in out.items() if value is not None}
