"""Tables about a mined process, in the report's language. `mined` puts them into sections."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.model import Column, Table, Value
from lodestream_server.workloads.reporting.names import name_of
from lodestream_server.workloads.reporting.speech import Speech

#: Activities of a variant in a table.
STEPS_OF_VARIANT = 12

#: Record counts of loading, in the order of the table.
QUALITY_COUNTS = (
    "total",
    "valid",
    "invalid",
    "duplicates",
    "duplicatesRemoved",
    "inferredTimestamps",
    "outsideTimeWindow",
)


@dataclass(frozen=True, slots=True)
class MinedTables:
    """The tables of a mined source; `number` tells those of several sources apart."""

    source: Json
    speech: Speech
    number: int

    @property
    def _discovery(self) -> Json:
        return dict(self.source["discovery"])

    @property
    def _performance(self) -> Json:
        return dict(self.source["performance"])

    def bottlenecks(self) -> list[Table]:
        """Activities before which cases wait, and steps on which they do; those of them that there are."""
        times = (("median", "duration"), ("mean", "duration"), ("p90", "duration"))
        rows, steps = self._performance["bottlenecks"], self._performance["bottleneckSteps"]
        steps = [row for row in steps if row["totalSeconds"] > 0]
        waits = [
            (
                name_of(row["activity"]),
                row["share"],
                row["occurrences"],
                *_times(row),
                name_of(row["mostlyAfter"]) if row["mostlyAfter"] else None,
            )
            for row in rows
        ]
        ways = [
            (name_of(row["source"]), name_of(row["target"]), row["share"], row["count"], *_times(row)) for row in steps
        ]
        before = self._columns(
            ("before", "text"), ("share", "percent", True), ("times", "count"), *times, ("after", "text")
        )
        between = self._columns(
            ("from", "text"), ("to", "text"), ("share", "percent", True), ("times", "count"), *times
        )
        tables = []
        if waits:
            tables.append(self._table("bottlenecks", before, waits, len(waits)))
        if ways:
            tables.append(self._table("steps", between, ways, len(ways)))
        return tables

    def times(self) -> Table:
        """Cycle times and days."""
        cycle, flow, say = self._performance["cycleTimes"], self._performance["throughput"], self.speech.say
        rows = [
            (say(f"fact.{key}"), self.speech.duration(cycle[field]))
            for key, field in (
                ("shortest", "minSeconds"),
                ("median", "medianSeconds"),
                ("average", "averageSeconds"),
                ("p90", "p90Seconds"),
                ("longest", "maxSeconds"),
            )
        ]
        count, busiest = self.speech.count, flow["busiestDay"]
        rows += [
            (say("fact.days"), say("of", some=count(flow["daysWithEvents"]), all=count(flow["calendarDays"]))),
            (
                say("fact.busiest"),
                say("busiest", date=self.speech.iso_date(busiest["date"]), events=count(busiest["events"])),
            ),
        ]
        return self._table("times", self._columns(("what", "text"), ("value", "text")), rows, len(rows))

    def variants(self) -> Table:
        """The most frequent ways."""
        rows = [
            (
                row["variant"],
                row["share"],
                row["cases"],
                row["cumulativeShare"],
                row["medianCycleSeconds"],
                self._way(row),
            )
            for row in self._discovery["variants"][:12]
        ]
        columns = self._columns(
            ("rank", "count"),
            ("share_of_cases", "percent", True),
            ("cases", "count"),
            ("cumulated", "percent"),
            ("median_time", "duration"),
            ("way", "text"),
        )
        return self._table("variants", columns, rows, self._discovery["processVariants"])

    def _way(self, row: Json) -> str:
        runs = [(name, sum(1 for _ in same)) for name, same in groupby(row["activities"])]
        shown = [name_of(name, 40) + (f" (×{times})" if times > 1 else "") for name, times in runs[:STEPS_OF_VARIANT]]
        more = row["length"] - sum(times for _, times in runs[:STEPS_OF_VARIANT])
        return " → ".join(shown) + (" " + self.speech.counted("more", more) if more > 0 else "")

    def activities(self) -> Table | None:
        """The most frequent activities; None when their table is no longer kept."""
        rows = self.source["activities"]
        if not rows:
            return None
        worked = any(row.get("workMedian") is not None for row in rows)
        columns = self._columns(
            ("activity", "text"),
            ("times", "count"),
            ("share_of_cases", "percent", True),
            *([("median_work", "duration")] if worked else []),
            ("median_wait", "duration"),
            ("mean_wait", "duration"),
            ("waiting_share", "percent"),
        )
        values = [
            (
                name_of(row["activity"]),
                row["instances"],
                row["caseShare"],
                *((row.get("workMedian"),) if worked else ()),
                row["waitMedian"],
                row["waitMean"],
                row["waitShare"],
            )
            for row in rows[:25]
        ]
        return self._table("activities", columns, values, self._discovery["activitiesDiscovered"])

    def resources(self) -> Table | None:
        """Who does most of the work; None when the log does not tell or nobody asked."""
        found = self._performance.get("resources")
        if not found:
            return None
        used = found.get("utilisation") is not None
        rows = [
            (
                name_of(row["resource"]),
                row["share"],
                row["instances"],
                row["cases"],
                row["activeDays"],
                *((row.get("utilisation"),) if used else ()),
            )
            for row in found["rows"][:15]
        ]
        columns = self._columns(
            ("resource", "text"),
            ("share_of_work", "percent", True),
            ("done", "count"),
            ("cases", "count"),
            ("active_days", "count"),
            *([("utilisation", "percent")] if used else []),
        )
        return self._table("resources", columns, rows, found["resources"])

    def rework(self) -> Table | None:
        """Activities that are repeated; None when none is."""
        rework = self._performance["rework"]
        columns = self._columns(
            ("activity", "text"),
            ("repetitions", "count", True),
            ("direct", "count"),
            ("cases", "count"),
            ("rework_time", "duration"),
        )
        rows = [
            (name_of(row["activity"]), row["repetitions"], row["selfLoops"], row["cases"], row["totalSeconds"])
            for row in rework["activities"][:12]
        ]
        return self._table("rework", columns, rows, rework["activitiesRepeated"]) if rows else None

    def quality(self) -> Table | None:
        """What became of the records; None when the file that says so is no longer kept."""
        counts, say = self.source["counts"], self.speech.say
        if not counts:
            return None
        rows = [(say(f"count.{key}"), counts[key]) for key in QUALITY_COUNTS if key in counts]
        return self._table("quality", self._columns(("what", "text"), ("records", "count")), rows, len(rows))

    def _table(self, name: str, columns: Sequence[Column], rows: Sequence[tuple[Value, ...]], total: int) -> Table:
        return Table(f"{name}-{self.number}", self.speech.say(f"table.{name}"), tuple(columns), tuple(rows), total)

    def _columns(self, *columns: tuple[str, Any] | tuple[str, Any, bool]) -> list[Column]:
        return [Column(self.speech.say(f"column.{key}"), kind, *more) for key, kind, *more in columns]


def _times(row: Json) -> tuple[float | None, float | None, float | None]:
    return row["medianSeconds"], row["meanSeconds"], row["p90Seconds"]
