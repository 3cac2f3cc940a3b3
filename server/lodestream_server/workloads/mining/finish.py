"""One bucket, complete: timestamps inferred, duplicates found, the time window applied, attributes converted, rows
sorted.

The rule of inference: an event whose timestamp is missing or unparsable, and that stands in the file between two events
of its case that have one, gets a time between those two: evenly spaced by place. An event before the first or after the
last known time of its case is rejected.
"""

from dataclasses import dataclass

import polars as pl

from lodestream_server.workloads.mining import kinds, timestamps
from lodestream_server.workloads.mining.kinds import Kinds
from lodestream_server.workloads.mining.rejects import BAD_TIME, NO_TIME
from lodestream_server.workloads.mining.sift import RAW_TIME, STANDARD
from lodestream_server.workloads.mining.time_window import TimeWindow

ORDER = ("case_id", "timestamp", "position")

_REPEATED = "__repeated"


@dataclass(frozen=True, slots=True)
class Finished:
    """A bucket: the rows to keep in the log's order, the rejected ones (with `reason`), and what was found."""

    rows: pl.DataFrame
    rejected: pl.DataFrame
    valid: int
    duplicates: int
    removed: int
    inferred: dict[str, int]
    outside: int


def finish(rows: pl.DataFrame, window: TimeWindow, remove_duplicates: bool) -> Finished:
    """`rows`: all rows of a bucket in the order of the file, as sifted."""
    unknown = rows["timestamp"].is_null()
    rejected, inferred = rows.clear(), dict[str, int]()
    if unknown.any():
        rows = _infer(rows)
        reason = (
            pl.when(pl.col(RAW_TIME).is_in(timestamps.ABSENT))
            .then(pl.lit(NO_TIME))
            .otherwise(pl.lit(BAD_TIME))
            .alias("reason")
        )
        rejected = rows.filter(pl.col("timestamp").is_null()).with_columns(reason)
        rows = rows.filter(pl.col("timestamp").is_not_null())
        reasons = rows.filter(pl.col(RAW_TIME).is_not_null()).select(reason).to_series()
        inferred = dict(reasons.value_counts().iter_rows())
    rows = rows.sort(ORDER)
    valid, repeated = rows.height, _repeated(rows)
    duplicates = int(repeated.sum())
    if duplicates and remove_duplicates:
        rows = rows.filter(~repeated)
    before = rows.height
    if window:
        rows = rows.filter(window.holds("timestamp"))
    removed = duplicates if remove_duplicates else 0
    return Finished(rows.drop(RAW_TIME), rejected, valid, duplicates, removed, inferred, before - rows.height)


def converted(rows: pl.DataFrame, found: Kinds, attributes: list[str]) -> pl.DataFrame:
    """The columns in the order of the validated log, attributes in their own types; `attributes` names all of the file,
    absent ones become null."""
    standard = [name for name in STANDARD if name in rows.columns]
    columns = []
    for name in attributes:
        kind = found.of(name)
        if name not in rows.columns:
            columns.append(pl.Series(name, [None] * rows.height, dtype=kinds.TYPES[kind.type]))
        elif rows[name].dtype == pl.String:
            read = kinds.converted(rows[name], kind)
            columns.append(read if read is not None else rows[name])
        else:
            columns.append(rows[name])
    return rows.select(*standard, *columns)


def _infer(rows: pl.DataFrame) -> pl.DataFrame:
    """Gives times to events between two known ones of their case."""
    touched = pl.col("case_id").is_in(rows.filter(pl.col("timestamp").is_null())["case_id"].unique().to_list())
    # Microseconds since 1970 are exact as floats until the year 2255.
    times = (
        rows.filter(touched)
        .select("position", guess=pl.col("timestamp").cast(pl.Int64).interpolate().over("case_id"))
        .with_columns(pl.col("guess").round().cast(pl.Int64).cast(timestamps.INSTANT))
    )
    return (
        rows.join(times, on="position", how="left", maintain_order="left")
        .with_columns(pl.coalesce("timestamp", "guess").alias("timestamp"))
        .drop("guess")
    )


def _repeated(rows: pl.DataFrame) -> pl.Series:
    """Marks rows that repeat an earlier row of the file in every column of the source. `rows` in the log's order."""
    same = (pl.col("case_id") == pl.col("case_id").shift(1)) & (pl.col("timestamp") == pl.col("timestamp").shift(1))
    # Identical rows have the same instant, unless theirs was inferred: only such rows are compared in full.
    maybe = rows.select(same.fill_null(False)).to_series()
    maybe = maybe | maybe.shift(-1, fill_value=False) | rows[RAW_TIME].is_not_null()
    if not maybe.any():
        return maybe
    inferred = pl.col(RAW_TIME).is_not_null()
    known = [
        pl.when(inferred).then(None).otherwise(pl.col("timestamp")).alias("timestamp"),
        pl.exclude("timestamp", "position"),
    ]
    suspects = rows.with_row_index("__row").filter(maybe).sort("position")
    first = suspects.drop("__row").select(pl.struct(*known).is_first_distinct()).to_series()
    found = suspects.filter(~first)["__row"]
    return pl.select(pl.int_range(rows.height).cast(pl.UInt32).is_in(found.implode())).to_series()
