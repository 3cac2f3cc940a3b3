"""Sections about a mined process: from the figures in a source (see sources.py), in the report's language."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from lodestream_server.workloads.mining.report import charts
from lodestream_server.workloads.mining.report.fit import clean
from lodestream_server.workloads.mining.spoken import shortened
from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.advice import advice_of, quoted
from lodestream_server.workloads.reporting.learned import Learned
from lodestream_server.workloads.reporting.model import (
    Block,
    Chart,
    Column,
    Figure,
    Figures,
    Findings,
    Paragraph,
    Picture,
    Section,
    Series,
    Table,
    Terms,
    Value,
)
from lodestream_server.workloads.reporting.speech import Speech

#: Bars of the bottleneck chart; recommendations in a summary; activities of a variant in a table.
BARS, FIRST_ADVICE, STEPS_OF_VARIANT = 8, 3, 12

#: Longest name in a table or beside a bar.
LONGEST_NAME = 80


def name_of(text: object, most: int = LONGEST_NAME) -> str:
    """A user's text as one line without characters that documents forbid."""
    return shortened(clean(str(text)), most)


def bottleneck_chart(rows: Sequence[Json], total: float, number: int, speech: Speech) -> Chart | None:
    """Bars for the first of these activities by their share of all waiting, which took `total` seconds."""
    rows, say = rows[:BARS], speech.say
    if not rows:
        return None
    return Chart(
        f"bottlenecks-{number}",
        say("chart.bottlenecks"),
        "bars",
        tuple(name_of(row["activity"], 60) for row in rows),
        (Series(say("column.waiting_share"), tuple(row["share"] for row in rows)),),
        "percent",
        note=say("chart.bottlenecks_note", total=speech.duration(total)),
        axes=("", say("column.waiting_share")),
    )


@dataclass(frozen=True, slots=True)
class Mined:
    """A mined source and how to talk about it. `pictures` are the names of drawings that exist for it."""

    source: Json
    speech: Speech
    number: int
    pictures: Set[str]

    @property
    def discovery(self) -> Json:
        """Results of discovery."""
        return dict(self.source["discovery"])

    @property
    def performance(self) -> Json:
        """Results of the performance analysis."""
        return dict(self.source["performance"])

    def summary_sections(self) -> list[Section]:
        """For who has two minutes."""
        return [
            *self._section("summary", [self.key_figures(), self.findings()]),
            *self._section("bottlenecks", [self.bottleneck_chart()]),
            *self._section("recommendations", [self._advice(FIRST_ADVICE)]),
            *self._section("times", [self.cycle_chart()]),
            *self._section("about", [Paragraph(self._about())]),
            *self._section("map", [self._picture("map-short")]),
        ]

    def all_sections(self) -> list[Section]:
        """For who wants to know."""
        return [
            *self._section("summary", [self.key_figures(), self.findings()]),
            *self._section("recommendations", [self._advice(20)]),
            *self._section("map", [self._picture("map")]),
            *self._section("bottlenecks", self._bottlenecks()),
            *self._section("times", [self.cycle_chart(), self.time_chart(), self._times_table()]),
            *self._section("variants", [] if "variants" in self._left_out else [self._variants_table()]),
            *self._section("activities", [self._activities_table()]),
            *self._section("resources", self._resources()),
            *self._section("rework", self._rework()),
            *self._section("learning", Learned(self.source["learned"], self.speech, self.number).blocks()),
            *self._section("quality", self._quality()),
            *self._section("method", [self._terms()]),
        ]

    @property
    def _left_out(self) -> list[str]:
        """Looks that the run's parameters did not want."""
        return list(self.performance.get("leftOut", ()))

    def _bottlenecks(self) -> list[Block | None]:
        if "bottlenecks" in self._left_out:
            return []
        return [self._waiting(), self.bottleneck_chart(), *self._bottleneck_tables()]

    def _section(self, key: str, blocks: Sequence[Block | None]) -> list[Section]:
        kept = tuple(block for block in blocks if block is not None)
        return [Section(key, self.speech.say(f"section.{key}"), kept)] if kept else []

    def key_figures(self) -> Figures:
        """Cases, events, times, rework, quality."""
        model, cycle = self.discovery["processModel"], self.performance["cycleTimes"]
        rows: list[tuple[str, Value, Any]] = [
            ("cases", self.discovery["cases"], "count"),
            ("events", self.discovery["events"], "count"),
            ("activities", model["activities"], "count"),
            ("variants", model["variants"], "count"),
            ("median_cycle", cycle["medianSeconds"], "duration"),
            ("average_cycle", cycle["averageSeconds"], "duration"),
            ("most_within", cycle["p90Seconds"], "duration"),
            ("repeating", self.performance["rework"]["shareOfCases"], "percent"),
        ]
        efficiency = self.performance["performanceMetrics"].get("efficiency")
        if efficiency is not None:
            rows.append(("efficiency", efficiency / 100, "percent"))
        if (score := self.source["loading"].get("dataQualityScore")) is not None:
            rows.append(("quality", score, "score"))
        rows.append(("complexity", self.speech.say(f"complexity.{model['complexity']}"), "text"))
        return Figures(tuple(Figure(self.speech.say(f"figure.{key}"), value, kind) for key, value, kind in rows))

    def findings(self) -> Findings:
        """What stands out, in sentences."""
        speech, performance = self.speech, self.performance
        said = [] if "bottlenecks" in self._left_out else [self._bottleneck_sentence()]
        variants = self.discovery["variants"]
        if variants:
            first, top = variants[0], variants[: min(5, len(variants))]
            said.append(
                speech.say(
                    "finding.variants",
                    first=speech.percent(first["share"]),
                    number=len(top),
                    cumulated=speech.percent(top[-1]["cumulativeShare"]),
                )
            )
        rework = performance["rework"]
        if rework["casesWithRework"]:
            most = rework["activities"][0]
            said.append(
                speech.say(
                    "finding.rework",
                    cases=speech.count(rework["casesWithRework"]),
                    share=speech.percent(rework["shareOfCases"]),
                    activity=quoted(most["activity"], speech),
                    times=speech.count(most["repetitions"]),
                )
            )
        flow = performance["throughput"]
        said.append(
            speech.say(
                "finding.throughput",
                started=speech.number(flow["casesStartedPerDay"]),
                finished=speech.number(flow["casesFinishedPerDay"]),
            )
        )
        return Findings(tuple(said))

    def _bottleneck_sentence(self) -> str:
        rows = self.performance["bottlenecks"]
        if not rows:
            return self.speech.say("finding.no_bottleneck")
        row, speech = rows[0], self.speech
        return speech.say(
            "finding.bottleneck",
            activity=quoted(row["activity"], speech),
            share=speech.percent(row["share"]),
            median=speech.duration(row["medianSeconds"]),
            mean=speech.duration(row["meanSeconds"]),
            occurrences=speech.count(row["occurrences"]),
        )

    def bottleneck_chart(self) -> Chart | None:
        """Share of all waiting before each bottleneck."""
        rows, total = self.performance["bottlenecks"], self.performance["waiting"]["totalSeconds"]
        return bottleneck_chart(rows, total, self.number, self.speech)

    def cycle_chart(self) -> Chart | None:
        """How many cases take how long; None when all take no time."""
        cycle, speech = self.performance["cycleTimes"], self.speech
        bars = cycle.get("distribution")
        if not bars:
            return None
        size, unit = charts.axis_unit(bars["barSeconds"] * len(bars["cases"]))
        width = bars["barSeconds"] / size
        wording = speech.wording()
        return Chart(
            self._named("cycle"),
            speech.say("chart.cycle"),
            "columns",
            tuple(speech.number(i * width, 2 if width < 0.25 else 1) for i in range(len(bars["cases"]))),
            (Series(speech.say("column.cases"), tuple(bars["cases"])),),
            "count",
            self._drawn("cycle"),
            speech.say(
                "chart.cycle_note",
                beyond=speech.count(bars["casesBeyond"]),
                longest=speech.duration(cycle["maxSeconds"]),
            ),
            (wording.say("cycle_axis", unit=wording.say(f"unit_{unit}")), speech.say("column.cases")),
        )

    def time_chart(self) -> Chart | None:
        """Cases started and finished over time."""
        flow, speech = self.source["overTime"], self.speech
        if not flow:
            return None
        wording = speech.wording()
        series = tuple(Series(wording.say(key), tuple(flow[key])) for key in ("started", "finished"))
        return Chart(
            self._named("time"),
            wording.say(f"cases_per_{flow['grain']}"),
            "lines",
            tuple(speech.short_date(day, flow["grain"]) for day in flow["days"]),
            series,
            "count",
            self._drawn("time"),
            self._time_note(),
            ("", speech.say("column.cases")),
        )

    def _time_note(self) -> str:
        """By which days cases are counted, and how many lie outside the time that is shown."""
        flow, speech = self.source["overTime"], self.speech
        started, finished = flow.get("startedOutside", 0), flow.get("finishedOutside", 0)
        note = speech.say("chart.time_note")
        if not started + finished:
            return note
        outside = speech.say("chart.time_outside", started=speech.count(started), finished=speech.count(finished))
        return f"{note} {outside}"

    def _named(self, name: str) -> str:
        return f"{name}-{self.number}"

    def _drawn(self, name: str) -> str:
        """The drawing's name if there is one."""
        return self._named(name) if self._named(name) in self.pictures else ""

    def _picture(self, name: str) -> Picture | None:
        if not self._drawn(name):
            return None
        alt = self.speech.say("map_alt", activities=self.speech.count(self.discovery["activitiesDiscovered"]))
        return Picture(self._named(name), self.speech.say("section.map"), alt)

    def _advice(self, most: int) -> Block:
        found = advice_of(self.source["recommendations"], self.speech, most)
        return found or Paragraph(self.speech.say("no_advice"))

    def _about(self) -> str:
        return self.speech.say("about", waiting=self._waiting_means())

    def _waiting_means(self) -> str:
        return self.speech.say(f"waiting.{self.performance['timing']['kind']}")

    def _waiting(self) -> Paragraph:
        waiting, speech = self.performance["waiting"], self.speech
        total, average = speech.duration(waiting["totalSeconds"]), speech.duration(waiting["averagePerCaseSeconds"])
        return Paragraph(speech.say("waiting_text", means=self._waiting_means(), total=total, average=average))

    def _table(self, name: str, columns: Sequence[Column], rows: Sequence[tuple[Value, ...]], total: int) -> Table:
        return Table(self._named(name), self.speech.say(f"table.{name}"), tuple(columns), tuple(rows), total)

    def _columns(self, *columns: tuple[str, Any] | tuple[str, Any, bool]) -> list[Column]:
        return [Column(self.speech.say(f"column.{key}"), kind, *more) for key, kind, *more in columns]

    def _bottleneck_tables(self) -> list[Table]:
        times = (("median", "duration"), ("mean", "duration"), ("p90", "duration"))
        rows, steps = self.performance["bottlenecks"], self.performance["bottleneckSteps"]
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

    def _times_table(self) -> Table:
        cycle, flow, say = self.performance["cycleTimes"], self.performance["throughput"], self.speech.say
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

    def _variants_table(self) -> Table:
        rows = [
            (
                row["variant"],
                row["share"],
                row["cases"],
                row["cumulativeShare"],
                row["medianCycleSeconds"],
                self._way(row),
            )
            for row in self.discovery["variants"][:12]
        ]
        columns = self._columns(
            ("rank", "count"),
            ("share_of_cases", "percent", True),
            ("cases", "count"),
            ("cumulated", "percent"),
            ("median_time", "duration"),
            ("way", "text"),
        )
        return self._table("variants", columns, rows, self.discovery["processVariants"])

    def _way(self, row: Json) -> str:
        runs = [(name, sum(1 for _ in same)) for name, same in groupby(row["activities"])]
        shown = [name_of(name, 40) + (f" (×{times})" if times > 1 else "") for name, times in runs[:STEPS_OF_VARIANT]]
        more = row["length"] - sum(times for _, times in runs[:STEPS_OF_VARIANT])
        return " → ".join(shown) + (" " + self.speech.counted("more", more) if more > 0 else "")

    def _activities_table(self) -> Table | None:
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
        return self._table("activities", columns, values, self.discovery["activitiesDiscovered"])

    def _resources(self) -> list[Block]:
        found = self.performance.get("resources")
        if not found:
            return []
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
        said = self.speech.say("resources_text", share=self.speech.percent(found["topTenShare"]))
        return [Paragraph(said), self._table("resources", columns, rows, found["resources"])]

    def _rework(self) -> list[Block]:
        rework, speech = self.performance["rework"], self.speech
        said = speech.say(
            "rework_text",
            cases=speech.count(rework["casesWithRework"]),
            all=speech.count(self.performance["cases"]),
            share=speech.percent(rework["shareOfCases"]),
            repetitions=speech.count(rework["repetitions"]),
            direct=speech.count(rework["selfLoops"]),
        )
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
        table = self._table("rework", columns, rows, rework["activitiesRepeated"])
        return [Paragraph(said), *([table] if rows else [])]

    def _quality(self) -> list[Block]:
        counts, say = self.source["counts"], self.speech.say
        if not counts:
            return []
        score = self.source["loading"].get("dataQualityScore")
        rows = [(say(f"count.{key}"), counts[key]) for key in QUALITY_COUNTS if key in counts]
        table = self._table("quality", self._columns(("what", "text"), ("records", "count")), rows, len(rows))
        said = [] if score is None else [Paragraph(say("quality_text", score=self.speech.number(score)))]
        return [*said, table]

    def _terms(self) -> Terms:
        keys = ("events", "waiting", "cycle", "bottleneck", "rework", "advice")
        say = self.speech.say
        return Terms(tuple((say(f"term.{key}"), say(f"means.{key}", waiting=self._waiting_means())) for key in keys))


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


def _times(row: Json) -> tuple[float | None, float | None, float | None]:
    return row["medianSeconds"], row["meanSeconds"], row["p90Seconds"]
