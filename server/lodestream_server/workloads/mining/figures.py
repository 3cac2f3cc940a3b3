"""Statistics over rows too many for one table: partial files in a scratch folder, exact figures at the end.

Medians and other quantiles cannot be merged from partial results. So each bucket leaves its values (key, microseconds)
in a file, and `summarise` reads one range of keys at a time: exact, and never more than about `ROWS_AT_ONCE` values in
memory, unless a single key has more.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import polars as pl

from lodestream_server.workloads.phase import Json

#: About 128 MB of (key, value) pairs.
ROWS_AT_ONCE = 8_000_000

#: Of these so many are looked at between two cancel points, unless a single key has more.
_BETWEEN = 1_000_000

#: Quantiles lie on the straight line between the two nearest values (as in R type 7 and NumPy's default).
QUANTILE: Literal["linear"] = "linear"

#: Characters of a name in the results, so that a few odd names cannot blow them up.
LONGEST_TEXT = 200

_NOTHING = pl.DataFrame(schema={"key": pl.UInt64, "value": pl.Int64})


def keep(folder: Path, name: str, number: int, rows: pl.DataFrame) -> None:
    """Leaves the rows (`key`, `value` …) of one bucket in the scratch folder, to be summarised under `name`."""
    target = folder / name
    target.mkdir(exist_ok=True)
    rows.write_parquet(target / f"{number:05d}.parquet", compression="lz4", statistics=True)


def parts(folder: Path, name: str, check: Callable[[], None], together: int = 1) -> Iterator[pl.DataFrame]:
    """The rows kept under `name`, by key, in parts small enough to be looked at between two cancel points; about
    `ROWS_AT_ONCE` are in memory, and all rows of a key are in one part.

    With `together`, so are all rows of the keys that agree in `key // together`.
    """
    scan = pl.scan_parquet(sorted((folder / name).glob("*.parquet")), glob=False)
    group = pl.col("key") // together
    sizes = scan.group_by(key=group).agg(pl.len()).sort("key").collect()
    for low, high in _ranges(sizes, ROWS_AT_ONCE):
        check()
        rows = scan.filter(group.is_between(low, high)).collect()
        for first, last in _ranges(sizes.filter(pl.col("key").is_between(low, high)), _BETWEEN):
            check()
            yield rows.filter(group.is_between(first, last))


def summarise(folder: Path, name: str, check: Callable[[], None]) -> pl.DataFrame:
    """A row per key, sorted by key: count, total, mean, median, p90, min and max of its values, in their own unit."""
    return _joined([_summary(part, pl.col("key")) for part in parts(folder, name, check)])


def summarise_twice(
    folder: Path, name: str, check: Callable[[], None], together: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The same by `key`, and by `key // together`, from reading the values once."""
    fine, coarse = [], []
    for part in parts(folder, name, check, together):
        fine.append(_summary(part, pl.col("key")))
        check()
        coarse.append(_summary(part, pl.col("key") // together))
    return _joined(fine), _joined(coarse)


def _summary(part: pl.DataFrame, key: pl.Expr) -> pl.DataFrame:
    return part.group_by(key=key).agg(*_figures("value"))


def _joined(rows: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(rows).sort("key") if rows else _summary(_NOTHING, pl.col("key"))


def _ranges(sizes: pl.DataFrame, most: int) -> list[tuple[int, int]]:
    chunks = sizes.with_columns(chunk=(pl.col("len").cum_sum() - pl.col("len")) // most)
    ranges = chunks.group_by("chunk", maintain_order=True).agg(low=pl.col("key").min(), high=pl.col("key").max())
    return list(zip(ranges["low"].to_list(), ranges["high"].to_list(), strict=True))


def _figures(column: str) -> list[pl.Expr]:
    value = pl.col(column)
    return [
        pl.len().cast(pl.Int64).alias("count"),
        value.sum().alias("total"),
        value.mean().alias("mean"),
        value.median().alias("median"),
        value.quantile(0.9, interpolation=QUANTILE).alias("p90"),
        value.min().alias("min"),
        value.max().alias("max"),
    ]


def listed(table: pl.DataFrame, rows: int) -> list[Json]:
    """The first rows of a table for the results; texts longer than `LONGEST_TEXT` end in an ellipsis (not in files)."""
    top = table.head(rows)
    return top.with_columns(_short(pl.col(name)) for name, kind in top.schema.items() if kind == pl.String).to_dicts()


def _short(text: pl.Expr) -> pl.Expr:
    cut = text.str.head(LONGEST_TEXT - 1) + "…"
    return pl.when(text.str.len_chars() > LONGEST_TEXT).then(cut).otherwise(text).name.keep()


def in_seconds(*columns: str) -> list[pl.Expr]:
    """Microseconds to seconds: `mean` becomes `meanSeconds`, as a float with six decimals at most."""
    return [(pl.col(column) / 1e6).round(6).alias(f"{column}Seconds") for column in columns]


def spread(microseconds: pl.Series) -> dict[str, float | None]:
    """Average, median, p90, shortest and longest of durations, in seconds; None where there is no value."""
    if microseconds.is_empty():
        return dict.fromkeys(("averageSeconds", "medianSeconds", "p90Seconds", "minSeconds", "maxSeconds"))
    row = pl.DataFrame({"value": microseconds}).select(*_figures("value")).row(0, named=True)
    names = {
        "averageSeconds": "mean",
        "medianSeconds": "median",
        "p90Seconds": "p90",
        "minSeconds": "min",
        "maxSeconds": "max",
    }
    return {name: round(row[figure] / 1e6, 6) for name, figure in names.items()}
