"""Throughput: how many cases start and finish, and how many events happen, by hour, day and week (UTC)."""

from dataclasses import dataclass, field

import polars as pl

from lodestream_server.workloads.phase import Json

_HOUR = 3_600_000_000
_DAY_HOURS = 24


@dataclass(slots=True)
class HourCount:
    """Counts events, case starts and case ends by hour since 1970, over the buckets."""

    _parts: list[pl.DataFrame] = field(default_factory=list)

    def add(self, events: pl.Series, starts: pl.Series, ends: pl.Series) -> None:
        """Takes over the instants of a bucket (microseconds)."""
        parts = [_hourly(events, "events"), _hourly(starts, "started"), _hourly(ends, "finished")]
        self._parts.append(_total(pl.concat(parts, how="diagonal")))

    def rows(self) -> pl.DataFrame:
        """A row per hour in which something happened, oldest first: hour (UTC datetime), events, started, finished."""
        hours = _total(pl.concat(self._parts)).sort("hour")
        return hours.with_columns((pl.col("hour") * _HOUR).cast(pl.Datetime("us", "UTC")))


def _hourly(instants: pl.Series, name: str) -> pl.DataFrame:
    return pl.DataFrame({"hour": instants // _HOUR}).group_by("hour").agg(pl.len().cast(pl.Int64).alias(name))


def _total(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("hour").agg(pl.all().sum())


def by_day(hours: pl.DataFrame) -> pl.DataFrame:
    """Hours to calendar days (UTC): day (date), events, started, finished; days without any event are absent."""
    return hours.group_by(day=pl.col("hour").dt.date()).agg(pl.col("events", "started", "finished").sum()).sort("day")


def as_results(hours: pl.DataFrame) -> Json:
    """The `throughput` part of the results: averages over all calendar days from the first event to the last."""
    days = by_day(hours)
    span = (days["day"].max() - days["day"].min()).days + 1  # type: ignore[operator, union-attr]  # dates; the log has events
    started, finished = int(days["started"].sum()), int(days["finished"].sum())
    busiest = days.sort("events", descending=True, maintain_order=True).row(0, named=True)
    return {
        "calendarDays": span,
        "daysWithEvents": days.height,
        "casesStartedPerDay": round(started / span, 4),
        "casesFinishedPerDay": round(finished / span, 4),
        "casesStartedPerWeek": round(started / span * 7, 4),
        "eventsPerDay": round(int(days["events"].sum()) / span, 4),
        "busiestDay": {"date": busiest["day"].isoformat(), "events": busiest["events"]},
    }
