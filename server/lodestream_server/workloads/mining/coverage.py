"""What follows from the variants alone: how often and in how many cases each activity and each step occurs.

Counting on variants instead of events is exact (a variant stands for all of its cases) and as a rule much less work.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from lodestream_server.workloads.mining.sequences import EVENTS_AT_ONCE
from lodestream_server.workloads.mining.validated import PAIR


@dataclass(frozen=True, slots=True)
class Coverage:
    """`activities`: activity (number), events, cases, starts, ends. `steps`: key (source * 2^32 + target), count,
    cases. `paths`: number of different sequences once immediate repetitions count as one.
    """

    activities: pl.DataFrame
    steps: pl.DataFrame
    paths: int


def cover(variants: pl.DataFrame, check: Callable[[], None]) -> Coverage:
    """Counts over all variants (columns `sequence` and `cases`)."""
    activities, steps, paths = [], [], []
    for part in _slices(variants.select("sequence", "cases")):
        check()
        events = _spread(part)
        activities.append(_activities(events))
        steps.append(_steps(events))
        paths.append(_collapsed(events))
    return Coverage(
        activities=pl.concat(activities).group_by("activity").agg(pl.all().sum()).sort("activity"),
        steps=pl.concat(steps).group_by("key").agg(pl.all().sum()).sort("key"),
        paths=pl.concat(paths).n_unique(),
    )


def _slices(variants: pl.DataFrame) -> Iterator[pl.DataFrame]:
    lengths = variants["sequence"].list.len().cast(pl.Int64)
    chunk = (lengths.cum_sum() - lengths) // EVENTS_AT_ONCE
    start = 0
    for size in chunk.rle().struct.field("len").to_list():
        yield variants.slice(start, size)
        start += size


def _spread(part: pl.DataFrame) -> pl.DataFrame:
    events = part.with_row_index("row").explode("sequence").rename({"sequence": "activity"})
    first = (pl.col("row") != pl.col("row").shift(1)).fill_null(True)
    last = (pl.col("row") != pl.col("row").shift(-1)).fill_null(True)
    before = pl.when(~first).then(pl.col("activity").shift(1))
    return events.with_columns(first=first, last=last, before=before)


def _activities(events: pl.DataFrame) -> pl.DataFrame:
    cases = pl.col("cases")
    once = pl.struct("row", "activity").is_first_distinct()
    return (
        events.with_columns(once=once)
        .group_by("activity")
        .agg(
            events=cases.sum(),
            cases=cases.filter(pl.col("once")).sum(),
            starts=cases.filter(pl.col("first")).sum(),
            ends=cases.filter(pl.col("last")).sum(),
        )
    )


def _steps(events: pl.DataFrame) -> pl.DataFrame:
    key = pl.col("before").cast(pl.UInt64) * PAIR + pl.col("activity").cast(pl.UInt64)
    steps = events.filter(pl.col("before").is_not_null()).select("row", "cases", key=key)
    return (
        steps.group_by("row", "key")
        .agg(pl.col("cases").first(), n=pl.len())
        .group_by("key")
        .agg(count=(pl.col("cases") * pl.col("n").cast(pl.Int64)).sum(), cases=pl.col("cases").sum())
    )


def _collapsed(events: pl.DataFrame) -> pl.Series:
    kept = events.filter(pl.col("before").is_null() | (pl.col("before") != pl.col("activity")))
    return kept.group_by("row", maintain_order=True).agg("activity")["activity"].unique()
