"""Timestamps as text, told apart and read: a whole column at a time, as instants in UTC with microseconds.

Texts without an offset are UTC. A pattern is "iso8601", "epoch-s", "epoch-ms", "epoch-us", "epoch-ns" or strftime
words, of which `%f` takes any number of digits after a point or comma. What does not parse is null, never an error.
Called by the readers, by loading and by column detection.
"""

import re
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from lodestream_server.workloads.phase import BadInput

ISO = "iso8601"
INSTANT = pl.Datetime("us", "UTC")

#: Microseconds per unit; nanoseconds are divided instead.
EPOCHS = {"epoch-s": 1_000_000.0, "epoch-ms": 1_000.0, "epoch-us": 1.0, "epoch-ns": 0.001}

#: Texts that mean "no timestamp" in exports of other tools.
ABSENT = ("", "NA", "N/A", "NaN", "nan", "NaT", "null", "NULL", "None", "-", "#N/A")

_ISO_SHAPE = (
    r"^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    r"(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?$"
)
_ISO_PARTS = (
    r"^\s*(?<date>\d{4}-\d\d?-\d\d?)(?:[Tt ]\s*(?<minute>\d\d?:\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d+))?)?)?"
    r"\s*(?:[Zz]|UTC|GMT|(?<sign>[+-])(?<hours>\d\d):?(?<minutes>\d\d)?)?\s*$"
)
_OFFSET = r"(?:[Zz]|[+-]\d\d:?\d\d|[+-]\d\d)$"


@dataclass(frozen=True, slots=True)
class Detected:
    """How to read a column: the pattern, the share of sample values that it reads, and whether day and month could be
    the other way round."""

    pattern: str
    share: float
    ambiguous: bool = False


def parse(column: pl.Series, pattern: str) -> pl.Series:
    """The instants of a column (texts, or any type that a typed file has for time), null where there is none.

    Raises BadInput for a pattern that cannot be used.
    """
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime):
        zoned = column if dtype.time_zone else column.dt.replace_time_zone("UTC")
        return zoned.dt.convert_time_zone("UTC").cast(INSTANT)
    if dtype == pl.Date:
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if dtype.is_numeric():
        return _epoch(column, pattern if pattern in EPOCHS else epoch_unit(column) or "epoch-s")
    texts = column.cast(pl.String)
    if pattern in EPOCHS:
        return _epoch(texts.str.strip_chars().cast(pl.Float64, strict=False), pattern)
    return _iso(texts) if pattern.lower() in (ISO, "iso") else _by_pattern(texts, pattern)


def detect(column: pl.Series) -> Detected | None:
    """The pattern that reads most of a sample of texts; None when none reads half of it."""
    values = column.drop_nulls()
    values = values.filter(~values.is_in(ABSENT)).unique(maintain_order=True).head(2_000)
    if values.is_empty():
        return None
    unit = epoch_unit(values.cast(pl.Float64, strict=False))
    if unit:
        return Detected(unit, 1.0)
    candidates = [
        ISO,
        *dict.fromkeys(p for value in values.gather_every(max(1, len(values) // 50)) for p in patterns(value)),
    ]
    rated = [(parse(values, pattern), pattern) for pattern in candidates]
    best = max(len(read) - read.null_count() for read, _ in rated)
    if best * 2 < len(values):
        return None
    equals = [(read, pattern) for read, pattern in rated if len(read) - read.null_count() == best]
    # 03/04/2024 reads both ways: events of one log lie close together, so the reading with the narrower range wins.
    narrow = min(equals, key=lambda item: _span(item[0]))
    return Detected(narrow[1], best / len(values), ambiguous=any(not read.equals(narrow[0]) for read, _ in equals))


def epoch_unit(numbers: pl.Series) -> str | None:
    """Which epoch unit makes all of these numbers instants between 1985 and 2100; None when no unit does, or the column
    holds nulls."""
    if numbers.null_count() or numbers.is_empty():
        return None
    low, high = float(numbers.min() or 0), float(numbers.max() or 0)  # type: ignore[arg-type]  # numeric by its callers
    for unit, micros in EPOCHS.items():
        if low * micros >= 473_385_600e6 and high * micros < 4_102_444_800e6:
            return unit
    return None


def offsets(column: pl.Series) -> list[str]:
    """The UTC offsets that occur in texts, sorted; "" stands for texts without one."""
    if column.dtype != pl.String:
        return []
    values = column.drop_nulls()
    timed = values.filter(values.str.contains(r"\d:\d\d"))
    return sorted(timed.str.extract(f"({_OFFSET})").fill_null("").unique())


#: Words of strftime that can be read.
_KNOWN_WORDS = frozenset("aAbBcCdDeFfgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%")

_DATE_NUMBERS = re.compile(r"(\d{1,4})([/.\-])(\d{1,2})\2(\d{1,4})")
_DATE_DAY_NAME = re.compile(r"(\d{1,2})([ \-./])([A-Za-z]{3,9})\2(\d{2,4})")
_DATE_NAME_DAY = re.compile(r"([A-Za-z]{3,9}) (\d{1,2})(,?) (\d{4})")
_DATE_COMPACT = re.compile(r"\d{8}(?=$|T|\s|\d{4}(?:\d\d)?$)")
_WEEKDAY = re.compile(r"([A-Za-z]{3,9})(,? )(?=\d|[A-Za-z]{3})")
_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)([.,]\d+)?)?( ?[AaPp][Mm])?")
_TIME_COMPACT = re.compile(r"(\d\d)(\d\d)(\d\d)?(?=$|[+\-Z])")
_BETWEEN = re.compile(r"T|, | - | +|")
_ZONE = re.compile(r"( ?)(?:[+-]\d\d:?\d\d|Z)$")


def patterns(text: str) -> list[str]:
    """strftime patterns that a text might follow, both readings when day and month are not told apart."""
    text, prefix = text.strip(), ""
    weekday = _WEEKDAY.match(text)
    if weekday and not _DATE_NAME_DAY.match(text):
        prefix = ("%a" if len(weekday[1]) == 3 else "%A") + weekday[2]
        text = text[weekday.end() :]
    for shape, dates in (
        (_DATE_NUMBERS, _numbers),
        (_DATE_DAY_NAME, _day_name),
        (_DATE_NAME_DAY, _name_day),
        (_DATE_COMPACT, _compact),
    ):
        found = shape.match(text)
        if found:
            rest = _rest(text[found.end() :])
            return [prefix + date + rest for date in dates(found)] if rest is not None else []
    return []


def _numbers(found: re.Match[str]) -> list[str]:
    first, mark, last = found[1], found[2], found[4]
    if len(first) == 4:
        return [f"%Y{mark}%m{mark}%d"]
    year = "%Y" if len(last) == 4 else "%y"
    return [f"%d{mark}%m{mark}{year}", f"%m{mark}%d{mark}{year}"]


def _day_name(found: re.Match[str]) -> list[str]:
    return [f"%d{found[2]}{_month(found[3])}{found[2]}{'%Y' if len(found[4]) == 4 else '%y'}"]


def _name_day(found: re.Match[str]) -> list[str]:
    return [f"{_month(found[1])} %d{found[3]} %Y"]


def _compact(_: re.Match[str]) -> list[str]:
    return ["%Y%m%d"]


def _month(name: str) -> str:
    return "%b" if len(name) == 3 else "%B"


def _rest(text: str) -> str | None:
    """The pattern of what stands after the date; None when it is not a time."""
    if not text:
        return ""
    between = _BETWEEN.match(text)
    mark = between[0] if between else ""
    text = text[len(mark) :]
    time, compact = _TIME.match(text), _TIME_COMPACT.match(text)
    if time:
        fraction = f"{time[4][0]}%f" if time[4] else ""
        half_day = (" %p" if time[5].startswith(" ") else "%p") if time[5] else ""
        words = ("%I" if half_day else "%H") + ":%M" + (":%S" if time[3] else "") + fraction + half_day
    elif compact:
        words = "%H%M" + ("%S" if compact[3] else "")
    else:
        return None
    text = text[(time or compact).end() :]  # type: ignore[union-attr]  # one of the two matched
    zone = _ZONE.fullmatch(text) if text else None
    if text and not zone:
        return None
    return mark + words + (f"{zone[1]}%z" if zone else "")


def _epoch(numbers: pl.Series, unit: str) -> pl.Series:
    micros = numbers.cast(pl.Float64) * EPOCHS[unit] if not numbers.dtype.is_integer() else _whole(numbers, unit)
    within = micros.is_between(-62_135_596_800e6, 253_402_300_799e6)  # years 1 to 9999
    return pl.select(pl.when(within).then(micros)).to_series().cast(pl.Int64, strict=False).cast(INSTANT)


def _whole(numbers: pl.Series, unit: str) -> pl.Series:
    whole = numbers.cast(pl.Int64, strict=False)
    return whole // 1_000 if unit == "epoch-ns" else whole * int(EPOCHS[unit])


def _iso(texts: pl.Series) -> pl.Series:
    read = _arrow(texts)
    if read is not None:
        return read
    # Something in here is not plain ISO: the bulk is still read fast, the rest slowly.
    plain = texts.str.contains(_ISO_SHAPE).fill_null(False)
    masked = pl.select(pl.when(plain).then(texts)).to_series()
    fast = _arrow(masked) if plain.any() else None
    if fast is None:
        return _tolerant(texts)
    if (masked.null_count() - texts.null_count()) == 0:
        return fast
    rest = _tolerant(texts.filter(~plain))
    rows = pl.int_range(len(texts), eager=True).filter(~plain)
    return fast.clone().scatter(rows, rest)


def _arrow(texts: pl.Series) -> pl.Series | None:
    """Arrow's reader: about 40 ns a value, but one bad value fails the whole column (None then)."""
    values = texts.to_arrow().cast(pa.large_string())
    zoned = (
        texts.drop_nulls().head(1).str.contains(_OFFSET).any() and texts.drop_nulls().head(1).str.contains(":").any()
    )
    try:
        if zoned:
            return pl.Series(pl.from_arrow(pc.cast(values, pa.timestamp("us", "UTC")))).cast(INSTANT)
        return pl.Series(pl.from_arrow(pc.cast(values, pa.timestamp("us")))).dt.replace_time_zone("UTC")
    except pa.ArrowInvalid:
        return None


def _tolerant(texts: pl.Series) -> pl.Series:
    """ISO with any number of digits after the second, a comma for the point, spaces, "UTC"; offsets may differ from row
    to row."""
    parts = texts.to_frame("text").select(pl.col("text").str.extract_groups(_ISO_PARTS)).unnest("text")
    base = pl.concat_str(
        "date", pl.lit("T"), pl.col("minute").fill_null("00:00"), pl.lit(":"), pl.col("second").fill_null("00")
    )
    shift = pl.col("hours").cast(pl.Int64) * 60 + pl.col("minutes").fill_null("0").cast(pl.Int64)
    signed = pl.when(pl.col("sign") == "-").then(-shift).otherwise(shift).fill_null(0)
    micros = pl.col("fraction").str.pad_end(6, "0").str.head(6).cast(pl.Int64).fill_null(0)
    read = parts.select(
        base.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
        + pl.duration(microseconds=micros)
        - pl.duration(minutes=signed)
    )
    return read.to_series().dt.replace_time_zone("UTC").cast(INSTANT)


def _by_pattern(texts: pl.Series, pattern: str) -> pl.Series:
    letters = set(re.findall(r"%[-_0.:#369]*(.)", pattern))
    if not letters & set("YyGFDcs") or letters - _KNOWN_WORDS:
        raise BadInput(
            f'The timestampFormat "{pattern}" cannot be used: give strftime words such as "%d.%m.%Y %H:%M:%S", or '
            "one of iso8601, "
            f"{', '.join(EPOCHS)}.",
            reason="BAD_TIMESTAMP_FORMAT",
        )
    words, values = pattern.replace("%z", "%#z").replace(".%f", "%.f"), texts.str.strip_chars()
    if ",%f" in words:
        words, values = words.replace(",%f", "%.f"), values.str.replace(",", ".", literal=True)
    try:
        read = values.str.to_datetime(words, time_unit="us", strict=False)
    except pl.exceptions.PolarsError as fault:
        raise BadInput(
            f'The timestampFormat "{pattern}" cannot be used: it needs at least a year, a month and a day, and '
            "minutes where it has hours.",
            reason="BAD_TIMESTAMP_FORMAT",
        ) from fault
    zoned = isinstance(read.dtype, pl.Datetime) and read.dtype.time_zone is not None
    return (read if zoned else read.dt.replace_time_zone("UTC")).cast(INSTANT)


def _span(read: pl.Series) -> int:
    numbers = read.cast(pl.Int64).drop_nulls()
    return int(numbers.max() or 0) - int(numbers.min() or 0)  # type: ignore[arg-type]  # a column of integers
