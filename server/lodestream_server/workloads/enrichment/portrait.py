"""What the added columns hold, added up over the buckets: for the results and the report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lodestream_server.workloads.mining.kinds import native
from lodestream_server.workloads.phase import Json

#: Different texts counted of a column; beyond that, only that there are more is known.
_MOST_TEXTS = 1_000
_LISTED = 5


@dataclass(slots=True)
class _Portrait:
    type: str = "string"
    values: int = 0
    missing: int = 0
    low: Any = None
    high: Any = None
    total: float = 0.0
    true: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    many: bool = False

    def add(self, column: pl.Series) -> None:
        self.type = native(column.dtype)
        present = column.drop_nulls()
        self.values += len(present)
        self.missing += len(column) - len(present)
        if present.is_empty():
            return
        if self.type == "boolean":
            self.true += int(present.sum())
        elif self.type == "string":
            self._count(present.cast(pl.String))
        else:
            low, high = present.min(), present.max()
            self.low = low if self.low is None else min(self.low, low)
            self.high = high if self.high is None else max(self.high, high)
            if self.type in ("integer", "number"):
                self.total += float(present.cast(pl.Float64).sum())

    def _count(self, texts: pl.Series) -> None:
        if self.many:
            return
        self.texts.update(dict(texts.value_counts().iter_rows()))
        if len(self.texts) > _MOST_TEXTS:
            self.many, self.texts = True, Counter()

    def as_json(self) -> Json:
        told: Json = {"type": self.type, "missing": self.missing}
        if self.type == "boolean":
            told |= {"true": self.true, "false": self.values - self.true}
        elif self.type == "string":
            told |= {"different": None if self.many else len(self.texts)}
            told |= {"frequent": {text[:100]: count for text, count in self.texts.most_common(_LISTED)}}
        elif self.values:
            told |= {"min": _plain(self.low), "max": _plain(self.high)}
            if self.type in ("integer", "number"):
                told["mean"] = round(self.total / self.values, 6)
        return told


@dataclass(slots=True)
class Portraits:
    """One portrait a column."""

    _of: dict[str, _Portrait] = field(default_factory=dict)

    def add(self, frame: pl.DataFrame, names: Sequence[str]) -> None:
        """Takes in the columns of a bucket."""
        for name in names:
            self._of.setdefault(name, _Portrait()).add(frame[name])

    def as_json(self, meanings: Mapping[str, str]) -> list[Json]:
        """name, meaning, type, missing; min, max and mean of numbers; true and false of flags; the most frequent
        texts."""
        return [{"name": name, "meaning": meaning, **self._of[name].as_json()} for name, meaning in meanings.items()]


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) else f"{value:%Y-%m-%dT%H:%M:%SZ}"
