"""Sections that compare mined runs: figures side by side, changes against the first of them."""

from dataclasses import dataclass
from typing import Any

from lodestream_server.workloads.reporting.advice import quoted
from lodestream_server.workloads.reporting.mined import Mined
from lodestream_server.workloads.reporting.model import (
    Block,
    Chart,
    Column,
    Figure,
    Figures,
    Findings,
    Paragraph,
    Section,
    Series,
    Table,
    Value,
)
from lodestream_server.workloads.reporting.names import name_of
from lodestream_server.workloads.reporting.speech import Speech

#: Rows of the comparison of activities; bars of the charts.
_ROWS, _BARS = 15, 6

#: A change below this share is none worth a sentence.
_NOTABLE = 0.02


@dataclass(frozen=True, slots=True)
class Compared:
    """Two or more mined sources; the first is what the others are compared with."""

    runs: tuple[Mined, ...]
    speech: Speech

    def sections(self) -> list[Section]:
        """Summary, figures, bottlenecks, activities, and each run's recommendations."""
        return [
            *self._section("summary", [self._key_figures(), self._findings()]),
            *self._section("comparison", [self._table(), self._cycle_chart()]),
            *self._section("bottlenecks", [self._bottleneck_chart(), self._bottleneck_table()]),
            *self._section("activities", [self._activity_table()]),
            *[section for run in self.runs for section in self._advice(run)],
            Section("about", self.speech.say("section.about"), (Paragraph(self.speech.say("about_comparison")),)),
        ]

    def _section(self, key: str, blocks: list[Block | None]) -> list[Section]:
        kept = tuple(block for block in blocks if block is not None)
        return [Section(key, self.speech.say(f"section.{key}"), kept)] if kept else []

    def _names(self) -> list[str]:
        """The runs' names, told apart where they are the same."""
        names = [name_of(run.source["name"], 40) for run in self.runs]
        if len(set(names)) == len(names):
            return names
        return [f"{name} ({place})" for place, name in enumerate(names, start=1)]

    def _key_figures(self) -> Figures:
        """How the last run's figures differ from the first's."""
        say, first, last = self.speech.say, _figures(self.runs[0]), _figures(self.runs[-1])
        keys = ("median_cycle", "average_cycle", "cases", "rework_share")
        shown = [Figure(say(f"figure.{key}"), _change(first[key][0], last[key][0]), "change") for key in keys]
        return Figures(tuple(figure for figure in shown if figure.value is not None))

    def _findings(self) -> Findings:
        speech, names = self.speech, self._names()
        first, last = _figures(self.runs[0]), _figures(self.runs[-1])
        before, after = first["median_cycle"][0], last["median_cycle"][0]
        part = _change(before, after)
        word = "same" if part is None or abs(part) < _NOTABLE else "longer" if part > 0 else "shorter"
        said = [
            speech.say(
                f"finding.cycle_{word}",
                last=names[-1],
                first=names[0],
                part=speech.percent(abs(part or 0.0)),
                before=speech.duration(before),
                after=speech.duration(after),
            )
        ]
        worst = [run.performance["bottlenecks"][:1] for run in (self.runs[0], self.runs[-1])]
        if all(worst):
            old, new = worst[0][0], worst[1][0]
            key = "same_bottleneck" if old["activity"] == new["activity"] else "other_bottleneck"
            said.append(
                speech.say(
                    f"finding.{key}",
                    old=quoted(old["activity"], speech),
                    new=quoted(new["activity"], speech),
                    old_share=speech.percent(old["share"]),
                    new_share=speech.percent(new["share"]),
                )
            )
        return Findings(tuple(said))

    def _table(self) -> Table:
        say = self.speech.say
        figures = [_figures(run) for run in self.runs]
        rows = []
        for key in figures[0]:
            values = [found[key][0] for found in figures]
            kind = figures[0][key][1]
            texts = tuple(self.speech.value(value, kind) for value in values)
            changes = tuple(
                self.speech.value(_change(values[0], value) if kind != "text" else None, "change")
                for value in values[1:]
            )
            rows.append((self.speech.capitalised(say(f"figure.{key}")), *texts, *changes))
        names = self._names()
        changed = [
            say("column.change") if len(names) == 2 else say("column.change_of", name=name) for name in names[1:]
        ]
        columns = [Column(say("column.what")), *(Column(name, "number") for name in (*names, *changed))]
        return Table("comparison", say("table.comparison"), tuple(columns), tuple(rows), len(rows))

    def _cycle_chart(self) -> Chart:
        say = self.speech.say
        keys = ("median_cycle", "average_cycle", "most_within")
        return Chart(
            "cycle-times",
            say("chart.cycle_compared"),
            "bars",
            tuple(self.speech.capitalised(say(f"figure.{key}")) for key in keys),
            tuple(
                Series(name, tuple(float(_figures(run)[key][0] or 0) for key in keys))
                for name, run in zip(self._names(), self.runs, strict=True)
            ),
            "duration",
        )

    def _shares(self) -> list[tuple[str, list[float | None]]]:
        """Activities by their largest share of all waiting, with the share in each run."""
        found = [{row["activity"]: row["share"] for row in run.performance["bottlenecks"]} for run in self.runs]
        names = sorted({name for row in found for name in row}, key=lambda n: (-max(r.get(n, 0.0) for r in found), n))
        return [(name, [row.get(name) for row in found]) for name in names]

    def _bottleneck_chart(self) -> Chart | None:
        rows, say = self._shares()[:_BARS], self.speech.say
        if not rows:
            return None
        return Chart(
            "bottlenecks",
            say("chart.bottlenecks"),
            "bars",
            tuple(name_of(name, 60) for name, _ in rows),
            tuple(Series(name, tuple(shares[place] for _, shares in rows)) for place, name in enumerate(self._names())),
            "percent",
            note=say("chart.compared_note"),
        )

    def _bottleneck_table(self) -> Table | None:
        rows = self._shares()
        if not rows:
            return None
        columns = [Column(self.speech.say("column.before")), *(Column(name, "percent") for name in self._names())]
        values = tuple((name_of(name), *shares) for name, shares in rows[:_ROWS])
        return Table("bottlenecks", self.speech.say("table.bottleneck_shares"), tuple(columns), values, len(rows))

    def _activity_table(self) -> Table | None:
        found = [{row["activity"]: row for row in run.discovery["activities"]} for run in self.runs]
        names = sorted(
            {name for rows in found for name in rows},
            key=lambda name: (-max(rows[name]["caseShare"] if name in rows else 0.0 for rows in found), name),
        )
        values: list[tuple[Value, ...]] = [
            (name_of(name), *(rows[name]["caseShare"] if name in rows else None for rows in found))
            for name in names[:_ROWS]
        ]
        columns = [Column(self.speech.say("column.activity")), *(Column(name, "percent") for name in self._names())]
        title = self.speech.say("table.activity_shares")
        return Table("activities", title, tuple(columns), tuple(values), len(names)) if values else None

    def _advice(self, run: Mined) -> list[Section]:
        name = self._names()[self.runs.index(run)]
        found = run.summary_sections()
        blocks = next((section.blocks for section in found if section.key == "recommendations"), ())
        key = f"recommendations-{run.number}"
        return [Section(key, self.speech.say("section.recommendations_of", name=name), blocks)] if blocks else []


def _figures(run: Mined) -> dict[str, tuple[Any, Any]]:
    """Comparable figures of a run: key -> value and kind."""
    model, performance = run.discovery["processModel"], run.performance
    cycle = performance["cycleTimes"]
    return {
        "cases": (run.discovery["cases"], "count"),
        "events": (run.discovery["events"], "count"),
        "activities": (model["activities"], "count"),
        "variants": (model["variants"], "count"),
        "median_cycle": (cycle["medianSeconds"], "duration"),
        "average_cycle": (cycle["averageSeconds"], "duration"),
        "most_within": (cycle["p90Seconds"], "duration"),
        "waiting": (performance["waiting"]["averagePerCaseSeconds"], "duration"),
        "rework_share": (performance["rework"]["shareOfCases"], "percent"),
        "started_per_day": (performance["throughput"]["casesStartedPerDay"], "number"),
        "quality": (run.source["loading"].get("dataQualityScore"), "score"),
    }


def _change(before: Any, after: Any) -> float | None:
    """The relative change; None where there was nothing to compare with."""
    return (after - before) / before if before and after is not None else None
