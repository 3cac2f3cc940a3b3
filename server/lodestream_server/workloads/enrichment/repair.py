"""`fix_timestamps`: events without a usable time get one from their case.

Broken are timestamps that are missing, unparsable or outside `notBefore` … `notAfter`. Between two known times of the
case, in the order of the file, an event gets a time between those two: evenly spaced by place, and not before its own
start where that is known. What stands before the first or after the last known time is rejected, or takes the nearest.
"""

import polars as pl

from lodestream_server.workloads.enrichment.applied import Applied, changes, without
from lodestream_server.workloads.enrichment.rules import FixTimestamps
from lodestream_server.workloads.mining.sift import RAW_TIME
from lodestream_server.workloads.mining.timestamps import INSTANT

UNKNOWN = "no usable timestamp, and no known times of the case on both sides"


def fix(rows: pl.DataFrame, rule: FixTimestamps) -> Applied:
    """`rows` of whole cases in the order of the file."""
    before, rows = _as_text(rows), _out_of_range(rows, rule)
    broken = rows["timestamp"].is_null()
    if broken.any():
        rows = _filled(rows, rule)
    swapped = _swapped(rows, broken) if rule.swap_starts and "start_timestamp" in rows.columns else None
    if swapped is not None and swapped.any():
        ends = pl.when(swapped).then(pl.col("start_timestamp")).otherwise(pl.col("timestamp"))
        starts = pl.when(swapped).then(pl.col("timestamp")).otherwise(pl.col("start_timestamp"))
        rows = rows.with_columns(timestamp=ends, start_timestamp=starts)
    fixed = broken & rows["timestamp"].is_not_null()
    turned = swapped if swapped is not None else broken & False
    samples = [
        *changes(before, rows, "timestamp", fixed),
        *changes(before, rows, "timestamp", turned)[:2],
    ]
    reasons = pl.select(pl.when(rows["timestamp"].is_null()).then(pl.lit(UNKNOWN))).to_series()
    left = without(rows, reasons, "timestampsRejected")
    counts = {
        "timestampsBroken": int(broken.sum()),
        "timestampsFixed": int(fixed.sum()),
        **left.counts,
        "startsSwapped": int(turned.sum()),
    }
    return Applied(left.rows, left.removed, int((fixed | turned).sum()), counts, tuple(samples))


def _as_text(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with their timestamps as they stood in the file, for samples."""
    return rows.with_columns(
        pl.coalesce(RAW_TIME, pl.col("timestamp").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")).alias("timestamp")
    )


def _out_of_range(rows: pl.DataFrame, rule: FixTimestamps) -> pl.DataFrame:
    outside = pl.lit(False)
    if rule.not_before:
        outside = outside | (pl.col("timestamp") < rule.not_before)
    if rule.not_after:
        outside = outside | (pl.col("timestamp") > rule.not_after)
    outside = outside.fill_null(False)
    stood = pl.col("timestamp").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
    return rows.with_columns(
        pl.when(outside).then(None).otherwise(pl.col("timestamp")).alias("timestamp"),
        pl.when(outside).then(stood).otherwise(pl.col(RAW_TIME)).alias(RAW_TIME),
    )


def _filled(rows: pl.DataFrame, rule: FixTimestamps) -> pl.DataFrame:
    """The rows with times where some could be found; only cases that need it are looked at."""
    needy = rows.filter(pl.col("timestamp").is_null())["case_id"].unique()
    times = rows.filter(pl.col("case_id").is_in(needy.implode()))
    # Microseconds since 1970 are exact as floats until the year 2255.
    micros = pl.col("timestamp").cast(pl.Int64)
    times = times.with_columns(
        earlier=micros.forward_fill().over("case_id"),
        later=micros.backward_fill().over("case_id"),
        between=micros.interpolate().over("case_id").round().cast(pl.Int64),
        begun=pl.col("start_timestamp").cast(pl.Int64) if "start_timestamp" in rows.columns else pl.lit(None, pl.Int64),
    )
    inside = pl.col("earlier").is_not_null() & pl.col("later").is_not_null()
    guess = {"interpolate": pl.col("between"), "previous": pl.col("earlier"), "next": pl.col("later")}[rule.method]
    low, high = pl.min_horizontal("earlier", "later"), pl.max_horizontal("earlier", "later")
    if rule.method == "interpolate":
        guess = pl.max_horizontal(guess, "begun").clip(low, high)
    found: pl.Expr = pl.when(inside).then(guess)
    if rule.edges == "nearest":
        after_last = pl.max_horizontal("earlier", "begun")
        before_first = pl.min_horizontal("later", pl.coalesce("begun", "later"))
        found = pl.coalesce(found, pl.when(pl.col("earlier").is_not_null()).then(after_last).otherwise(before_first))
    times = times.filter(pl.col("timestamp").is_null()).select("position", found=found.cast(INSTANT))
    joined = rows.join(times, on="position", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("timestamp", "found").alias("timestamp")).drop("found")


def _swapped(rows: pl.DataFrame, broken: pl.Series) -> pl.Series:
    """Intervals that end before they begin; a time that was found here is no proof of one."""
    return (rows["start_timestamp"] > rows["timestamp"]).fill_null(False) & ~broken
