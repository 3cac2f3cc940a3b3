"""The documented words of enum values, compiled from the `word` option.

Written in English, or in Turkish where an answer is localized; read in any language. Value 0 and numbers that this
build does not know have no word and are absent on the wire. A value without the option is written by its own name
without the prefix that its enum's values share.
"""

import difflib
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor import EnumDescriptor

from lodestream.v1 import rest_pb2
from lodestream.wire.languages import LANGUAGES, Language
from lodestream.wire.problems import Refused, clip, refuse, wrong_type


@lru_cache(None)
def words(enum: EnumDescriptor, language: Language) -> dict[int, str]:
    """Number -> word, in order of declaration, without value 0."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED") if 0 in enum.values_by_number else ""
    return {value.number: _word(value, prefix, language) for value in enum.values if value.number}


@lru_cache(None)
def numbers(enum: EnumDescriptor) -> dict[str, int]:
    """Word of any language -> number; where two values share a word the English meaning wins."""
    return {word: number for language in reversed(LANGUAGES) for number, word in words(enum, language).items()}


def read_word(enum: EnumDescriptor, value: Any) -> int:
    """The number of a word; refused with the allowed words otherwise."""
    if type(value) is not str:
        raise wrong_type(value, "text")
    number = numbers(enum).get(value)
    if number is None:
        raise unknown_word(enum, clip(value))
    return number


def unknown_word(enum: EnumDescriptor, shown: str) -> Refused:
    """The refusal of a word or number that is none of this enum's."""
    allowed = tuple(words(enum, "en").values())
    near = difflib.get_close_matches(shown.strip("'\""), allowed, 1)
    return refuse(f"{shown} is not one of the known words", f"{_hint(near)}use one of: {', '.join(allowed)}", allowed)


def _hint(near: list[str]) -> str:
    return f"did you mean {near[0]}? " if near else ""


def _word(value: Any, prefix: str, language: Language) -> str:
    word: rest_pb2.Word = value.GetOptions().Extensions[rest_pb2.word]
    return (word.tr if language == "tr" else word.en) or word.en or str(value.name).removeprefix(prefix)
