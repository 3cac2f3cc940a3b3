"""What performance analysis adds up while it reads the buckets, one after the other.

Values whose quantiles are wanted go to the scratch folder under the names `waits` (key: activity * 2^32 + the
activity before it) and `service` (key: activity); the rest is small and stays in memory.
"""

from dataclasses import dataclass, field

import polars as pl

from lodestream_server.workloads.mining import figures, resources, rework, throughput
from lodestream_server.workloads.mining.instances import Clock, instances, with_waiting
from lodestream_server.workloads.mining.validated import PAIR, Codes, ValidatedLog, numbered, read
from lodestream_server.workloads.phase import Phase


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


def walk(phase: Phase, log: ValidatedLog, clock: Clock, tally: Tally) -> None:
    """Reads every bucket once and adds it to the tally; progress, metrics and cancel points on the way."""
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
