"""Performance analysis: cycle times, waiting, bottlenecks, resources, rework and throughput.

Works on activity instances (see instances.py), bucket by bucket. Files of this phase, all rows of what the results show
the top of: flow.parquet (steps between instances with their waiting), waiting.parquet (waiting before each activity),
nodes.parquet (instances and service times per activity), hours.parquet, rework.parquet and, where the log names
resources, resources.parquet.
"""

import polars as pl

from lodestream_server.workloads.mining import figures, resources, rework, spoken, throughput, waiting
from lodestream_server.workloads.mining.instances import WAITING_MEANS, Clock, clock_of
from lodestream_server.workloads.mining.tally import Tally, walk
from lodestream_server.workloads.mining.validated import PAIR, Codes, ValidatedLog, open_log
from lodestream_server.workloads.mining.wishes import Looks, looks
from lodestream_server.workloads.phase import Json, Phase

#: Rows of each table in the results; the files have all.
TOP = 50

#: Steps with the most waiting in the results.
SLOW_STEPS = 12

#: Efficiency is stated only if the durations of at least this share of the activity instances are known.
TIMED_ENOUGH = 0.9

#: Bars of the cycle-time distribution; it ends at the 98th percentile, the rest is one number.
_BARS = 30


def analyse(phase: Phase) -> Json:
    """Results: cases, events, activityInstances, timing, cycleTimes, performanceMetrics, waiting, bottlenecks,
    bottleneckSteps, serviceTimes, rework, throughput and resources (the last two kinds of figures only where the log
    has what they need), and leftOut, the looks that the parameters do not want (see wishes.py). Durations are seconds.
    """
    log, asked = open_log(phase), looks(phase.parameters)
    clock = clock_of(log)
    counted = Codes(), throughput.HourCount(), rework.ReworkCount()
    people = resources.ResourceCount(phase.scratch) if asked.resources and log.has("resource") else None
    tally = Tally(*counted, people)
    phase.log(
        "INFO", f"Times of this log are {clock.kind}; waiting is the {WAITING_MEANS[clock.kind]}", timing=clock.kind
    )
    walk(phase, log, clock, tally)
    phase.progress(log.events, log.events, "Ranking bottlenecks")
    tables = _tables(phase, tally)
    for name, rows in tables.items():
        rows.write_parquet(phase.out / f"{name}.parquet", compression="zstd")
    results = _results(log, clock, tally, tables, asked)
    _announce(phase, results)
    return results


def _tables(phase: Phase, tally: Tally) -> dict[str, pl.DataFrame]:
    names = tally.activities.table("activity", "name")
    steps, before = figures.summarise_twice(phase.scratch, "waits", phase.check, PAIR)
    tables = {
        "flow": waiting.flow(steps, names),
        "waiting": waiting.waiting(before, names),
        "nodes": _nodes(phase, tally, names),
        "hours": tally.hours.rows(),
        "rework": tally.rework.rows(names),
    }
    if tally.resources and tally.resources.events:
        tables["resources"] = tally.resources.rows(phase.check)
    return tables


def _nodes(phase: Phase, tally: Tally, names: pl.DataFrame) -> pl.DataFrame:
    """Activities by frequency: activity, instances, starts, ends (of cases), and their service times where known."""
    nodes = pl.concat(tally.nodes).group_by("activity").agg(pl.all().sum()).join(names, on="activity")
    columns = [pl.col("name").alias("activity"), pl.col("instances", "starts", "ends")]
    if tally.timed:
        service = figures.summarise(phase.scratch, "service", phase.check).with_columns(pl.col("key").cast(pl.UInt32))
        nodes = nodes.join(service.rename({"key": "activity", "count": "timed"}), on="activity", how="left")
        columns += [pl.col("timed").fill_null(0), *figures.in_seconds("total", "mean", "median", "p90")]
    return nodes.select(columns).sort("instances", "activity", descending=[True, False])


def _results(log: ValidatedLog, clock: Clock, tally: Tally, tables: dict[str, pl.DataFrame], asked: Looks) -> Json:
    cycles = pl.concat(tally.cycles)
    waited = float(tables["waiting"]["totalSeconds"].sum())
    slow, steps = _bottlenecks(tables) if asked.bottlenecks else ([], [])
    results: Json = {
        "cases": len(cycles),
        "events": log.events,
        "activityInstances": tally.instances,
        "timing": {"kind": clock.kind, "waiting": WAITING_MEANS[clock.kind], "instancesWithDuration": tally.timed},
        "cycleTimes": {**figures.spread(cycles), **_histogram(cycles)},
        "performanceMetrics": {},
        "waiting": {
            "totalSeconds": round(waited, 6),
            "averagePerCaseSeconds": round(waited / len(cycles), 6),
            "occurrences": tally.waits,
            "activities": tables["waiting"].height,
        },
        "bottlenecks": slow,
        "bottleneckSteps": steps,
        "rework": rework.as_results(tables["rework"], tally.rework.cases, len(cycles), tally.instances),
        "throughput": throughput.as_results(tables["hours"]),
        "leftOut": asked.left_out,
        "definitions": DEFINITIONS,
    }
    if tally.timed:
        results["serviceTimes"] = _timed_rows(tables["nodes"])
    if "resources" in tables:
        results["resources"] = resources.as_results(tables["resources"], tally.instances)
    results["performanceMetrics"] = _documented(results, _efficiency(tally, cycles, waited), asked)
    return results


def _bottlenecks(tables: dict[str, pl.DataFrame]) -> tuple[list[Json], list[Json]]:
    """The bottlenecks, and the steps with the most waiting."""
    flow = tables["flow"].sort("totalSeconds", descending=True, maintain_order=True)
    slow = waiting.bottlenecks(tables["flow"], tables["waiting"])
    return figures.listed(slow, TOP), figures.listed(flow, SLOW_STEPS)


def _timed_rows(nodes: pl.DataFrame) -> list[Json]:
    timed = nodes.drop("starts", "ends").filter(pl.col("timed") > 0)
    return figures.listed(timed.sort("totalSeconds", "activity", descending=[True, False]), TOP)


def _efficiency(tally: Tally, cycles: pl.Series, waited: float) -> float | None:
    """Share of all cycle time in which at least one activity was running, in percent; None unless (nearly) all
    durations are known.
    """
    total = float(cycles.sum()) / 1e6
    if not tally.instances or tally.timed < TIMED_ENOUGH * tally.instances or total <= 0:
        return None
    return round(min(100.0, max(0.0, (total - waited) / total * 100)), 1)


def _documented(results: Json, efficiency: float | None, asked: Looks) -> Json:
    """`performanceMetrics` in the words of the documentation, those that are wanted and known; durations as text."""
    cycle, used = results["cycleTimes"], results.get("resources", {}).get("utilisation")
    metrics = {
        "averageCycleTime": spoken.duration(cycle["averageSeconds"]),
        "medianCycleTime": spoken.duration(cycle["medianSeconds"]),
        "averageWaitingTime": spoken.duration(results["waiting"]["averagePerCaseSeconds"]),
        "bottleneckActivities": [row["activity"] for row in results["bottlenecks"]] if asked.bottlenecks else None,
        "efficiency": efficiency,
        "resourceUtilization": None if used is None else round(100 * used, 1),
    }
    return {key: value for key, value in metrics.items() if key in asked.figures and value is not None}


def _histogram(cycles: pl.Series) -> Json:
    """Cases per bar of equal width from 0 to the 98th percentile, and how many lie beyond it."""
    top = float(cycles.quantile(0.98, interpolation="linear") or 0.0)
    if top <= 0:
        return {}
    within = cycles.filter(cycles <= top)
    bars = pl.DataFrame({"bar": (within * _BARS / top).floor().clip(0, _BARS - 1).cast(pl.Int64)}).group_by("bar").len()
    counts = dict(bars.iter_rows())
    return {
        "distribution": {
            "barSeconds": round(top / _BARS / 1e6, 6),
            "cases": [counts.get(bar, 0) for bar in range(_BARS)],
            "casesBeyond": len(cycles) - len(within),
        }
    }


#: What the words of the results mean.
DEFINITIONS = {
    "cycleTimes": "from the start of a case's first event to its last timestamp; p90 interpolated linearly",
    "bottlenecks": f"activities with at least {waiting.BOTTLENECK_SHARE:.0%} of all waiting before them; "
    "share is of all waiting of the log",
    "rework": "activity instances whose activity already occurred in their case; "
    "selfLoops immediately follow the same activity",
    "efficiency": "share of all cycle time in which at least one activity ran; "
    "stated only when durations are known for 90 % of the work",
    "throughput": "averages over all calendar days (UTC) from the first event to the last",
    "utilisation": "time with at least one piece of work, divided by the daily windows from first start to last end "
    "(UTC days of the start)",
}


def _announce(phase: Phase, results: Json) -> None:
    if "bottlenecks" not in results["leftOut"]:
        phase.metrics(bottlenecksIdentified=len(results["bottlenecks"]))
    cycle = results["cycleTimes"]
    phase.log(
        "INFO",
        f"Cycle time: median {spoken.duration(cycle['medianSeconds'])}, "
        f"average {spoken.duration(cycle['averageSeconds'])}, "
        f"90 % of {results['cases']:,} cases within {spoken.duration(cycle['p90Seconds'])}",
    )
    if "bottlenecks" in results["leftOut"]:
        return
    if not results["bottlenecks"]:
        phase.log("INFO", "No bottleneck: no activity has waiting before it that stands out")
        return
    worst = results["bottlenecks"][0]
    phase.milestone(
        f"Largest bottleneck: {spoken.shortened(worst['activity'], 80)}",
        shareOfWaiting=worst["share"],
        medianWaiting=spoken.duration(worst["medianSeconds"]),
        occurrences=worst["occurrences"],
    )
