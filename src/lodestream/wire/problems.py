"""What is wrong with an input, said so that a caller can put it right.

Everything under `lodestream.wire` that refuses a value raises `Refused`; both doors turn its problems into their error
answers. A reason never repeats more than a short piece of what was sent, and nothing at all of a field marked `secret`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

# Enough to mend a request in one go, few enough that an answer never grows with the size of a broken body.
MAX_PROBLEMS = 20
# Longer than any key of the contract; only keys of free-form objects and unknown ones can exceed it.
_MAX_TOKEN = 200

_JSON_NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. `pointer` is an RFC 6901 JSON pointer into the body, "" for the whole of it.

    `location` is "body", "path" or "query"; for the last two the pointer holds the parameter's name. `allowed` lists
    the words that would do.
    """

    pointer: str
    reason: str
    fix: str = ""
    allowed: tuple[str, ...] = ()
    location: str = "body"

    def under(self, token: str | int) -> "Problem":
        """The same problem, seen from the object or list that holds the value under `token`."""
        return replace(self, pointer=f"/{escape(str(token))}{self.pointer}")

    def __str__(self) -> str:
        where = self.pointer if self.location == "body" else f"{self.location} parameter {self.pointer[1:]}"
        return ": ".join(part for part in (where, self.reason, self.fix) if part)


class Refused(ValueError):
    """A value does not fit the contract; `problems` (never empty) says where, why and what to do."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)[:MAX_PROBLEMS]
        super().__init__("; ".join(map(str, self.problems)))

    def under(self, token: str | int) -> tuple[Problem, ...]:
        """The problems as seen from the holder of the value."""
        return tuple(problem.under(token) for problem in self.problems)


class ContractFault(TypeError):
    """The .proto files ask for something that the wire does not know, such as a BYTES text on a Duration."""


def refuse(reason: str, fix: str = "", allowed: tuple[str, ...] = ()) -> Refused:
    """A refusal of the value at hand; the holders of the value add the pointer on the way up."""
    return Refused([Problem("", reason, fix, allowed)])


def wrong_type(value: Any, wanted: str) -> Refused:
    """A refusal because of the JSON type; names both types, not the value."""
    return refuse(f"must be {wanted}, not {json_type(value)}")


def json_type(value: Any) -> str:
    """What JSON calls a value: "text", "a list", "null"."""
    return "null" if value is None else _JSON_NAMES.get(type(value), type(value).__name__)


def clip(text: str) -> str:
    """A text in quotes, at most 60 characters of it, for a message."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def escape(token: str) -> str:
    """A key as a token of a JSON pointer (RFC 6901); keys that nobody meant (over-long, no Unicode) are cut."""
    if len(token) > _MAX_TOKEN:
        token = f"{token[:_MAX_TOKEN]}…"
    if not token.isascii():
        token = token.encode("utf-8", "replace").decode()
    return token.replace("~", "~0").replace("/", "~1")
