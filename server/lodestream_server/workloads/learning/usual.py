"""What is usual in a log: how often each step happens, how long each activity usually takes to come, who does it.

Counted over all cases; waiting times over an even sample of at most `GAPS` steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from lodestream_server.workloads.learning.completions import EDGE, STEP, Learned, completions
from lodestream_server.workloads.learning.meter import Meter

#: Steps whose times are kept for medians, about 24 MB.
GAPS = 1_000_000

#: In at least this share of all cases an activity is expected; in less than that one it is rare.
EXPECTED, RARE = 0.95, 0.01

#: A step is rare when fewer than this share of all steps from its activity lead there.
RARE_STEP = 0.01

#: Values of a column that prediction can use, and how many text columns are looked at.
MOST_VALUES, MOST_RESOURCES, MOST_COLUMNS = 20, 100, 12


@dataclass(frozen=True, slots=True)
class Usual:
    """`steps`: step, share (of the steps from its activity). `gaps`: activity, median, p90 (microseconds before it).
    `people`: activity, resource, share (of the activity), where resources are told apart. `activities`: activity,
    expected, rare. `columns`: usable columns and their values, sorted. `spans`: start, end, events of every case.
    """

    steps: pl.DataFrame
    gaps: pl.DataFrame
    people: pl.DataFrame | None
    activities: pl.DataFrame
    columns: dict[str, list[str]]
    spans: pl.DataFrame


def usual(meter: Meter, learned: Learned) -> Usual:
    """Reads the log once."""
    every = max(1, -(-learned.log.events // GAPS))
    values = _Values(learned)
    steps, gaps, people, spans = [], [], [], []
    for bucket in meter.walk("Counting what is usual"):
        rows = completions(learned, bucket, values.columns)
        ends = rows.filter("last").select(step=(pl.col("activity").cast(pl.UInt64) + 1) * STEP + EDGE)
        steps.append(pl.concat([rows.select("step"), ends]).group_by("step").len())
        meter.check()
        timed = rows.filter(~pl.col("first")).select("activity", "gap")
        gaps.append(timed.gather_every(every))
        if "resource" in values.columns:
            people.append(rows.drop_nulls("resource").group_by("activity", "resource").len())
        meter.check()
        values.add(meter, rows)
        spans.append(learned.cases_of(bucket).select("start", "end", "events"))
    return Usual(
        _shares(pl.concat(steps).group_by("step").agg(pl.col("len").sum())),
        pl.concat(gaps).group_by("activity").agg(median=pl.col("gap").median(), p90=pl.col("gap").quantile(0.9)),
        _people(people) if people else None,
        _activities(learned),
        values.usable(),
        pl.concat(spans),
    )


def _shares(steps: pl.DataFrame) -> pl.DataFrame:
    share = pl.col("len") / pl.col("len").sum().over(pl.col("step") // STEP)
    return steps.select("step", count="len", share=share).sort("step")


def _people(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    counted = pl.concat(parts).group_by("activity", "resource").agg(pl.col("len").sum())
    share = pl.col("len") / pl.col("len").sum().over("activity")
    return counted.select("activity", "resource", share=share)


def _activities(learned: Learned) -> pl.DataFrame:
    share = pl.col("cases") / learned.cases
    table = learned.activities.with_row_index("activity_number")
    return table.select(
        activity=pl.col("activity_number").cast(pl.UInt32), share=share, expected=share >= EXPECTED, rare=share < RARE
    )


class _Values:
    """Finds text columns with few values that change within cases: those are known when their event happens."""

    def __init__(self, learned: Learned) -> None:
        schema = pl.read_parquet_schema(learned.log.buckets[0].path)
        skipped = ("case_id", "activity", "lifecycle", "resource")
        texts = [name for name, kind in schema.items() if kind == pl.String and name not in skipped]
        self.columns = (["resource"] if schema.get("resource") == pl.String else []) + texts[:MOST_COLUMNS]
        self._values: dict[str, set[str]] = {name: set() for name in self.columns}
        self._changing: set[str] = {"resource"}

    def add(self, meter: Meter, rows: pl.DataFrame) -> None:
        """Looks at a bucket; drops a column once it has too many values."""
        for name in list(self._values):
            self._values[name].update(rows[name].drop_nulls().unique().to_list())
            if len(self._values[name]) > (MOST_RESOURCES if name == "resource" else MOST_VALUES):
                del self._values[name]
                self.columns = [kept for kept in self.columns if kept != name]
            elif name not in self._changing:
                changes = rows.select((pl.col(name).ne_missing(pl.col(name).shift(1)) & ~pl.col("first")).any()).item()
                self._changing |= {name} if changes else set()
            meter.check()

    def usable(self) -> dict[str, list[str]]:
        """Columns and their values."""
        return {
            name: sorted(found) for name, found in self._values.items() if name in self._changing and len(found) > 1
        }
