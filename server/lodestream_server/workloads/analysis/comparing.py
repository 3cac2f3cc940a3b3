"""Two selections of cases side by side: figures with their difference, a test whether cases take longer, and what
changed most: waiting before activities, steps, variants.

A change of waiting counts as seconds per case of its selection, so that more often and longer both show, and all
changes together are the change of waiting of the average case.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl

from lodestream_server.workloads.analysis.part import Part
from lodestream_server.workloads.analysis.statistics import SIGNIFICANT, mann_whitney, shares_differ
from lodestream_server.workloads.mining import figures
from lodestream_server.workloads.mining.instances import Clock, instances, with_waiting
from lodestream_server.workloads.mining.validated import Codes, ValidatedLog, numbered, read
from lodestream_server.workloads.phase import Finished, Json

TOP = 20
#: Variants whose change is tested, the largest changes first.
_TESTED = 1_000


@dataclass(frozen=True, slots=True)
class Side:
    """A selection with what was found out about it: its cases, and the results and folders of mining's phases."""

    name: str
    log: ValidatedLog
    clock: Clock
    cases: pl.DataFrame
    performance: Finished
    discovery: Finished

    def table(self, of: str, name: str) -> pl.DataFrame:
        """A full table of a phase."""
        folder = (self.performance if of == "performance" else self.discovery).folder
        return pl.read_parquet(folder / f"{name}.parquet", glob=False)


def compare(subject: Side, reference: Side, waits: dict[str, Any]) -> tuple[Json, dict[str, pl.DataFrame]]:
    """Results and full tables by file name. `waits`: activity -> the Shift of its waiting, where it was tested."""
    activities, steps, variants = (
        _activities(subject, reference, waits),
        _steps(subject, reference),
        _variants(subject, reference),
    )
    tested = mann_whitney(subject.cases["duration"], reference.cases["duration"])
    results = {
        "subject": _portrait(subject),
        "reference": _portrait(reference),
        "figures": _figures(subject, reference),
        "cycleTimeTest": _test(tested),
        "activities": figures.listed(activities, TOP),
        "transitions": figures.listed(steps, TOP),
        "variants": [_variant(row) for row in variants.head(TOP).iter_rows(named=True)],
        "onlyInSubject": _only(subject, reference),
        "onlyInReference": _only(reference, subject),
    }
    tables = {
        "comparison-activities": activities,
        "comparison-transitions": steps,
        "comparison-variants": variants.with_columns(pl.col("activities").list.join(" > ")),
    }
    return results, tables


def changed_activities(subject: Side, reference: Side, most: int = 12) -> list[str]:
    """The activities whose waiting changed most."""
    return _activities(subject, reference, {})["activity"].head(most).to_list()


def waits_of(part: Part, side: Side, names: list[str]) -> dict[str, pl.Series]:
    """All waits (microseconds) before some activities."""
    found: dict[str, list[pl.Series]] = {name: [] for name in names}
    codes, done = Codes(), 0
    for bucket in side.log.buckets:
        part.progress(done, side.log.events, f"Comparing waiting: {side.name}")
        frame = read(bucket, side.clock.columns)
        rows = with_waiting(instances(side.clock, numbered(frame, codes), frame), side.clock)
        table = dict(codes.table("activity", "name").select("name", "activity").iter_rows())
        for name in names:
            if name in table:
                found[name].append(rows.filter(pl.col("activity") == table[name])["waiting"].drop_nulls())
        done += bucket.events
    empty = pl.Series([], dtype=pl.Int64)
    return {name: pl.concat(parts) if parts else empty for name, parts in found.items()}


def _portrait(side: Side) -> Json:
    results = side.performance.results
    return {
        "name": side.name,
        "cases": results["cases"],
        "events": results["events"],
        "cycleTimes": {key: value for key, value in results["cycleTimes"].items() if key != "distribution"},
        "quantilesSeconds": _quantiles(side.cases["duration"]),
        "bottlenecks": [row["activity"] for row in results["bottlenecks"][:5]],
    }


def _quantiles(durations: pl.Series) -> list[float]:
    """The longest time of the quickest 0 %, 1 % … 100 % of cases."""
    ordered = durations.sort()
    places = [round(part * (len(ordered) - 1) / 100) for part in range(101)]
    return [round(ordered[place] / 1e6, 3) for place in places]


def _figures(subject: Side, reference: Side) -> list[Json]:
    one, two = (_measured(side) for side in (subject, reference))
    return [
        {
            "figure": name,
            "unit": unit,
            "subject": value,
            "reference": two[name][1],
            "difference": round(value - two[name][1], 6),
            "relative": round(value / two[name][1] - 1, 6) if two[name][1] else None,
        }
        for name, (unit, value) in one.items()
        if name in two
    ]


def _measured(side: Side) -> dict[str, tuple[str, float]]:
    done, found = side.performance.results, side.discovery.results
    cycle, cases = done["cycleTimes"], done["cases"]
    found_ = {
        "cases": ("cases", cases),
        "eventsPerCase": ("events", round(done["events"] / cases, 6)),
        "averageCycleTime": ("seconds", cycle["averageSeconds"]),
        "medianCycleTime": ("seconds", cycle["medianSeconds"]),
        "p90CycleTime": ("seconds", cycle["p90Seconds"]),
        "waitingPerCase": ("seconds", done["waiting"]["averagePerCaseSeconds"]),
        "shareOfCasesWithRework": ("share", done["rework"]["shareOfCases"]),
        "variants": ("variants", found["processVariants"]),
        "casesStartedPerDay": ("cases", done["throughput"]["casesStartedPerDay"]),
        "effectiveChoicesPerStep": ("choices", found["processModel"]["effectiveChoices"]),
    }
    if "resources" in done:
        found_["resources"] = ("resources", done["resources"]["resources"])
    return found_


def _test(shift: Any) -> Json:
    """The test of cycle times, said in words too."""
    if shift is None:
        return {}
    significant = shift.p_value is not None and shift.p_value < SIGNIFICANT
    longer = shift.probability > 0.5
    verdict = ("longer" if longer else "shorter") if significant else "no significant difference"
    return {
        "test": "Mann-Whitney U, two-sided",
        "u": shift.u,
        "pValue": shift.p_value,
        "probabilitySubjectLonger": round(shift.probability, 6),
        "verdict": verdict,
    }


def _activities(subject: Side, reference: Side, waits: dict[str, Any]) -> pl.DataFrame:
    """Waiting before each activity per case of its selection, the largest change first."""
    one, two = (_per_case(side) for side in (subject, reference))
    rows = one.join(two, on="activity", how="full", coalesce=True, suffix="Reference").with_columns(
        pl.col("perCase", "waitSeconds", "perCaseReference", "waitSecondsReference").fill_null(0.0)
    )
    change = pl.col("waitSeconds") - pl.col("waitSecondsReference")
    tests = pl.DataFrame(
        {
            "activity": list(waits),
            "pValue": [shift.p_value for shift in waits.values()],
            "probabilitySubjectLonger": [round(shift.probability, 6) for shift in waits.values()],
        },
        schema={"activity": pl.String, "pValue": pl.Float64, "probabilitySubjectLonger": pl.Float64},
    )
    return (
        rows.select(
            "activity",
            changeSecondsPerCase=change.round(6),
            subjectWaitSecondsPerCase=pl.col("waitSeconds").round(6),
            referenceWaitSecondsPerCase=pl.col("waitSecondsReference").round(6),
            subjectTimesPerCase=pl.col("perCase").round(6),
            referenceTimesPerCase=pl.col("perCaseReference").round(6),
            subjectMedianWaitSeconds="medianSeconds",
            referenceMedianWaitSeconds="medianSecondsReference",
        )
        .join(tests, on="activity", how="left")
        .sort(pl.col("changeSecondsPerCase").abs(), pl.col("activity"), descending=[True, False])
    )


def _per_case(side: Side) -> pl.DataFrame:
    cases = side.performance.results["cases"]
    nodes, waiting = side.table("performance", "nodes"), side.table("performance", "waiting")
    return nodes.select("activity", perCase=pl.col("instances") / cases).join(
        waiting.select("activity", "medianSeconds", waitSeconds=pl.col("totalSeconds") / cases),
        on="activity",
        how="left",
    )


def _steps(subject: Side, reference: Side) -> pl.DataFrame:
    """How often each step is taken per case, the largest change first."""
    sides = []
    for side in (subject, reference):
        cases = side.performance.results["cases"]
        flow = side.table("performance", "flow")
        sides.append(flow.select("source", "target", "count", "medianSeconds", perCase=pl.col("count") / cases))
    rows = sides[0].join(sides[1], on=["source", "target"], how="full", coalesce=True, suffix="Reference")
    rows = rows.with_columns(pl.col("perCase", "perCaseReference", "count", "countReference").fill_null(0))
    return rows.select(
        "source",
        "target",
        changePerCase=(pl.col("perCase") - pl.col("perCaseReference")).round(6),
        subjectPerCase=pl.col("perCase").round(6),
        referencePerCase=pl.col("perCaseReference").round(6),
        subjectCount="count",
        referenceCount="countReference",
        subjectMedianWaitSeconds="medianSeconds",
        referenceMedianWaitSeconds="medianSecondsReference",
    ).sort(pl.col("changePerCase").abs(), pl.col("source"), pl.col("target"), descending=[True, False, False])


def _variants(subject: Side, reference: Side) -> pl.DataFrame:
    """The share of each variant on both sides, the largest change first."""
    sides = [
        side.table("discovery", "variants").select(
            "activities", "cases", "medianCycleSeconds", way=pl.col("activities").list.join("\x1f")
        )
        for side in (subject, reference)
    ]
    rows = sides[0].join(sides[1], on="way", how="full", coalesce=True, suffix="Reference")
    rows = rows.with_columns(
        pl.col("cases", "casesReference").fill_null(0), pl.coalesce("activities", "activitiesReference")
    )
    one, two = subject.performance.results["cases"], reference.performance.results["cases"]
    share, other = pl.col("cases") / one, pl.col("casesReference") / two
    ordered = rows.select(
        "activities",
        changeOfShare=(share - other).round(6),
        subjectShare=share.round(6),
        referenceShare=other.round(6),
        subjectCases="cases",
        referenceCases="casesReference",
        subjectMedianCycleSeconds="medianCycleSeconds",
        referenceMedianCycleSeconds="medianCycleSecondsReference",
        order="way",
    ).sort(pl.col("changeOfShare").abs(), pl.col("order"), descending=[True, False])
    counts = ordered.select("subjectCases", "referenceCases").head(_TESTED).iter_rows()
    tested = [shares_differ(mine, one, theirs, two) for mine, theirs in counts]
    untested = [None] * (ordered.height - len(tested))
    return ordered.drop("order").with_columns(pl.Series("pValue", [*tested, *untested], dtype=pl.Float64))


def _variant(row: Json) -> Json:
    return {**row, "activities": row["activities"][:100], "length": len(row["activities"])}


def _only(here: Side, there: Side) -> Json:
    """Activities and numbers of variants that one side has alone."""
    mine, other = (side.table("performance", "nodes")["activity"] for side in (here, there))
    alone = mine.filter(~mine.is_in(other.implode()))
    return {"activities": alone.head(TOP).to_list(), "count": len(alone)}
