"""The derived columns of one bucket. What they mean is said in `options.DERIVED`, which the report shows too."""

from dataclasses import dataclass

import polars as pl

from lodestream_server.workloads.enrichment.options import Derivation, WorkingHours
from lodestream_server.workloads.mining.sequences import cases_of

#: The types of the columns, for checking expressions before any row is read.
TYPES: dict[str, pl.DataType] = {
    "case_duration_seconds": pl.Float64(),
    "seconds_since_case_start": pl.Float64(),
    "seconds_since_previous_event": pl.Float64(),
    "position_in_case": pl.Int64(),
    "events_in_case": pl.Int64(),
    "remaining_events": pl.Int64(),
    "variant": pl.Int64(),
    "weekday": pl.String(),
    "in_working_hours": pl.Boolean(),
    "is_rework": pl.Boolean(),
    "concurrent_work": pl.Int64(),
}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the rows of a bucket from elsewhere; None where it was not asked for.

    `numbers` as mining's `numbered` gives them; `lifecycle`: the start and the complete of an activity are no rework.
    """

    numbers: pl.DataFrame
    variants: pl.Series | None = None
    concurrent: pl.Series | None = None
    lifecycle: bool = False


def derived(frame: pl.DataFrame, known: Known, wanted: Derivation) -> pl.DataFrame:
    """The wanted columns, row by row of `frame`, under their own names."""
    numbers = known.numbers
    of_case = cases_of(numbers, frame["case_id"])[numbers["case"]]
    events = of_case["events"].cast(pl.Int64)
    row = pl.int_range(pl.len(), dtype=pl.Int64)
    position = (row - pl.when("first").then(row).forward_fill() + 1).alias("position")
    place = numbers.select(position).to_series()
    previous = pl.when(~pl.col("first")).then(pl.col("at") - pl.col("at").shift(1))
    nothing = pl.lit(None, pl.Int64)
    columns: dict[str, pl.Expr | pl.Series] = {
        "case_duration_seconds": (of_case["end"] - of_case["start"]) / 1e6,
        "seconds_since_case_start": (pl.col("at") - of_case["start"]) / 1e6,
        "seconds_since_previous_event": previous / 1e6,
        "position_in_case": place,
        "events_in_case": events,
        "remaining_events": events - place,
        "variant": nothing if known.variants is None else known.variants.cast(pl.Int64),
        "weekday": _local(frame["timestamp"], wanted.zone).dt.strftime("%A"),
        "in_working_hours": working(_local(frame["timestamp"], wanted.zone), wanted.hours),
        "is_rework": _rework(frame, known),
        "concurrent_work": nothing if known.concurrent is None else known.concurrent,
    }
    return numbers.select(**{name: columns[name] for name in wanted.columns})


def working(local: pl.Series, hours: WorkingHours) -> pl.Series:
    """Whether instants on the wall clock lie within the hours. A shift past midnight belongs to the day it begins
    on."""
    day = local.dt.weekday().cast(pl.Int64)
    minute = local.dt.hour().cast(pl.Int64) * 60 + local.dt.minute().cast(pl.Int64)
    days = list(hours.days)
    if hours.begin < hours.end:
        return day.is_in(days) & (minute >= hours.begin) & (minute < hours.end)
    yesterday = (day + 5) % 7 + 1
    return (day.is_in(days) & (minute >= hours.begin)) | (yesterday.is_in(days) & (minute < hours.end))


def _local(instants: pl.Series, zone: str) -> pl.Series:
    return instants.dt.convert_time_zone(zone)


def _rework(frame: pl.DataFrame, known: Known) -> pl.Series:
    """Whether the activity (and its transition, where starts and completes are rows) occurred before in the case."""
    same = ["case", "activity"]
    rows = known.numbers.select(same)
    if known.lifecycle:
        rows = rows.with_columns(frame["lifecycle"])
    return ~rows.select(pl.struct(pl.all())).to_series().is_first_distinct()
