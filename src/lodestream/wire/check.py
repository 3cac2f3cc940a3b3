"""The rules that a message has to keep, whichever door it came through: `required`, `min`, `max`, `guid`, `url`, and
what no door lets in.

Compiled once per message type. What is always refused: NaN and infinity, unknown enum numbers, negative durations,
ranges upside down, times outside the years 1 to 9999, free-form objects deeper than 32 levels. Values of `secret`
fields never appear in a reason, nor do others.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from lodestream.wire import fields, rules
from lodestream.wire.compiled import Compiled
from lodestream.wire.problems import MAX_PROBLEMS, Problem, Refused
from lodestream.wire.rules import Checker

# A message -> its problems.
MessageChecker: TypeAlias = Callable[[Any], Iterator[Problem]]


def check(message: Message) -> list[Problem]:
    """Everything wrong with a message, at most 20 problems; empty when it keeps the contract.

    Of each message first what is missing, then what does not fit, in field order.
    """
    return list(islice(checker(fields.descriptor_of(message))(message), MAX_PROBLEMS))


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
    spans = _spans(descriptor)

    def walk(message: Any) -> Iterator[Problem]:
        given = dict(message.ListFields())
        for field in required:
            if field not in given or _empty(field, given[field]):
                yield Problem(f"/{names[field]}", "is required", "give it a value")
        for field, value in given.items():
            if field in plan:
                for problem in plan[field](value):
                    yield problem.under(names[field])
        for begin, end in spans:
            if begin in given and end in given and _instant(given[end]) < _instant(given[begin]):
                yield Problem(f"/{names[end]}", f"lies before {names[begin]}", "exchange them, or leave one out")

    return walk


def _spans(descriptor: Descriptor) -> list[tuple[FieldDescriptor, FieldDescriptor]]:
    """Pairs of times named alike but for "from" and "to", such as `date_from` and `date_to`: they bound one span."""
    times = {tuple(f.name.split("_")): f for f in descriptor.fields if fields.kind(f) == fields.TIMESTAMP}
    ends = {name: tuple("to" if part == "from" else part for part in name) for name in times}
    return [(times[name], times[end]) for name, end in ends.items() if end != name and end in times]


def _instant(moment: Any) -> tuple[int, int]:
    return moment.seconds, moment.nanos


_checkers: Compiled[Descriptor, MessageChecker] = Compiled(_compile)


def _empty(field: FieldDescriptor, value: Any) -> bool:
    """True for what is given in form only: blank text, word "unspecified"."""
    if field.is_repeated:
        return not len(value)
    return not value.strip() if isinstance(value, str) else bool(field.enum_type) and not value


def _field_checker(field: FieldDescriptor) -> Checker | None:
    """The checks of a field's value as a whole; None when anything goes."""
    one = _single_checker(fields.map_value(field) if fields.is_map(field) else field)
    if one and field.is_repeated:
        one = _of_map(one) if fields.is_map(field) else _of_list(one)
    return _all([checker for checker in (rules.of_size(field), one) if checker])


def _single_checker(field: FieldDescriptor) -> Checker | None:
    return rules.of_type(field) or (checker(field.message_type) if field.message_type else None)


def _all(checkers: list[Checker]) -> Checker | None:
    if len(checkers) < 2:
        return checkers[0] if checkers else None

    def each(value: Any) -> Iterator[Problem]:
        for one in checkers:
            yield from one(value)

    return each


def _of_list(single: Checker) -> Checker:
    def each(values: Any) -> Iterator[Problem]:
        for index, value in enumerate(values):
            for problem in single(value):
                yield problem.under(index)

    return each


def _of_map(single: Checker) -> Checker:
    def each(values: Any) -> Iterator[Problem]:
        for key in sorted(values):
            for problem in single(values[key]):
                yield problem.under(str(key))

    return each
