"""Cases in time: when each began and how long it took; and the length of a period that suits a log."""

from dataclasses import dataclass

import polars as pl

from lodestream_server.workloads.analysis.part import Part
from lodestream_server.workloads.mining import figures
from lodestream_server.workloads.mining.validated import ValidatedLog, read
from lodestream_server.workloads.phase import Json

#: The finest period that needs no more than about this many points.
_POINTS = 60
_DAY_US = 86_400_000_000
#: Cases listed in the results; the file has more.
SLOWEST, SLOWEST_IN_FILE = 15, 1_000


@dataclass(frozen=True, slots=True)
class Period:
    """How time is cut: `every` as polars says it, `word` as people do."""

    every: str
    word: str

    def of(self, microseconds: pl.Expr) -> pl.Expr:
        """The begin of the period of an instant, as a date (UTC)."""
        return microseconds.cast(pl.Datetime("us", "UTC")).dt.truncate(self.every).dt.date()


def period_of(first_us: int, last_us: int) -> Period:
    """Days, weeks, months or years."""
    days = (last_us - first_us) / _DAY_US + 1
    for size, every, word in ((1, "1d", "day"), (7, "1w", "week"), (31, "1mo", "month")):
        if days <= size * _POINTS:
            return Period(every, word)
    return Period("1y", "year")


def table(part: Part, log: ValidatedLog) -> pl.DataFrame:
    """A row per case, by begin: case_id, begin and duration (microseconds), events. About 40 bytes a case."""
    columns = [name for name in ("case_id", "timestamp", "start_timestamp") if log.has(name)]
    begin = pl.min_horizontal([name for name in columns if name != "case_id"]).min().cast(pl.Int64)
    found, done = [], 0
    for bucket in log.buckets:
        part.progress(done, log.events, "Timing the cases")
        cases = read(bucket, columns).group_by("case_id", maintain_order=True)
        found.append(cases.agg(begin=begin, end=pl.col("timestamp").max().cast(pl.Int64), events=pl.len()))
        done += bucket.events
    rows = pl.concat(found).with_columns(duration=pl.col("end") - pl.col("begin"))
    return rows.select("case_id", "begin", "duration", "events").sort("begin", "case_id")


def over_time(rows: pl.DataFrame, period: Period) -> Json:
    """period (day, week, month, year) and rows of it by the begin of cases: from (date), cases, median and p90."""
    value = pl.col("duration")
    grouped = (
        rows.group_by(start=period.of(pl.col("begin")))
        .agg(
            cases=pl.len(),
            median=value.median(),
            p90=value.quantile(0.9, interpolation=figures.QUANTILE),
        )
        .sort("start")
    )
    listed = grouped.select(
        pl.col("start").cast(pl.String).alias("from"), "cases", *figures.in_seconds("median", "p90")
    )
    return {"period": period.word, "rows": listed.to_dicts()}


def slowest(rows: pl.DataFrame) -> pl.DataFrame:
    """The cases that took longest: caseId, begin, durationSeconds, events."""
    top = rows.sort("duration", "case_id", descending=[True, False]).head(SLOWEST_IN_FILE)
    return top.select(
        pl.col("case_id").alias("caseId"),
        pl.col("begin").cast(pl.Datetime("us", "UTC")).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        (pl.col("duration") / 1e6).round(6).alias("durationSeconds"),
        "events",
    )
