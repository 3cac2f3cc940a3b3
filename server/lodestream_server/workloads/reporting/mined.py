"""Sections about a mined process: from the figures in a source (see sources.py), in the report's language."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.advice import advice_of, quoted
from lodestream_server.workloads.reporting.learned import Learned
from lodestream_server.workloads.reporting.mined_charts import MinedCharts
from lodestream_server.workloads.reporting.mined_tables import MinedTables
from lodestream_server.workloads.reporting.model import (
    Block,
    Figure,
    Figures,
    Findings,
    Paragraph,
    Section,
    Terms,
    Value,
)
from lodestream_server.workloads.reporting.speech import Speech

#: Recommendations in a summary.
FIRST_ADVICE = 3


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
            *self._section("bottlenecks", [self._charts.bottlenecks()]),
            *self._section("recommendations", [self._advice(FIRST_ADVICE)]),
            *self._section("times", [self._charts.cycle()]),
            *self._section("about", [Paragraph(self._about())]),
            *self._section("map", [self._charts.process_map("map-short")]),
        ]

    def all_sections(self) -> list[Section]:
        """For who wants to know."""
        return [
            *self._section("summary", [self.key_figures(), self.findings()]),
            *self._section("recommendations", [self._advice(20)]),
            *self._section("map", [self._charts.process_map("map")]),
            *self._section("bottlenecks", self._bottlenecks()),
            *self._section("times", [self._charts.cycle(), self._charts.over_time(), self._tables.times()]),
            *self._section("variants", [] if "variants" in self._left_out else [self._tables.variants()]),
            *self._section("activities", [self._tables.activities()]),
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

    @property
    def _charts(self) -> MinedCharts:
        return MinedCharts(self.source, self.speech, self.number, self.pictures)

    @property
    def _tables(self) -> MinedTables:
        return MinedTables(self.source, self.speech, self.number)

    def _bottlenecks(self) -> list[Block | None]:
        if "bottlenecks" in self._left_out:
            return []
        return [self._waiting(), self._charts.bottlenecks(), *self._tables.bottlenecks()]

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

    def _resources(self) -> list[Block]:
        table = self._tables.resources()
        if not table:
            return []
        share = self.speech.percent(self.performance["resources"]["topTenShare"])
        return [Paragraph(self.speech.say("resources_text", share=share)), table]

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
        table = self._tables.rework()
        return [Paragraph(said), *([table] if table else [])]

    def _quality(self) -> list[Block]:
        table, score = self._tables.quality(), self.source["loading"].get("dataQualityScore")
        if not table:
            return []
        said = [] if score is None else [Paragraph(self.speech.say("quality_text", score=self.speech.number(score)))]
        return [*said, table]

    def _terms(self) -> Terms:
        keys = ("events", "waiting", "cycle", "bottleneck", "rework", "advice")
        say = self.speech.say
        return Terms(tuple((say(f"term.{key}"), say(f"means.{key}", waiting=self._waiting_means())) for key in keys))
