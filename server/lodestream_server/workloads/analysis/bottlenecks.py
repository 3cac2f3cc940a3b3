"""Where cases wait, looked at closely: the worst bottlenecks over time, by weekday, by the resource that then did the
work, and by the attributes of the case.

A wait belongs to the period and weekday in which it began. `arrived` and `begun` count, per period, work that came up
and work that was begun; `waitingAtEnd` is what then stood before the activity.
"""

from dataclasses import dataclass, field

import polars as pl

from lodestream_server.workloads.analysis.cases import Period
from lodestream_server.workloads.analysis.part import Part
from lodestream_server.workloads.mining import figures
from lodestream_server.workloads.mining.instances import Clock, instances, with_waiting
from lodestream_server.workloads.mining.validated import PAIR, Codes, ValidatedLog, numbered, read
from lodestream_server.workloads.phase import Json

#: Bottlenecks that are looked at closely; rows of each table.
CLOSELY, TOP = 3, 15
#: An attribute with more values divides nothing; a value with fewer waits says nothing.
MOST_VALUES, FEWEST_WAITS = 20, 20

#: Dimensions that are attributes begin so; no column of a log is mistaken for a dimension of ours.
_ATTRIBUTE = "attribute "

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(slots=True)
class Waits:
    """Waits of some activities by several dimensions; the values of a dimension are numbers of its own codes."""

    part: Part
    codes: dict[str, Codes] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    flow: list[pl.DataFrame] = field(default_factory=list)
    _dropped: set[str] = field(default_factory=set)
    _tables: dict[str, pl.DataFrame] = field(default_factory=dict)

    def add(self, bucket: int, waits: pl.DataFrame) -> None:
        """`waits`: rank (of the bottleneck), waiting (microseconds), arrived, begun (dates), and texts by dimension."""
        for name in waits.columns:
            if name in ("rank", "waiting", "arrived", "begun") or self._too_fine(name, waits[name]):
                continue
            codes = self.codes.setdefault(name, Codes())
            number = codes.encode(waits[name]).cast(pl.UInt64)
            key = waits["rank"].cast(pl.UInt64) * PAIR + number
            rows = pl.DataFrame({"key": key, "value": waits["waiting"]}).drop_nulls()
            if rows.height:
                self.seen.add(name)
                figures.keep(self.part.scratch, f"by-{name}", bucket, rows)
        sides = [
            waits.group_by("rank", period=name).agg(pl.len().cast(pl.Int64).alias(name))
            for name in ("arrived", "begun")
        ]
        self.flow.append(pl.concat(sides, how="diagonal"))

    def _too_fine(self, name: str, values: pl.Series) -> bool:
        """Whether an attribute has too many values to divide anything; it is then forgotten."""
        if name.startswith(_ATTRIBUTE) and (name in self._dropped or values.n_unique() > MOST_VALUES + 1):
            self._dropped.add(name)
            self.seen.discard(name)
            return True
        return False

    def by(self, name: str) -> pl.DataFrame:
        """rank, value (text), waits, medianSeconds, p90Seconds, totalSeconds; the most waiting first."""
        if name not in self._tables:
            self._tables[name] = self._by(name)
        return self._tables[name]

    def _by(self, name: str) -> pl.DataFrame:
        rows = figures.summarise(self.part.scratch, f"by-{name}", self.part.check)
        numbers = rows.with_columns(
            rank=(pl.col("key") // PAIR).cast(pl.Int64), code=(pl.col("key") % PAIR).cast(pl.UInt32)
        )
        return (
            numbers.join(self.codes[name].table("code", "value"), on="code")
            .select("rank", "value", pl.col("count").alias("waits"), *figures.in_seconds("median", "p90", "total"))
            .sort("rank", "totalSeconds", "value", descending=[False, True, False])
        )


def look(part: Part, log: ValidatedLog, clock: Clock, ranking: list[Json], period: Period) -> list[Json]:
    """One entry for each of the worst bottlenecks: activity, period, overTime, byWeekday, byResource, byAttribute."""
    worst = [row["activity"] for row in ranking[:CLOSELY]]
    if not worst:
        return []
    ranks = pl.DataFrame({"name": worst, "rank": range(len(worst))}, schema={"name": pl.String, "rank": pl.Int64})
    waits, activities, done = Waits(part), Codes(), 0
    attributes = _attributes(log)
    columns = [*clock.columns, *(["resource"] if log.has("resource") else []), *attributes]
    for bucket in log.buckets:
        part.progress(done, log.events, f"Looking closely at waiting, part {bucket.number + 1} of {len(log.buckets)}")
        frame = read(bucket, columns)
        found = with_waiting(instances(clock, numbered(frame, activities), frame), clock)
        part.check()
        names = activities.table("activity", "name").join(ranks, on="name").drop("name")
        chosen = found.join(names, on="activity").drop_nulls("waiting").sort("row")
        waits.add(bucket.number, _waits(chosen, frame, period, attributes))
        done += bucket.events
    return [_entry(waits, number, name, period, attributes) for number, name in enumerate(worst)]


def _attributes(log: ValidatedLog) -> list[str]:
    """Columns of the log that hold texts or truths; what they divide is seen later."""
    kinds = log.summary.get("attributes", {})
    return [name for name, kind in kinds.items() if kind in ("string", "boolean") and log.has(name)][:30]


def _waits(chosen: pl.DataFrame, frame: pl.DataFrame, period: Period, attributes: list[str]) -> pl.DataFrame:
    arrived = pl.col("start") - pl.col("waiting")
    rows = chosen.select(
        "rank",
        "waiting",
        arrived=period.of(arrived),
        begun=period.of(pl.col("start")),
        period=period.of(arrived).cast(pl.String),
        weekday=arrived.cast(pl.Datetime("us", "UTC")).dt.strftime("%A"),
    )
    places = chosen["row"]
    if "resource" in frame.columns:
        rows = rows.with_columns(frame["resource"].cast(pl.String).gather(places).alias("resource"))
    texts = [frame[name].cast(pl.String).gather(places).alias(_ATTRIBUTE + name) for name in attributes]
    return rows.with_columns(texts)


def _entry(waits: Waits, rank: int, activity: str, period: Period, attributes: list[str]) -> Json:
    entry: Json = {"activity": activity, "period": period.word, "overTime": _over_time(waits, rank)}
    weekdays = {row["value"]: row for row in _of(waits, "weekday", rank)}
    entry["byWeekday"] = [weekdays[day] for day in WEEKDAYS if day in weekdays]
    if "resource" in waits.seen:
        entry["byResource"] = figures.listed(_table(waits, "resource", rank), TOP)
    entry["byAttribute"] = [
        found for name in attributes if (found := _divided(waits, _ATTRIBUTE + name, name, rank)) is not None
    ]
    entry["byAttribute"].sort(key=lambda item: -item["medianRatio"])
    return entry


def _table(waits: Waits, dimension: str, rank: int) -> pl.DataFrame:
    return waits.by(dimension).filter(pl.col("rank") == rank).drop("rank")


def _of(waits: Waits, dimension: str, rank: int) -> list[Json]:
    return _table(waits, dimension, rank).to_dicts()


def _over_time(waits: Waits, rank: int) -> list[Json]:
    counts = (
        pl.concat(waits.flow, how="diagonal")
        .filter(pl.col("rank") == rank)
        .group_by("period")
        .agg(pl.col("arrived", "begun").sum())
        .sort("period")
        .with_columns(
            pl.col("period").cast(pl.String), waitingAtEnd=pl.col("arrived").cum_sum() - pl.col("begun").cum_sum()
        )
    )
    times = _table(waits, "period", rank).select("value", "medianSeconds", "p90Seconds")
    joined = counts.join(times, left_on="period", right_on="value", how="left", maintain_order="left")
    return joined.rename({"period": "from"}).to_dicts()


def _divided(waits: Waits, dimension: str, name: str, rank: int) -> Json | None:
    """The waits by the values of an attribute: only where it has few, each with enough waits, and they differ."""
    if dimension not in waits.seen or not 2 <= len(waits.codes[dimension]) <= MOST_VALUES:
        return None
    rows = _table(waits, dimension, rank).filter(pl.col("waits") >= FEWEST_WAITS)
    low, high = rows["medianSeconds"].min(), rows["medianSeconds"].max()
    if rows.height < 2 or not low or not high:
        return None
    ratio = float(str(high)) / float(str(low))
    ordered = rows.sort("medianSeconds", "value", descending=[True, False])
    return {"attribute": name, "medianRatio": round(ratio, 3), "rows": figures.listed(ordered, TOP)}
