"""Requests as the contract wants them, the same on both doors: understood, valid, defaults filled in."""

from typing import TypeVar

from google.protobuf.message import Message

from lodestream import wire
from lodestream.errors import InvalidField, Violation

M = TypeVar("M", bound=Message)


def accepted(request: M) -> M:
    """The request with documented defaults where fields were left out. Raises InvalidField with every field at fault.

    Fills in place: the message belongs to this call.
    """
    problems = wire.check(request)
    if problems:
        raise InvalidField.of(*(_violation(request, problem) for problem in problems))
    return wire.with_defaults(request)


def _violation(request: Message, problem: wire.Problem) -> Violation:
    said = "; ".join(part for part in (problem.reason, problem.fix) if part)
    return Violation(wire.proto_path(request, problem.pointer) or "request", said)
