"""Activity instances: one piece of work with a start and an end, whatever rows the log spends on it.

Three kinds of log, told apart by their columns, never guessed per row:

- *intervals*: every row has a start and an end timestamp; a row is an instance.
- *lifecycle*: rows say `start` or `complete`; the first open start of an activity in a case ends with its next complete
  (first in, first out). Starts and completes without a partner are instances of unknown duration; rows with other
  transitions are no work of their own.
- *instants*: one timestamp per row; a row is an instance that starts and ends there, of unknown duration.
"""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from lodestream_server.workloads.mining.validated import PAIR, Bucket, ValidatedLog, read

Kind = Literal["intervals", "lifecycle", "instants"]

#: Words for the two transitions that bound work, compared in lower case (XES says start and complete).
STARTS = ("start", "started", "begin")
ENDS = ("complete", "completed", "end", "finish", "finished")

#: What "waiting" means for each kind of log, for the results and the report.
WAITING_MEANS: dict[Kind, str] = {
    "intervals": "start of the activity minus the latest end of any earlier one of the case; 0 where they overlap",
    "lifecycle": "start row of the activity minus the latest complete row of any earlier one of the case; "
    "0 where they overlap",
    "instants": "timestamp of the event minus that of the event before it; "
    "as the log has one timestamp per event, this includes the work itself",
}


@dataclass(frozen=True, slots=True)
class Clock:
    """How a log tells time, and the columns needed to read it."""

    kind: Kind

    @property
    def columns(self) -> tuple[str, ...]:
        extra = {"intervals": ("start_timestamp",), "lifecycle": ("lifecycle",), "instants": ()}[self.kind]
        return ("case_id", "activity", "timestamp", *extra)


def clock_of(log: ValidatedLog) -> Clock:
    """Start timestamps win over lifecycle rows; lifecycle counts only if both starts and ends occur."""
    if log.has("start_timestamp"):
        return Clock("intervals")
    if log.has("lifecycle"):
        words = set[str]().union(*(_transitions(bucket) for bucket in log.buckets))
        if words & set(STARTS) and words & set(ENDS):
            return Clock("lifecycle")
    return Clock("instants")


def _transitions(bucket: Bucket) -> set[str]:
    return set(read(bucket, ["lifecycle"])["lifecycle"].drop_nulls().unique().str.to_lowercase().to_list())


def instances(clock: Clock, numbers: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """The instances of a bucket by case, then start: case, activity, start, end (microseconds), timed (duration known),
    first (of its case), row.

    `numbers` are the rows of `frame` as `numbered` gives them; `row` points back to them (the row that ended the
    instance).
    """
    rows = numbers.with_row_index("row")
    match clock.kind:
        case "intervals":
            found = rows.select(
                "case",
                "activity",
                "start",
                pl.col("at").alias("end"),
                timed=frame["start_timestamp"].is_not_null(),
                row="row",
            )
        case "lifecycle":
            found = _paired(rows.with_columns(word=frame["lifecycle"].str.to_lowercase()))
        case "instants":
            return rows.select("case", "activity", start="at", end="at", timed=pl.lit(False), first="first", row="row")
    found = found.sort("case", "start", maintain_order=True)
    return found.with_columns(first=(pl.col("case") != pl.col("case").shift(1)).fill_null(True))


def _paired(rows: pl.DataFrame) -> pl.DataFrame:
    """Starts and completes joined first in, first out within case and activity."""
    work = rows.with_columns(
        step=pl.when(pl.col("word").is_in(STARTS))
        .then(1)
        .when(pl.col("word").is_in(ENDS) | pl.col("word").is_null())
        .then(-1),
        key=pl.col("case").cast(pl.UInt64) * PAIR + pl.col("activity"),
    ).drop_nulls("step")
    # A complete that brings the balance of its case and activity below every earlier balance found no open start.
    work = work.with_columns(balance=pl.col("step").cast(pl.Int64).cum_sum().over("key"))
    lowest = pl.col("balance").cum_min().shift(1, fill_value=0).over("key").clip(upper_bound=0)
    work = work.with_columns(orphan=(pl.col("step") == -1) & (pl.col("balance") < lowest))
    work = work.with_columns(turn=pl.int_range(pl.len()).over("key", "step", "orphan"))
    starts = work.filter(pl.col("step") == 1)
    ends = work.filter((pl.col("step") == -1) & ~pl.col("orphan"))
    both = starts.join(ends.select("key", "turn", end="at", closing="row"), on=["key", "turn"], how="left")
    known = both.select(
        "case",
        "activity",
        start="at",
        end=pl.coalesce("end", "at"),
        timed=pl.col("end").is_not_null(),
        row=pl.coalesce("closing", "row"),
        order="row",
    )
    alone = work.filter(pl.col("orphan")).select(
        "case", "activity", start="at", end="at", timed=pl.lit(False), row="row", order="row"
    )
    return pl.concat([known, alone]).sort("order").drop("order")


def with_waiting(found: pl.DataFrame, clock: Clock) -> pl.DataFrame:
    """Adds `before` (activity of the instance before it in the case) and `waiting` (microseconds, never negative); null
    for the first of a case.
    """
    if clock.kind == "instants":
        idle_since = pl.col("end").shift(1)
    else:
        idle_since = pl.col("end").cum_max().over("case").shift(1)
    later = ~pl.col("first")
    return found.with_columns(
        before=pl.when(later).then(pl.col("activity").shift(1)),
        waiting=pl.when(later).then((pl.col("start") - idle_since).clip(lower_bound=0)),
    )
