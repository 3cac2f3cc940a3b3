"""Frozen dataclasses to JSON bytes and back, for event bodies and folded states.

Writing is orjson's own dataclass support. Reading follows the type hints, compiled once per class: an unknown key
is skipped, a missing key takes its default, so that logs of newer and older versions read alike. `encode`/`decode`
add the stable kind name of a body.
"""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

from lodestream_server.runs.bodies import Body

T = TypeVar("T")
Reader = Callable[[Any], Any]

_BY_KIND: dict[str, type[Any]] = {body.KIND: body for body in get_args(Body)}


class UnknownKind(ValueError):
    """The event's kind is not known to this version."""


def encode(body: Body) -> tuple[str, bytes]:
    """The body's kind and its JSON."""
    return body.KIND, dump(body)


def decode(kind: str, data: bytes | str) -> Body:
    """The body of that kind. Raises UnknownKind; ValueError when the JSON does not fit the kind."""
    found = _BY_KIND.get(kind)
    if found is None:
        raise UnknownKind(kind)
    body: Body = load(found, data)
    return body


def dump(value: Any) -> bytes:
    """JSON of a dataclass; instants as RFC 3339 in UTC."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def load(cls: type[T], data: bytes | str) -> T:
    """A dataclass from its JSON. Raises ValueError when a required key is missing or a value has the wrong shape."""
    value: T = reader(cls)(orjson.loads(data))
    return value


def reader(hint: Any) -> Reader:
    """What makes a value of this type from plain JSON values; compiled once."""
    return _reader(hint)


@cache
def _reader(hint: Any) -> Reader:
    if is_dataclass(hint):
        return _dataclass_reader(hint)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _optional_reader(inner)
    if origin is tuple:
        return _sequence_reader(_reader(inner[0]))
    if hint is datetime:
        return _instant
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if hint is float:
        return float
    return _as_it_is if origin in (Literal, dict, Mapping) or hint in (str, int, bool, Any) else _unsupported(hint)


def _dataclass_reader(cls: Any) -> Reader:
    hints = get_type_hints(cls)
    plan = tuple((f.name, _reader(hints[f.name])) for f in fields(cls) if f.init)
    required = frozenset(f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING)

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"{cls.__name__}: an object is expected, not {type(value).__name__}")
        if missing := required - value.keys():
            raise ValueError(f"{cls.__name__}: {', '.join(sorted(missing))} is missing")
        return cls(**{name: convert(value[name]) for name, convert in plan if name in value})

    return read


def _optional_reader(inner: tuple[Any, ...]) -> Reader:
    some = [hint for hint in inner if hint is not types.NoneType]
    if len(some) != 1:
        raise TypeError(f"only `X | None` can be read back, not {inner}")
    convert = _reader(some[0])
    return lambda value: None if value is None else convert(value)


def _sequence_reader(convert: Reader) -> Reader:
    return lambda values: tuple(convert(value) for value in values)


def _instant(value: Any) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)


def _as_it_is(value: Any) -> Any:
    return value


def _unsupported(hint: Any) -> Reader:
    raise TypeError(f"no reader for {hint}")
