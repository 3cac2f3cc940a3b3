"""Who did the work: events, cases and active days per resource, and how busy resources were where the log tells
durations.

Utilisation of a resource = the time in which it worked on at least one thing, divided by its working windows. The
working window of a day (UTC) runs from the first start to the last end of the work that began on that day; where
windows overlap, as with work over midnight, the time counts once. Only logs with start times have it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lodestream_server.workloads.mining import figures
from lodestream_server.workloads.mining.validated import PAIR, Codes
from lodestream_server.workloads.phase import Json

TOP = 50
_DAY = 86_400_000_000


@dataclass(slots=True)
class ResourceCount:
    """Adds up the work of resources over the buckets; the intervals of timed work go to the scratch folder."""

    scratch: Path
    codes: Codes = field(default_factory=Codes)
    events: int = 0
    timed: bool = False
    _days: list[pl.DataFrame] = field(default_factory=list)
    _cases: list[pl.DataFrame] = field(default_factory=list)
    _activities: list[pl.DataFrame] = field(default_factory=list)

    def add(self, bucket: int, found: pl.DataFrame, resources: pl.Series) -> None:
        """Takes over the instances of a bucket; `resources` are those of the bucket's rows."""
        number = self.codes.encode(resources).gather(found["row"])
        work = found.select("case", "activity", "start", "end", "timed", who=number).drop_nulls("who")
        if work.is_empty():
            return
        self.events += work.height
        who = pl.col("who").cast(pl.UInt64) * PAIR
        self._days.append(work.group_by("who", day=pl.col("start") // _DAY).agg(n=pl.len().cast(pl.Int64)))
        first = work.select(who + pl.col("case")).to_series().is_first_distinct()
        self._cases.append(work.filter(first).group_by("who").agg(cases=pl.len().cast(pl.Int64)))
        self._activities.append(work.select(key=who + pl.col("activity")).unique())
        timed = work.filter("timed").select("start", "end", key=pl.col("who"))
        if timed.height:
            self.timed = True
            figures.keep(self.scratch, "busy", bucket, timed)

    def rows(self, check: Callable[[], None]) -> pl.DataFrame:
        """One row per resource, most work first: resource, instances, share, cases, activities, activeDays,
        instancesPerActiveDay, and with timed work busySeconds, windowSeconds and utilisation (0 to 1).
        """
        days = pl.concat(self._days).group_by("who", "day").agg(pl.col("n").sum())
        table = (
            days.group_by("who")
            .agg(instances=pl.col("n").sum(), activeDays=pl.len().cast(pl.Int64))
            .join(pl.concat(self._cases).group_by("who").agg(pl.col("cases").sum()), on="who")
            .join(self._activity_counts(), on="who")
            .join(self.codes.table("who", "resource"), on="who")
            .with_columns(
                share=(pl.col("instances") / pl.col("instances").sum()).round(6),
                instancesPerActiveDay=(pl.col("instances") / pl.col("activeDays")).round(2),
            )
        )
        columns = ["resource", "instances", "share", "cases", "activities", "activeDays", "instancesPerActiveDay"]
        if self.timed:
            table = table.join(self._busy(check), on="who", how="left")
            columns += ["busySeconds", "windowSeconds", "utilisation"]
        return table.sort("instances", "resource", descending=[True, False]).select(columns)

    def _activity_counts(self) -> pl.DataFrame:
        pairs = pl.concat(self._activities).unique()
        return pairs.group_by(who=(pl.col("key") // PAIR).cast(pl.UInt32)).agg(activities=pl.len().cast(pl.Int64))

    def _busy(self, check: Callable[[], None]) -> pl.DataFrame:
        done = [_busy_time(part) for part in figures.parts(self.scratch, "busy", check)]
        return pl.concat(done)


def _busy_time(part: pl.DataFrame) -> pl.DataFrame:
    """Union of the intervals of each resource, and of its working windows."""
    work = _gained(part.sort("key", "start"), "busy")
    days = work.group_by("key", day=pl.col("start") // _DAY).agg(
        pl.col("busy").sum(), pl.col("start").min(), pl.col("end").max()
    )
    days = _gained(days.sort("key", "start"), "window")
    totals = days.group_by("key").agg(pl.col("busy").sum(), pl.col("window").sum())
    return totals.select(
        who=pl.col("key").cast(pl.UInt32),
        busySeconds=(pl.col("busy") / 1e6).round(6),
        windowSeconds=(pl.col("window") / 1e6).round(6),
        utilisation=pl.when(pl.col("window") > 0).then((pl.col("busy") / pl.col("window")).round(6)),
    )


def _gained(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """With what each row from `start` to `end` adds to those of its key before it; sorted by key and start."""
    reached = pl.col("end").cum_max().shift(1).over("key")
    gained = (pl.col("end") - pl.max_horizontal("start", reached)).clip(lower_bound=0)
    return rows.with_columns(gained.alias(name))


def as_results(rows: pl.DataFrame, instances: int) -> Json:
    """The `resources` part of the results."""
    counted = int(rows["instances"].sum())
    results: Json = {
        "resources": rows.height,
        "shareOfWorkWithResource": round(counted / instances, 6) if instances else 0.0,
        "topTenShare": round(int(rows["instances"].head(10).sum()) / counted, 6),
        "rows": figures.listed(rows, TOP),
    }
    if "utilisation" in rows.columns and rows["windowSeconds"].sum():
        results["utilisation"] = round(float(rows["busySeconds"].sum()) / float(rows["windowSeconds"].sum()), 6)
    return results
