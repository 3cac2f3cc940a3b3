"""Performance analysis: cycle times, waiting, bottlenecks, resources, rework and throughput.

Works on activity instances (see instances.py), bucket by bucket. Files of this phase, all rows of what the results show
the top of: flow.parquet (steps between instances with their waiting), waiting.parquet (waiting before each activity),
nodes.parquet (instances and service times per activity), hours.parquet, rework.parquet and, where the log names
resources, resources.parquet.
"""

from dataclasses import dataclass, field

import polars as pl

from lodestream_server.workloads.mining import figures, resources, rework, spoken, throughput
from lodestream_server.workloads.mining.instances import WAITING_MEANS, Clock, clock_of, instances, with_waiting
from lodestream_server.workloads.mining.validated import PAIR, Codes, ValidatedLog, numbered, open_log, read
from lodestream_server.workloads.phase import Json, Phase

TOP = 50

#: Steps with the most waiting in the results.
SLOW_STEPS = 12

#: An activity is called a bottleneck when at least this share of all waiting of the log lies before it.
BOTTLENECK_SHARE = 0.05

#: Efficiency is stated only if the durations of at least this share of the activity instances are known.
TIMED_ENOUGH = 0.9

#: Bars of the cycle-time distribution; it ends at the 98th percentile, the rest is one number.
_BARS = 30


@dataclass(slots=True)
class Tally:
    """What grows while the buckets are read."""

    activities: Codes
    hours: throughput.HourCount
    rework: rework.ReworkCount
    resources: resources.ResourceCount | None
    cycles: list[pl.Series] = field(default_factory=list)
    nodes: list[pl.DataFrame] = field(default_factory=list)
    instances: int = 0
    timed: int = 0
    waits: int = 0


def analyse(phase: Phase) -> Json:
    """Results: cases, events, activityInstances, timing, cycleTimes, performanceMetrics, waiting, bottlenecks,
    bottleneckSteps, serviceTimes, rework, throughput and resources (the last two kinds of figures only where the log
    has what they need). Durations are seconds.
    """
    log = open_log(phase)
    clock = clock_of(log)
    counted = Codes(), throughput.HourCount(), rework.ReworkCount()
    people = resources.ResourceCount(phase.scratch) if log.has("resource") else None
    tally = Tally(*counted, people)
    phase.log(
        "INFO", f"Times of this log are {clock.kind}; waiting is the {WAITING_MEANS[clock.kind]}", timing=clock.kind
    )
    _walk(phase, log, clock, tally)
    phase.progress(log.events, log.events, "Ranking bottlenecks")
    tables = _tables(phase, tally)
    for name, rows in tables.items():
        rows.write_parquet(phase.out / f"{name}.parquet", compression="zstd")
    results = _results(log, clock, tally, tables)
    _announce(phase, results)
    return results


def _walk(phase: Phase, log: ValidatedLog, clock: Clock, tally: Tally) -> None:
    columns = [*clock.columns, *(["resource"] if tally.resources else [])]
    done = 0
    for bucket in log.buckets:
        phase.progress(done, log.events, f"Measuring waiting and work, part {bucket.number + 1} of {len(log.buckets)}")
        frame = read(bucket, columns)
        numbers = numbered(frame, tally.activities)
        _add_cases(tally, numbers)
        phase.check()
        found = with_waiting(instances(clock, numbers, frame), clock)
        _add_instances(phase, tally, bucket.number, found)
        phase.check()
        if tally.resources:
            tally.resources.add(bucket.number, found, frame["resource"].cast(pl.String))
        done += bucket.events
        phase.metrics(waitTimeCalculated=tally.waits, cycleTimeCalculated=sum(map(len, tally.cycles)))


def _add_cases(tally: Tally, numbers: pl.DataFrame) -> None:
    """Cycle time of a case: from the start of its first event to its last timestamp."""
    last = numbers["first"].shift(-1, fill_value=True)
    ends = numbers["at"].filter(last)
    if "start" in numbers.columns:
        starts = numbers.group_by("case", maintain_order=True).agg(pl.col("start").min())["start"]
    else:
        starts = numbers["at"].filter(numbers["first"])
    tally.cycles.append(ends - starts)
    tally.hours.add(numbers["at"], starts, ends)


def _add_instances(phase: Phase, tally: Tally, bucket: int, found: pl.DataFrame) -> None:
    # The activity waited for comes first in the key, so that all waiting before it can be read together.
    key = pl.col("activity").cast(pl.UInt64) * PAIR + pl.col("before").cast(pl.UInt64)
    waits = found.select(key=key, value="waiting").drop_nulls("key")
    figures.keep(phase.scratch, "waits", bucket, waits)
    timed = found.filter("timed")
    if timed.height:
        service = timed.select(key=pl.col("activity").cast(pl.UInt64), value=pl.col("end") - pl.col("start"))
        figures.keep(phase.scratch, "service", bucket, service)
    tally.rework.add(found)
    last = pl.col("first").shift(-1, fill_value=True)
    ends = found.select("activity", "first", last=last).group_by("activity")
    tally.nodes.append(
        ends.agg(pl.len().cast(pl.Int64).alias("instances"), _number("first", "starts"), _number("last", "ends"))
    )
    tally.instances += found.height
    tally.timed += timed.height
    tally.waits += waits.height


def _number(flag: str, name: str) -> pl.Expr:
    return pl.col(flag).sum().cast(pl.Int64).alias(name)


def _tables(phase: Phase, tally: Tally) -> dict[str, pl.DataFrame]:
    names = tally.activities.table("activity", "name")
    steps, before = figures.summarise_twice(phase.scratch, "waits", phase.check, PAIR)
    tables = {
        "flow": _flow(steps, names),
        "waiting": _waiting(before, names),
        "nodes": _nodes(phase, tally, names),
        "hours": tally.hours.rows(),
        "rework": tally.rework.rows(names),
    }
    if tally.resources and tally.resources.events:
        tables["resources"] = tally.resources.rows(phase.check)
    return tables


def _share(rows: pl.DataFrame) -> pl.Expr:
    """Each row's part of all waiting; 0 when nobody waited at all."""
    total = int(rows["total"].sum())
    return (pl.col("total") / total if total else pl.lit(0.0)).round(6).alias("share")


def _flow(steps: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    return (
        steps.with_columns(a=(pl.col("key") % PAIR).cast(pl.UInt32), b=(pl.col("key") // PAIR).cast(pl.UInt32))
        .join(names.rename({"activity": "a", "name": "source"}), on="a")
        .join(names.rename({"activity": "b", "name": "target"}), on="b")
        .select(
            "source",
            "target",
            "count",
            _share(steps),
            *figures.in_seconds("total", "mean", "median", "p90", "min", "max"),
        )
        .sort("count", "source", "target", descending=[True, False, False])
    )


def _waiting(before: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    return (
        before.with_columns(activity=pl.col("key").cast(pl.UInt32))
        .join(names, on="activity")
        .select(
            pl.col("name").alias("activity"),
            pl.col("count").alias("occurrences"),
            _share(before),
            *figures.in_seconds("total", "mean", "median", "p90", "max"),
        )
        .sort("totalSeconds", "activity", descending=[True, False])
    )


def _nodes(phase: Phase, tally: Tally, names: pl.DataFrame) -> pl.DataFrame:
    nodes = pl.concat(tally.nodes).group_by("activity").agg(pl.all().sum()).join(names, on="activity")
    columns = [pl.col("name").alias("activity"), pl.col("instances", "starts", "ends")]
    if tally.timed:
        service = figures.summarise(phase.scratch, "service", phase.check).with_columns(pl.col("key").cast(pl.UInt32))
        nodes = nodes.join(service.rename({"key": "activity", "count": "timed"}), on="activity", how="left")
        columns += [pl.col("timed").fill_null(0), *figures.in_seconds("total", "mean", "median", "p90")]
    return nodes.select(columns).sort("instances", "activity", descending=[True, False])


def _results(log: ValidatedLog, clock: Clock, tally: Tally, tables: dict[str, pl.DataFrame]) -> Json:
    cycles = pl.concat(tally.cycles)
    waited = float(tables["waiting"]["totalSeconds"].sum())
    bottlenecks = _bottlenecks(tables)
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
        "bottlenecks": bottlenecks,
        "bottleneckSteps": figures.listed(
            tables["flow"].sort("totalSeconds", descending=True, maintain_order=True), SLOW_STEPS
        ),
        "rework": rework.as_results(tables["rework"], tally.rework.cases, len(cycles), tally.instances),
        "throughput": throughput.as_results(tables["hours"]),
        "definitions": DEFINITIONS,
    }
    results["performanceMetrics"] = _documented(results, _efficiency(tally, cycles, waited))
    if tally.timed:
        results["serviceTimes"] = _timed_rows(tables["nodes"])
    if "resources" in tables:
        results["resources"] = resources.as_results(tables["resources"], tally.instances)
    return results


def _bottlenecks(tables: dict[str, pl.DataFrame]) -> list[Json]:
    """Activities with at least `BOTTLENECK_SHARE` of all waiting before them, the largest first, and the step from
    which most of it comes.
    """
    worst = (
        tables["flow"]
        .sort("totalSeconds", descending=True, maintain_order=True)
        .unique("target", keep="first", maintain_order=True)
    )
    rows = (
        tables["waiting"]
        .filter((pl.col("share") >= BOTTLENECK_SHARE) & (pl.col("totalSeconds") > 0))
        .join(
            worst.select(activity="target", mostlyAfter="source", after="totalSeconds"),
            on="activity",
            how="left",
            maintain_order="left",
        )
        .with_columns(mostlyAfterShare=(pl.col("after") / pl.col("totalSeconds")).round(6))
        .drop("after")
        .with_row_index("rank", offset=1)
    )
    return figures.listed(rows, TOP)


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


def _documented(results: Json, efficiency: float | None) -> Json:
    """`performanceMetrics` in the words of the documentation; durations as text."""
    cycle = results["cycleTimes"]
    metrics = {
        "averageCycleTime": spoken.duration(cycle["averageSeconds"]),
        "medianCycleTime": spoken.duration(cycle["medianSeconds"]),
        "bottleneckActivities": [row["activity"] for row in results["bottlenecks"]],
    }
    return metrics if efficiency is None else {**metrics, "efficiency": efficiency}


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
    "bottlenecks": f"activities with at least {BOTTLENECK_SHARE:.0%} of all waiting before them; "
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
    phase.metrics(bottlenecksIdentified=len(results["bottlenecks"]))
    cycle = results["cycleTimes"]
    phase.log(
        "INFO",
        f"Cycle time: median {spoken.duration(cycle['medianSeconds'])}, "
        f"average {spoken.duration(cycle['averageSeconds'])}, "
        f"90 % of {results['cases']:,} cases within {spoken.duration(cycle['p90Seconds'])}",
    )
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
