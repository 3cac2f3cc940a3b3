"""Free-form objects: google.protobuf.Struct <-> JSON.

Written with sorted keys and integral numbers below 2^53 without a point. At most 32 levels deep (the object itself is
the first), no NaN, no infinity, no integers beyond 2^53: refused when read and when written, so that neither door
stores what the other cannot say.
"""

from typing import Any

from lodestream.wire.amounts import plain
from lodestream.wire.problems import Problem, Refused, refuse, wrong_type
from lodestream.wire.scalars import number, text

# Three nested protobuf messages a level: 32 leave room for the messages around them below protobuf's limit of 100.
MAX_DEPTH = 32


def object_of(struct: Any, depth: int = 1) -> dict[str, Any]:
    """A Struct as a dict with sorted keys."""
    _bounded(depth)
    fields = struct.fields
    out: dict[str, Any] = {}
    key = ""
    try:
        for key in sorted(fields):
            out[key] = value_of(fields[key], depth)
    except Refused as refused:
        raise Refused(refused.under(key)) from None
    return out


def value_of(value: Any, depth: int = 0) -> Any:
    """A google.protobuf.Value as plain Python; `depth` is that of the object or list that holds it."""
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            return plain(value.number_value)
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return object_of(value.struct_value, depth + 1)
        case "list_value":
            return list_of(value.list_value, depth + 1)
    return None


def list_of(values: Any, depth: int = 1) -> list[Any]:
    """A google.protobuf.ListValue as a list."""
    _bounded(depth)
    out: list[Any] = []
    try:
        for value in values.values:
            out.append(value_of(value, depth))
    except Refused as refused:
        raise Refused(refused.under(len(out))) from None
    return out


def read_object(value: Any, struct: Any, depth: int = 1) -> None:
    """Fills a Struct from a dict."""
    if not isinstance(value, dict):
        raise wrong_type(value, "an object")
    _bounded(depth)
    fields = struct.fields
    problems: list[Problem] = []
    for key, item in value.items():
        try:
            read_value(item, fields[text(key)], depth)
        except Refused as refused:
            problems += refused.under(key)
    if problems:
        raise Refused(problems)


def read_list(value: Any, values: Any, depth: int = 1) -> None:
    """Fills a ListValue from a list."""
    if not isinstance(value, list):
        raise wrong_type(value, "a list")
    _bounded(depth)
    add = values.values.add
    problems: list[Problem] = []
    for index, item in enumerate(value):
        try:
            read_value(item, add(), depth)
        except Refused as refused:
            problems += refused.under(index)
    if problems:
        raise Refused(problems)


def read_value(value: Any, target: Any, depth: int = 0) -> None:
    """Fills a google.protobuf.Value; `depth` is that of the object or list that holds it."""
    kind = type(value)
    if kind is str:
        target.string_value = text(value)
    elif kind is bool:
        target.bool_value = value
    elif kind is int or isinstance(value, float):
        target.number_value = number(value)
    elif value is None:
        target.null_value = 0
    elif isinstance(value, dict):
        target.struct_value.SetInParent()
        read_object(value, target.struct_value, depth + 1)
    elif isinstance(value, list):
        target.list_value.SetInParent()
        read_list(value, target.list_value, depth + 1)
    else:
        raise refuse(f"{kind.__name__} has no JSON form")


def _bounded(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise refuse(f"nested deeper than {MAX_DEPTH} levels", "flatten it")
