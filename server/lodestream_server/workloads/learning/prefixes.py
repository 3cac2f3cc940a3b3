"""Prefixes: a case as it stood after each of its activities, without a look ahead, and what came of it.

Every figure of `COLUMNS` is known at the instant of the activity. Attributes of a case as a whole are not used, because
a log does not say when they became known; columns that change within cases are, if they have few values.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from lodestream_server.workloads.learning.completions import STEP, Learned, completions
from lodestream_server.workloads.learning.meter import Meter
from lodestream_server.workloads.learning.splitting import Split, judges, trains
from lodestream_server.workloads.learning.usual import Usual

#: Figure -> what it is. The first three are numbers of activities by frequency; from 254 on they share a number.
COLUMNS = {
    "activity": "number of the last activity",
    "before": "number of the activity before it, -1 for none",
    "beforeThat": "number of the activity before that, -1 for none",
    "position": "activities so far",
    "elapsed": "seconds since the first activity of the case",
    "sincePrevious": "seconds since the activity before, 0 for the first",
    "distinct": "different activities so far",
    "repeated": "activities so far that repeat an earlier one",
    "weekday": "1 (Monday) to 7 of the last activity, UTC",
    "hour": "hour of the day of the last activity, UTC",
}
CATEGORIES = ("activity", "before", "beforeThat")
_HIGHEST = 254

#: The next activity of a case that is over.
END = -1


def names_of(usual: Usual) -> list[str]:
    """The columns of the models in their order."""
    return [*COLUMNS, *(f"column:{name}" for name in usual.columns)]


def categories_of(usual: Usual) -> list[int]:
    """Places of the columns that are categories."""
    names = names_of(usual)
    return [place for place, name in enumerate(names) if name in CATEGORIES or name.startswith("column:")]


def prefixes(meter: Meter, learned: Learned, usual: Usual, split: Split) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Prefixes to learn from and to be judged by: `names_of`, then remaining (seconds to the end of the case) and next
    (number of the next activity, or `END`)."""
    learning: list[pl.DataFrame] = []
    judging: list[pl.DataFrame] = []
    for bucket in meter.walk("Reading prefixes of cases"):
        cases = learned.cases_of(bucket).with_row_index("case")
        rows = completions(learned, bucket, list(usual.columns))
        for chosen, every, found in (
            (trains(split.instant), split.train_every, learning),
            (judges(split.instant), split.test_every, judging),
        ):
            picked = cases.filter(chosen)["case"].gather_every(every)
            found.append(_figures(rows.filter(pl.col("case").is_in(picked.to_list())), usual.columns))
            meter.check()
    return pl.concat(learning), pl.concat(judging)


def thinned(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most so many rows, evenly spaced."""
    if rows.height <= most:
        return rows
    return rows[[place * rows.height // most for place in range(most)]]


def _figures(rows: pl.DataFrame, columns: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    within = "case"
    activity = pl.col("activity").cast(pl.Int64)
    at = pl.from_epoch("at", time_unit="us")
    fresh = (pl.col("case").cast(pl.UInt64) * STEP + pl.col("activity")).is_first_distinct()
    rows = rows.with_columns(fresh=fresh.cast(pl.Int64), one=pl.lit(1, pl.Int64))
    capped = activity.clip(upper_bound=_HIGHEST)
    position, distinct = pl.col("one").cum_sum().over(within), pl.col("fresh").cum_sum().over(within)
    return rows.select(
        activity=capped,
        before=capped.shift(1).over(within).fill_null(-1),
        beforeThat=capped.shift(2).over(within).fill_null(-1),
        position=position,
        elapsed=(pl.col("at") - pl.col("at").first().over(within)) / 1e6,
        sincePrevious=pl.col("gap").fill_null(0) / 1e6,
        distinct=distinct,
        repeated=position - distinct,
        weekday=at.dt.weekday(),
        hour=at.dt.hour(),
        **{f"column:{name}": _coded(name, values) for name, values in columns.items()},
        remaining=(pl.col("at").last().over(within) - pl.col("at")) / 1e6,
        next=activity.shift(-1).over(within).fill_null(END),
    )


def _coded(name: str, values: Sequence[str]) -> pl.Expr:
    numbers = {value: number for number, value in enumerate(values)}
    return pl.col(name).replace_strict(numbers, default=-1, return_dtype=pl.Int64)
