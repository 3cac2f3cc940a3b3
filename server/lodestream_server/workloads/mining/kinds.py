"""The types of attribute columns: found from all values, so that no value is lost.

A column is integer, number, boolean or timestamp only if every value of the file is; anything else is string. Values
stay texts on the way and are converted at the end, when all have been seen. Identifiers such as 007 or +49 and numbers
of more than 15 digits stay strings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from lodestream_server.workloads.mining import timestamps

#: The names of types, as descriptions of datasets have them.
TYPES: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "string": pl.String,
    "integer": pl.Int64,
    "number": pl.Float64,
    "boolean": pl.Boolean,
    "timestamp": timestamps.INSTANT,
}

#: Texts longer than this lose digits as 64-bit numbers with a point.
_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Kind:
    """A type, and for timestamps how to read them."""

    type: str
    pattern: str = timestamps.ISO


STRING = Kind("string")


@dataclass(slots=True)
class Kinds:
    """What is known about the columns so far. `declared` are types that the format itself states; they are checked like
    guesses."""

    declared: Mapping[str, str] = field(default_factory=dict)
    found: dict[str, Kind | None] = field(default_factory=dict)

    def see(self, name: str, values: pl.Series) -> None:
        """Takes in some values of a column; nothing is concluded from nulls."""
        if values.dtype != pl.String:
            self.found[name] = Kind(native(values.dtype))
            return
        kind = self.found.get(name)
        if kind is STRING:
            return
        present = values.drop_nulls() if values.null_count() else values
        if len(present):
            self.found[name] = self._first(name, present) if kind is None else _kept(kind, present)

    def of(self, name: str) -> Kind:
        """The type of a column; string for one without values."""
        return self.found.get(name) or STRING

    def _first(self, name: str, present: pl.Series) -> Kind:
        declared = self.declared.get(name)
        if declared:
            return _kept(Kind(declared), present)
        head = present.head(200)
        for type_ in ("boolean", "integer", "number"):
            if converted(head, Kind(type_)) is not None:
                return _kept(Kind(type_), present)
        detected = timestamps.detect(head)
        plain = detected is not None and detected.pattern not in timestamps.EPOCHS and not detected.ambiguous
        if detected and plain and detected.share == 1.0:
            return _kept(Kind("timestamp", detected.pattern), present)
        return STRING


def _kept(kind: Kind, present: pl.Series) -> Kind:
    """The kind when it fits further values as well, else the next wider one that does."""
    if kind is STRING or kind.type == "string" or converted(present, kind) is not None:
        return STRING if kind.type == "string" else kind
    if kind.type == "integer" and converted(present, Kind("number")) is not None:
        return Kind("number")
    return STRING


def converted(texts: pl.Series, kind: Kind) -> pl.Series | None:
    """Texts as values of a kind; None when one of them is none."""
    match kind.type:
        case "integer":
            values = None if _padded(texts) else texts.cast(pl.Int64, strict=False)
        case "number":
            values = None if _padded(texts) or _long(texts) else texts.cast(pl.Float64, strict=False)
            if values is not None and not values.is_finite().all():
                values = None
        case "boolean":
            lower = texts.str.to_lowercase()
            values = pl.select(pl.when(lower.is_in(["true", "false"])).then(lower == "true")).to_series()
        case "timestamp":
            values = timestamps.parse(texts, kind.pattern)
        case _:
            values = texts
    return None if values is None or values.null_count() > texts.null_count() else values.alias(texts.name)


def native(dtype: pl.DataType) -> str:
    """The name of a type that a typed file has."""
    if dtype.is_integer():
        return "integer"
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    return "timestamp" if isinstance(dtype, pl.Datetime) or dtype == pl.Date else "string"


def _padded(texts: pl.Series) -> bool:
    return bool(texts.str.contains(r"^(?:\+|-?0\d)").any())


def _long(texts: pl.Series) -> bool:
    return bool((texts.str.count_matches(r"\d") > _DIGITS).any()) if (texts.str.len_bytes() > _DIGITS).any() else False
