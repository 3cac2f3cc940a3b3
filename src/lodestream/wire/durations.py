"""Durations as the documentation writes them, and back.

Pure pairs: `x_text` writes, the function beside it reads, and reading what was written gives the value at the style's
precision. Readers take the words of both languages. Durations are never negative. `styles` binds these functions to
protobuf values.
"""

import re
from functools import lru_cache
from itertools import pairwise

from lodestream.wire.languages import Language
from lodestream.wire.problems import Refused, clip, refuse

NANOS = 1_000_000_000
# google.protobuf.Duration ends here: 10,000 years.
MAX_SECONDS = 315_576_000_000

# Seconds, English for one, English for several, Turkish (which does not inflect after a number); largest first.
_UNITS = (
    (86_400, "day", "days", "gün"),
    (3_600, "hour", "hours", "saat"),
    (60, "minute", "minutes", "dakika"),
    (1, "second", "seconds", "saniye"),
)
_SECONDS_OF = {word: seconds for seconds, *words in _UNITS for word in words}
_WORDS = "|".join(sorted(_SECONDS_OF, key=len, reverse=True))
_PART = re.compile(rf"([0-9]{{1,12}}) ({_WORDS})")
_COMPOUND = re.compile(rf"{_PART.pattern}(?: {_PART.pattern})*")
_DECIMAL = re.compile(rf"([0-9]{{1,12}})(?:\.([0-9]{{1,9}}))? ({_WORDS})")
_RANGE = re.compile(rf"([0-9]{{1,12}})(?:-([0-9]{{1,12}}))? ({_WORDS})")
_MILLIS = re.compile(r"([0-9]{1,15}) ?ms")


@lru_cache(4096)
def compound_text(seconds: int, language: Language) -> str:
    """Whole seconds in the two largest neighbouring units: "23 minutes 15 seconds", "7 minutes", "1 day 2 hours", "0
    seconds".

    What is smaller than the second unit is cut off, as a clock does.
    """
    for (size, *words), (next_size, *next_words) in pairwise(_UNITS):
        if seconds >= size:
            count, rest = divmod(not_negative(seconds), size)
            second_count = rest // next_size
            text = f"{count} {_unit(count, words, language)}"
            return f"{text} {second_count} {_unit(second_count, next_words, language)}" if second_count else text
    return f"{not_negative(seconds)} {_unit(seconds, _UNITS[-1][1:], language)}"


def compound_seconds(text: str) -> int:
    """Whole seconds of a text with any number of units, larger ones first."""
    if not _COMPOUND.fullmatch(text):
        raise _not(text, "a duration", '"23 minutes 15 seconds" or "8 dakika 32 saniye"')
    parts = [(int(count), _SECONDS_OF[word]) for count, word in _PART.findall(text)]
    sizes = [size for _, size in parts]
    if any(later >= earlier for earlier, later in pairwise(sizes)):
        raise _not(text, "a duration", "each unit once, larger ones first")
    return in_range(sum(count * size for count, size in parts))


def decimal_text(nanos: int, language: Language) -> str:
    """One unit with up to two decimals, the largest unit of which there is at least one: "5.75 minutes", "1 hour",
    "0.25 seconds"."""
    not_negative(nanos)
    size, *words = next((unit for unit in _UNITS if _hundredths(nanos, unit[0]) >= 100), _UNITS[-1])
    hundredths = _hundredths(nanos, size)
    whole, rest = divmod(hundredths, 100)
    number = f"{whole}.{rest:02d}".rstrip("0") if rest else str(whole)
    return f"{number} {_unit(1 if hundredths == 100 else 2, words, language)}"


def decimal_nanos(text: str) -> int:
    """Nanoseconds of a text in one unit."""
    if not (match := _DECIMAL.fullmatch(text)):
        raise _not(text, "a duration in one unit", '"4.2 minutes" or "4.2 dakika"')
    whole, fraction, word = match[1], match[2] or "", match[3]
    in_range(int(whole) * _SECONDS_OF[word])
    nanos: int = int(whole + fraction) * _SECONDS_OF[word] * NANOS // 10 ** len(fraction)
    return nanos


@lru_cache(1024)
def range_text(low: int, high: int, language: Language) -> str:
    """Two numbers of whole seconds in the largest unit that holds both without a rest: "45-60 minutes"; equal ends
    print once."""
    if not_negative(low) > high:
        raise refuse("the low end of a range lies above its high end")
    size, *words = next((unit for unit in _UNITS if high and not low % unit[0] and not high % unit[0]), _UNITS[-1])
    numbers = f"{high // size}" if low == high else f"{low // size}-{high // size}"
    return f"{numbers} {_unit(high // size, words, language)}"


def range_seconds(text: str) -> tuple[int, int]:
    """The two ends in whole seconds; a single number is both."""
    if not (match := _RANGE.fullmatch(text)):
        raise _not(text, "a range of durations", '"45-60 minutes", "15 minutes" or "8-10 dakika"')
    size = _SECONDS_OF[match[3]]
    low, high = int(match[1]) * size, int(match[2] or match[1]) * size
    if low > high:
        raise _not(text, "a range of durations", "the smaller number first")
    return in_range(low), in_range(high)


def millis_text(nanos: int) -> str:
    """Whole milliseconds: "12ms"; half a millisecond rounds up."""
    return f"{(not_negative(nanos) + 500_000) // 1_000_000}ms"


def millis_nanos(text: str) -> int:
    """Nanoseconds of a text in milliseconds."""
    if not (match := _MILLIS.fullmatch(text)):
        raise _not(text, "a number of milliseconds", '"12ms"')
    in_range(int(match[1]) // 1000)
    return int(match[1]) * 1_000_000


def not_negative(amount: int) -> int:
    """The amount itself; refused below zero."""
    if amount < 0:
        raise refuse("a duration is never negative")
    return amount


def in_range(seconds: int) -> int:
    """The seconds themselves; refused below zero and beyond what a protobuf Duration holds."""
    if not_negative(seconds) > MAX_SECONDS:
        raise refuse("the duration is too long", f"at most {MAX_SECONDS} seconds")
    return seconds


def _hundredths(nanos: int, size: int) -> int:
    return (nanos * 100 + size * NANOS // 2) // (size * NANOS)


def _unit(count: int, words: list[str] | tuple[str, ...], language: Language) -> str:
    return words[2] if language == "tr" else words[count != 1]


def _not(text: str, what: str, fix: str) -> Refused:
    return refuse(f"{clip(text)} is not {what}", f"write it like {fix}" if fix.startswith('"') else fix)
