"""REST requests -> request messages: path and query parameters, and the body beside them.

A parameter's name is the `json_name` of its field. Its text is turned into the JSON value that the field takes and then
read like any other JSON, so words of both languages, dates and ranges mean the same in a query as in a body.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from lodestream.wire import fields
from lodestream.wire.decode import Filler, field_filler, filler_without, read, unknown
from lodestream.wire.problems import Problem, Refused, clip, refuse
from lodestream.wire.styles import style_of

M = TypeVar("M", bound=Message)

_WHOLE = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]{1,19}(?:\.[0-9]{1,19})?(?:[eE][+-]?[0-9]{1,3})?")
# "+03:00" arrives as " 03:00" from callers that do not percent-encode the plus sign of an offset.
_LOST_PLUS = re.compile(r" ([0-9]{2}:[0-9]{2})$")


def from_params(message_type: type[M], path: Mapping[str, str], query: Mapping[str, Sequence[str]]) -> M:
    """A request message from path parameters and a query (every value of a repeated parameter in order).

    Raises Refused with every problem; `location` is "path" or "query" and the pointer is "/" + the parameter's name.
    """
    message = message_type()
    _bind(message, path, query)
    return message


def from_request(
    message_type: type[M],
    path: Mapping[str, str],
    query: Mapping[str, Sequence[str]],
    body: bytes | dict[str, Any] | None,
) -> M:
    """The same with a JSON body for every field that is not in the path; then no query parameter is known.

    None and b"" are an absent body. Raises Refused with the problems of body, path and query together.
    """
    problems: list[Problem] = []
    message = message_type()
    try:
        if body:
            message = read(body, message_type, _body_filler(fields.descriptor_of(message_type), frozenset(path)))
    except Refused as refused:
        problems += refused.problems
    try:
        _bind(message, path, query, with_body=True)
    except Refused as refused:
        problems += refused.problems
    if problems:
        raise Refused(problems)
    return message


def parameters(descriptor: Descriptor) -> dict[str, FieldDescriptor]:
    """The fields of a message that a path or a query can carry, by parameter name: all but objects and lists of
    them."""
    return {field.json_name: field for field in fields.ordered(descriptor) if not field.message_type or style_of(field)}


def _bind(message: Any, path: Mapping[str, str], query: Mapping[str, Sequence[str]], with_body: bool = False) -> None:
    binders = _binders(message.DESCRIPTOR)
    known = [] if with_body else [name for name in binders if name not in path]
    problems: list[Problem] = []
    for location, name, texts in [
        *(("path", name, [text]) for name, text in path.items()),
        *(("query", name, list(texts)) for name, texts in query.items()),
    ]:
        try:
            if name not in (path if location == "path" else known) or name not in binders:
                raise Refused([unknown(name, known, f"{location} parameter")])
            binders[name](texts, message)
        except Refused as refused:
            problems += [Problem(f"/{name}", p.reason, p.fix, p.allowed, location) for p in refused.problems]
    if problems:
        raise Refused(problems)


@lru_cache(None)
def _binders(descriptor: Descriptor) -> dict[str, Callable[[list[str], Any], None]]:
    return {name: _binder(field) for name, field in parameters(descriptor).items()}


@lru_cache(None)
def _body_filler(descriptor: Descriptor, in_path: frozenset[str]) -> Filler:
    return filler_without(descriptor, in_path)


def _binder(field: FieldDescriptor) -> Callable[[list[str], Any], None]:
    fill, typed, split = field_filler(field), _typed(field), fields.rule(field).comma_separated

    def bind_list(texts: list[str], message: Any) -> None:
        items = [item for text in texts for item in (text.split(",") if split else [text])]
        fill([typed(item.strip()) for item in items if item.strip()], message)

    def bind_one(texts: list[str], message: Any) -> None:
        if len(texts) != 1:
            raise refuse(f"is given {len(texts)} times", "give it once")
        fill(typed(texts[0]), message)

    return bind_list if field.is_repeated else bind_one


def _typed(field: FieldDescriptor) -> Callable[[str], Any]:
    """The function text -> JSON value of the type that the field reads."""
    style = style_of(field)
    if style and fields.kind(field) == fields.TIMESTAMP:
        return lambda text: _LOST_PLUS.sub(r"+\1", text)
    if style:
        return _whole if style.json == "integer" else _number if style.json == "number" else str
    if field.enum_type or field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return str
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return _boolean
    return _number if field.cpp_type in fields.DECIMALS else _whole


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise refuse(f"{clip(text)} is not a whole number", "give digits only")
    return int(text)


def _number(text: str) -> float | int:
    if not _NUMBER.fullmatch(text):
        raise refuse(f"{clip(text)} is not a number", "write it like 12 or 12.5")
    return int(text) if _WHOLE.fullmatch(text) else float(text)


def _boolean(text: str) -> bool:
    """True and False too: that is how Python's clients write them into a query."""
    if text.lower() not in ("true", "false"):
        raise refuse(f"{clip(text)} is neither true nor false", "use true or false", ("true", "false"))
    return text.lower() == "true"
