"""Analysis: the looks that the type asks for, each over the selected cases, one after the other.

Every type times the cases and runs mining's performance phase; variants and comparison run its discovery too. Files: a
CSV for each full table, cases.csv (the slowest), performance.json (mining's results) and, for the drawings, curve.json.
"""

import json
import shutil
from dataclasses import dataclass, field

import polars as pl

from lodestream_server.workloads.analysis import bottlenecks, cases, comparing, people, variants
from lodestream_server.workloads.analysis.cases import Period, period_of
from lodestream_server.workloads.analysis.part import Part
from lodestream_server.workloads.analysis.selected import LOADING, Selected, selections
from lodestream_server.workloads.analysis.statistics import mann_whitney
from lodestream_server.workloads.analysis.wishes import analysis_type, looks_of, metrics_of, pairs_of
from lodestream_server.workloads.mining import discovery, performance, spoken
from lodestream_server.workloads.mining.figures import listed
from lodestream_server.workloads.mining.instances import clock_of
from lodestream_server.workloads.phase import BadInput, Finished, Json, Phase
from lodestream_server.workloads.process_models.conformance import check_conformance

#: Walks over the events that a look costs, besides timing and performance.
_WALKS = {"bottleneck": 1, "resources": 2, "conformance": 1}
#: Looks that need mining's discovery: a walk more.
_DISCOVERING = {"variants", "conformance", "comparison"}
ROWS = 25


def analyse(phase: Phase) -> Json:
    """Results: analysisType, analyses, selections, cases, events, and an object for each look: performance, bottleneck,
    variants, resources, conformance, comparison. Durations are seconds, shares parts of one.

    Raises BadInput when the log lacks what the type needs.
    """
    sides = selections(phase)
    looks = _possible(phase, looks_of(phase.parameters), sides[0])
    return _Analysing(phase, sides, looks).run()


def _possible(phase: Phase, looks: tuple[str, ...], subject: Selected) -> tuple[str, ...]:
    if "resources" not in looks or subject.log.has("resource"):
        return looks
    if looks == ("resources",):
        raise BadInput(
            "The log names no resources: give parameters.resourceColumn, or another analysisType.",
            reason="NO_RESOURCES",
            field="parameters.resourceColumn",
        )
    phase.log("INFO", "The log names no resources: nothing can be said about them")
    return tuple(look for look in looks if look != "resources")


@dataclass(slots=True)
class _Analysing:
    """The selections on their way through the looks."""

    phase: Phase
    sides: list[Selected]
    looks: tuple[str, ...]
    done: int = 0
    whole: int = 0
    results: Json = field(default_factory=dict)

    def run(self) -> Json:
        phase, subject = self.phase, self.sides[0]
        self.whole = self._work()
        self.results = {
            "analysisType": analysis_type(phase.parameters),
            "analyses": list(self.looks),
            "selections": phase.before("Data Preparation").results["selections"],
            "cases": subject.cases,
            "events": subject.events,
        }
        side = self._measured(subject, discover=bool(_DISCOVERING & set(self.looks)))
        begins = side.cases["begin"]
        edge = len(begins) // 50  # a few stragglers must not make the periods coarse
        period = period_of(int(begins[edge]), int(begins[-1 - edge]))
        self._performance(side, period)
        if "bottleneck" in self.looks:
            self._bottlenecks(side, period)
        if "variants" in self.looks:
            self._variants(side)
        if "resources" in self.looks:
            self._resources(side, period)
        if "conformance" in self.looks:
            self._conformance(side)
        if "comparison" in self.looks:
            self._comparison(side)
        phase.progress(self.whole, self.whole, "Done")
        said = ", ".join(self.looks)
        phase.milestone(f"Analysis done: {said}", cases=subject.cases, events=subject.events)
        return self.results

    def _work(self) -> int:
        """Events to walk over in all."""
        walks = 2 + sum(_WALKS.get(look, 0) for look in self.looks) + bool(_DISCOVERING & set(self.looks))
        if "comparison" in self.looks:
            mine, theirs = self.sides[0].events, self.sides[1].events
            return mine * (walks + 1) + theirs * 4
        return self.sides[0].events * walks

    def _part(self, name: str, side: Selected, walks: int = 1, quiet: bool = True) -> Part:
        """The next stretch of work, with a folder of this name."""
        length = side.events * walks
        part = Part(
            self.phase,
            self.phase.out / side.key / name,
            self.phase.scratch / side.key / name,
            {LOADING: side.loading},
            self.done,
            length,
            self.whole,
            quiet,
            self.phase.parameters,
            self.phase.dataset,
        )
        self.done += length
        return part

    def _measured(self, side: Selected, discover: bool) -> comparing.Side:
        log = side.log
        timed = cases.table(self._part("timing", side), log)
        own = side.key == self.sides[0].key
        finished = self._mined(self._part("performance", side, quiet=not own), performance.analyse)
        found = Finished("", {}, self.phase.out)
        if discover:
            found = self._mined(self._part("discovery", side), discovery.discover)
            if not own or "conformance" not in self.looks:
                shutil.rmtree(found.folder / "cases")
        return comparing.Side(side.name, log, clock_of(log), timed, finished, found)

    def _mined(self, part: Part, function: object) -> Finished:
        """A phase function of mining, run in a part; what it left in scratch goes at once."""
        results = function(part)  # type: ignore[operator]  # a phase function
        shutil.rmtree(part.scratch, ignore_errors=True)
        return Finished(part.name, results, part.out)

    def _csv(self, name: str, rows: pl.DataFrame) -> None:
        nested = [column for column, kind in rows.schema.items() if kind.is_nested()]
        rows.drop(nested).write_csv(self.phase.out / f"{name}.csv")

    def _performance(self, side: comparing.Side, period: Period) -> None:
        done, metrics = side.performance.results, metrics_of(self.phase.parameters)
        (self.phase.out / "performance.json").write_text(json.dumps(done, default=str), "utf-8")
        self.results["cycleTimes"] = {key: value for key, value in done["cycleTimes"].items() if key != "distribution"}
        if "performance" not in self.looks:
            return
        found: Json = {"metrics": list(metrics), "timing": done["timing"], "throughput": done["throughput"]}
        if "cycle_time" in metrics:
            slow = cases.slowest(side.cases)
            self._csv("slowest-cases", slow)
            found["cycleTime"] = {
                **done["cycleTimes"],
                "overTime": cases.over_time(side.cases, period),
                "slowestCases": listed(slow, cases.SLOWEST),
            }
        if "waiting_time" in metrics:
            rows = side.table("performance", "waiting")
            self._csv("waiting", rows)
            found["waitingTime"] = {**done["waiting"], "activities": listed(rows, ROWS)}
            found["rework"] = done["rework"]
        if "resource_utilization" in metrics:
            self._utilisation(side, found)
        if "serviceTimes" in done:
            found["serviceTimes"] = done["serviceTimes"][:ROWS]
        self.results["performance"] = found

    def _utilisation(self, side: comparing.Side, found: Json) -> None:
        done = side.performance.results
        if "resources" not in done:
            self.phase.log("INFO", "The log names no resources: their utilization cannot be measured")
            return
        found["resourceUtilization"] = {**done["resources"], "rows": done["resources"]["rows"][:ROWS]}
        self._csv("resource-utilization", side.table("performance", "resources"))

    def _bottlenecks(self, side: comparing.Side, period: Period) -> None:
        ranking = side.performance.results["bottlenecks"]
        closely = bottlenecks.look(self._part("waits", self.sides[0]), side.log, side.clock, ranking, period)
        self._csv("bottlenecks", side.table("performance", "flow").sort("totalSeconds", descending=True))
        self.results["bottleneck"] = {
            "timing": side.performance.results["timing"],
            "waiting": side.performance.results["waiting"],
            "ranking": ranking,
            "steps": side.performance.results["bottleneckSteps"],
            "closely": closely,
        }

    def _variants(self, side: comparing.Side) -> None:
        table = side.table("discovery", "variants")
        self._csv("variants", variants.as_csv(table))
        self.results["variants"] = variants.look(table, side.discovery.results)
        curve = json.dumps(variants.curve(table))
        (self.phase.out / "curve.json").write_text(curve, "utf-8")

    def _resources(self, side: comparing.Side, period: Period) -> None:
        part = self._part("people", self.sides[0], 2)
        found, tables = people.look(part, side.log, side.clock, period, pairs_of(self.phase.parameters))
        for name, rows in tables.items():
            self._csv(name, rows)
        done = side.performance.results["resources"]
        found["utilization"] = {**done, "rows": done["rows"][:ROWS]}
        self.results["resources"] = found

    def _conformance(self, side: comparing.Side) -> None:
        part = self._part("conformance", self.sides[0], quiet=False)
        self.results["conformance"] = check_conformance(part, side.discovery.folder, self.phase.out)
        shutil.rmtree(side.discovery.folder / "cases")

    def _comparison(self, subject: comparing.Side) -> None:
        reference = self._measured(self.sides[1], discover=True)
        names = comparing.changed_activities(subject, reference)
        mine = comparing.waits_of(self._part("waits", self.sides[0]), subject, names)
        theirs = comparing.waits_of(self._part("waits", self.sides[1]), reference, names)
        tests = {}
        for name in names:
            self.phase.check()
            if shift := mann_whitney(mine[name], theirs[name]):
                tests[name] = shift
        found, tables = comparing.compare(subject, reference, tests)
        found["casesInBoth"] = self.phase.before("Data Preparation").results.get("casesInBoth", 0)
        for name, rows in tables.items():
            if name == "comparison-variants":
                rows = rows.head(100_000)
            self._csv(name, rows)
        self.results["comparison"] = found
        longer = found["cycleTimeTest"].get("verdict", "untested")
        self.phase.log("INFO", f"{spoken.shortened(subject.name, 60)} against {reference.name}: {longer}")
