"""JSON text -> plain Python, refusing what no parser should meet: depth, duplicate keys, monstrous numbers, bad UTF-8.

Called by the guard before anything else looks at a body. Cheap checks run first, so that the usual body is parsed once
and looked at once.
"""

import json
import re
from typing import Any, Never

from lodestream.rest.problems import Refusal

#: Levels of nesting: the contract's own messages take fewer than 10, a free-form object in them at most 32.
MAX_DEPTH = 64
#: Digits of a number: a double has 17 that count, its exponent three more.
MAX_DIGITS = 400

_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def parse(body: bytes) -> Any:
    """The document. Raises Refusal (MALFORMED) that says what is wrong and where."""
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise malformed(f"the JSON is nested deeper than {MAX_DEPTH} levels; flatten it")
    if _LONG_NUMBER.search(body) and _LONG_NUMBER.search(_TEXT.sub(b'""', body)):
        raise malformed(f"a number has more than {MAX_DIGITS} digits; send it as text")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise malformed(f"the body is not UTF-8: byte {error.start} cannot be read") from None
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise malformed(f"not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except (RecursionError, ValueError):
        raise malformed("a number has too many digits, or the nesting is too deep") from None


def malformed(detail: str) -> Refusal:
    """The refusal of a body that cannot be read."""
    return Refusal("MALFORMED", detail, [{"in": "body", "pointer": "", "detail": detail}])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add
        raise malformed(f"the key {twice[:60]!r} is given twice in one object; give it once")
    return found


def _no_constant(name: str) -> Never:
    raise malformed(f"{name} is not JSON; give a finite number")


def _depth(body: bytes) -> int:
    """The deepest nesting, brackets inside texts not counted; stops counting above the limit."""
    depth = deepest = 0
    for bracket in _BRACKET.finditer(_TEXT.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        deepest = max(deepest, depth)
        if deepest > MAX_DEPTH:
            break
    return deepest
