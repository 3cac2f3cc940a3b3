"""Plain JSON values, read strictly: a value of another type is refused, never bent into shape.

A bool is no integer, 2.0 is no integer, "3" is no number, and text is valid Unicode.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from lodestream.wire.amounts import MAX_SAFE, finite
from lodestream.wire.problems import refuse, wrong_type

# Integers beyond 64 bits come out of orjson as floats, indistinguishable from 1e20 and the like.
_AMBIGUOUS = 2.0**63


class Ambiguous(Exception):
    """A float that may have been an over-long integer: a parser that keeps them apart has to read the text again."""


class Decimal(float):
    """A float that was certainly written as one, with a point or an exponent."""


def text(value: Any) -> str:
    """Text without lone surrogates."""
    if type(value) is not str:
        raise wrong_type(value, "text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise refuse("the text holds half of a surrogate pair", "send valid Unicode") from None
    return value


def boolean(value: Any) -> bool:
    """true or false."""
    if type(value) is not bool:
        raise wrong_type(value, "true or false")
    return value


def number(value: Any) -> float:
    """A finite number that a double holds exactly as it was written, or as the nearest fraction."""
    if type(value) is int:
        if -MAX_SAFE <= value <= MAX_SAFE:
            return float(value)
        raise refuse("whole numbers beyond 2^53 lose digits in JSON", f"stay within {MAX_SAFE}, or send it as text")
    if not isinstance(value, float):
        raise wrong_type(value, "a number")
    if type(value) is float and abs(finite(value)) >= _AMBIGUOUS:
        raise Ambiguous
    return finite(value)


def integer(low: int, high: int) -> Callable[[Any], int]:
    """A reader of whole numbers from `low` to `high`, both at most 2^53 away from zero."""
    low, high = max(low, -MAX_SAFE), min(high, MAX_SAFE)

    def read(value: Any) -> int:
        if type(value) is not int:
            raise wrong_type(value, "a whole number")
        if not low <= value <= high:
            raise refuse("the whole number is out of range", f"stay between {low} and {high}")
        return value

    return read


def octets(value: Any) -> bytes:
    """Bytes written in base64."""
    try:
        return base64.b64decode(text(value), validate=True)
    except (binascii.Error, ValueError) as error:
        if type(value) is not str:
            raise
        raise refuse("the text is not base64", "encode the bytes with the standard alphabet and padding") from error


def octets_text(value: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(value).decode()
