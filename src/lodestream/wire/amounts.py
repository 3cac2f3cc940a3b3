"""Sizes, rates, shares, money and counts as the documentation writes them, and back.

Pure pairs like those of `durations`. Sizes use decimal units (1 GB = 10^9 bytes); rates and percents keep one decimal.
"""

import math
import re

from lodestream.wire.languages import Language
from lodestream.wire.problems import Refused, clip, refuse

# JSON numbers are exact up to here in every language that reads them as doubles.
MAX_SAFE = 2**53
MAX_INT64 = 2**63 - 1
_MEGABYTE = 10**6

# Unit, its bytes, and the size from which it is used: 999,950,000 bytes round to 1000.0 MB, so they are 1.0 GB.
_SIZES = (
    ("TB", 10**12, 999_950_000_000),
    ("GB", 10**9, 999_950_000),
    ("MB", 10**6, 999_950),
    ("KB", 10**3, 1_000),
)
_BYTES_OF = {**{name: unit for name, unit, _ in _SIZES}, "B": 1}
_NUMBER = r"(-?[0-9]{1,310}(?:\.[0-9]{1,20})?)"
_SIZE = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,12}))? ?(TB|GB|MB|KB|B)")
_PER_SECOND = re.compile(rf"{_NUMBER} (?:records/second|kayıt/saniye)")
_PER_MINUTE = re.compile(rf"{_NUMBER} (?:records/minute|kayıt/dakika)|dakikada {_NUMBER} kayıt")
_PERCENT = re.compile(rf"{_NUMBER}%|%{_NUMBER}")
_MONEY = re.compile(r"(-?)\$([0-9]{1,18})(?:\.([0-9]{1,2}))?")
_PERCENTILE = re.compile(r"([0-9]{1,10})(?:(?:st|nd|rd|th) percentile|\. persentil)")
_MORE_JOBS = re.compile(r"([0-9]{1,10}) (?:additional jobs?|ek iş)")


def plain(value: float) -> int | float:
    """A number as plain JSON: integral ones below 2^53 without a point. NaN and infinity are refused."""
    if value.is_integer() and -MAX_SAFE < value < MAX_SAFE:
        return int(value)
    return finite(value)


def finite(value: float) -> float:
    """The number itself; NaN and infinity are refused."""
    if not math.isfinite(value):
        raise refuse("NaN and infinity are not numbers in JSON")
    return value


def size_text(size: int, language: Language = "en") -> str:
    """Bytes in decimal units: one decimal below 10, none that is zero from 10 up, whole bytes below 1 KB ("512 B")."""
    for name, unit, start in _SIZES:
        if size >= start:
            whole, rest = divmod((size * 10 + unit // 2) // unit, 10)
            return f"{whole}.{rest} {name}" if rest or whole < 10 else f"{whole} {name}"
    if size < 0:
        raise refuse("a size is never negative")
    return f"{size} B"


def size_bytes(text: str) -> int:
    """Bytes of a size in decimal units."""
    if not (match := _SIZE.fullmatch(text)):
        raise _not(text, "a size", '"4.0 GB", "64 GB", "890 KB" or "512 B"')
    fraction = match[2] or ""
    size: int = int(match[1] + fraction) * _BYTES_OF[match[3]] // 10 ** len(fraction)
    if size > MAX_INT64:
        raise _not(text, "a size that fits", '"9223372 TB" or less')
    return size


def gigabytes(size: int) -> int | float:
    """Bytes as a bare number of gigabytes, rounded to whole megabytes: 0.8."""
    if size < 0:
        raise refuse("a size is never negative")
    return plain((size + _MEGABYTE // 2) // _MEGABYTE / 1000)


def gigabytes_bytes(number: float) -> int:
    """Bytes of a number of gigabytes, at whole megabytes."""
    if not 0 <= finite(number) <= MAX_INT64 // 10**9:
        raise refuse("the size is out of range", "a number of gigabytes from 0 up")
    return round(number * 1000) * _MEGABYTE


def per_second_text(rate: float, language: Language) -> str:
    """Records a second: "1250 records/second", "1250 kayıt/saniye"."""
    return f"{_one_decimal(rate)} {'kayıt/saniye' if language == 'tr' else 'records/second'}"


def per_second(text: str) -> float:
    """Records a second of such a text."""
    if not (match := _PER_SECOND.fullmatch(text)):
        raise _not(text, "a rate per second", '"1250 records/second" or "1250 kayıt/saniye"')
    return finite(float(match[1]))


def per_minute_text(rate: float, language: Language) -> str:
    """Records a minute: "1890 records/minute", "dakikada 1890 kayıt"."""
    return f"dakikada {_one_decimal(rate)} kayıt" if language == "tr" else f"{_one_decimal(rate)} records/minute"


def per_minute(text: str) -> float:
    """Records a minute of such a text."""
    if not (match := _PER_MINUTE.fullmatch(text)):
        raise _not(text, "a rate per minute", '"1890 records/minute" or "dakikada 1890 kayıt"')
    return finite(float(match[1] or match[2]))


def percent_text(share: float, language: Language = "en") -> str:
    """A percentage with its sign: "45%", "99.5%"."""
    return f"{_one_decimal(share)}%"


def percent(text: str) -> float:
    """The number of a percentage."""
    if not (match := _PERCENT.fullmatch(text)):
        raise _not(text, "a percentage", '"45%"')
    return finite(float(match[1] or match[2]))


def money_text(units: int, nanos: int) -> str:
    """Dollars with two decimals: "$2.45"; half a cent rounds away from zero."""
    total = units * 10**9 + nanos
    dollars, cents = divmod((abs(total) + 5_000_000) // 10_000_000, 100)
    return f"{'-' if total < 0 and (dollars or cents) else ''}${dollars}.{cents:02d}"


def money(text: str) -> tuple[int, int]:
    """Whole dollars and nanos of a dollar, both of one sign."""
    if not (match := _MONEY.fullmatch(text)):
        raise _not(text, "an amount in dollars", '"$2.45"')
    sign = -1 if match[1] else 1
    return sign * int(match[2]), sign * int((match[3] or "").ljust(2, "0")) * 10_000_000


def percentile_text(rank: int, language: Language) -> str:
    """A rank: "85th percentile", "1st percentile", "85. persentil"."""
    if rank < 0:
        raise refuse("a percentile is never negative")
    if language == "tr":
        return f"{rank}. persentil"
    teen = 10 < rank % 100 < 14
    return f"{rank}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(rank % 10, 'th')} percentile"


def percentile(text: str) -> int:
    """The number of a rank."""
    if not (match := _PERCENTILE.fullmatch(text)):
        raise _not(text, "a percentile", '"85th percentile" or "85. persentil"')
    return _int32(int(match[1]))


def more_jobs_text(count: int, language: Language) -> str:
    """A number of further jobs: "6 additional jobs", "1 additional job", "6 ek iş"."""
    if count < 0:
        raise refuse("a number of jobs is never negative")
    return f"{count} {'ek iş' if language == 'tr' else 'additional job' if count == 1 else 'additional jobs'}"


def more_jobs(text: str) -> int:
    """The number of further jobs."""
    if not (match := _MORE_JOBS.fullmatch(text)):
        raise _not(text, "a number of jobs", '"6 additional jobs" or "6 ek iş"')
    return _int32(int(match[1]))


def _one_decimal(value: float) -> str:
    text = f"{finite(value):.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _int32(number: int) -> int:
    if number > 2**31 - 1:
        raise refuse("the number is too large", f"at most {2**31 - 1}")
    return number


def _not(text: str, what: str, example: str) -> Refused:
    return refuse(f"{clip(text)} is not {what}", f"write it like {example}")
