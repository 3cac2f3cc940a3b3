"""Who works with whom and on what: handover of work, workload over time, and activities that hang on one person.

A handover is a step from one piece of work to the next in a case that changes the resource; work without a resource
breaks the chain.
"""

from dataclasses import dataclass, field

import polars as pl

from lodestream_server.workloads.analysis.cases import Period
from lodestream_server.workloads.analysis.part import Part
from lodestream_server.workloads.analysis.segregation import Duties
from lodestream_server.workloads.mining import figures
from lodestream_server.workloads.mining.instances import Clock, instances, with_waiting
from lodestream_server.workloads.mining.validated import PAIR, Codes, ValidatedLog, numbered, read
from lodestream_server.workloads.phase import Json

TOP = 25
#: An activity hangs on one person who did at least this share of it, when it was done at least so often.
ALONE, OFTEN = 0.9, 20


@dataclass(slots=True)
class People:
    """Adds up over the buckets."""

    part: Part
    period: Period
    activities: Codes = field(default_factory=Codes)
    names: Codes = field(default_factory=Codes)
    steps: int = 0
    handovers: int = 0
    known: int = 0
    instances: int = 0
    load: list[pl.DataFrame] = field(default_factory=list)
    work: list[pl.DataFrame] = field(default_factory=list)

    def add(self, bucket: int, found: pl.DataFrame) -> None:
        """The instances of a bucket with waiting and `who` (number of the resource, null where unknown)."""
        self.instances += found.height
        known = found.drop_nulls("who")
        self.known += known.height
        before = pl.when(~pl.col("first")).then(pl.col("who").shift(1))
        steps = found.with_columns(giver=before).drop_nulls(["giver", "who", "waiting"])
        self.steps += steps.height
        given = steps["giver"] != steps["who"]
        self.handovers += int(given.sum())
        key = pl.col("giver").cast(pl.UInt64) * PAIR + pl.col("who").cast(pl.UInt64)
        if steps.height:
            figures.keep(self.part.scratch, "steps", bucket, steps.select(key=key, value="waiting"))
            kinds = pl.DataFrame({"key": given.cast(pl.UInt64), "value": steps["waiting"]})
            figures.keep(self.part.scratch, "kinds", bucket, kinds)
        periods = known.group_by("who", period=self.period.of(pl.col("start")))
        self.load.append(periods.agg(instances=pl.len().cast(pl.Int64), cases=pl.col("case").n_unique()))
        self.work.append(known.group_by("activity", "who").agg(instances=pl.len().cast(pl.Int64)))

    def handover_rows(self) -> pl.DataFrame:
        """source, target, count, share (of all handovers) and their waiting in seconds; the most frequent first."""
        rows = figures.summarise(self.part.scratch, "steps", self.part.check)
        names = self.names.table("code", "name")
        return (
            rows.with_columns(a=(pl.col("key") // PAIR).cast(pl.UInt32), b=(pl.col("key") % PAIR).cast(pl.UInt32))
            .filter(pl.col("a") != pl.col("b"))
            .join(names.rename({"code": "a", "name": "source"}), on="a")
            .join(names.rename({"code": "b", "name": "target"}), on="b")
            .select(
                "source",
                "target",
                "count",
                share=(pl.col("count") / max(1, self.handovers)).round(6),
                medianWaitingSeconds=(pl.col("median") / 1e6).round(6),
                meanWaitingSeconds=(pl.col("mean") / 1e6).round(6),
                totalWaitingSeconds=(pl.col("total") / 1e6).round(6),
            )
            .sort("count", "source", "target", descending=[True, False, False])
        )

    def workload_rows(self) -> pl.DataFrame:
        """resource, from (date), instances, cases; the busiest resource first, then by time."""
        rows = pl.concat(self.load).group_by("who", "period").agg(pl.col("instances", "cases").sum())
        named = rows.join(self.names.table("who", "resource"), on="who")
        order = pl.col("instances").sum().over("resource")
        return (
            named.with_columns(all=order)
            .sort("all", "resource", "period", descending=[True, False, False])
            .select("resource", pl.col("period").cast(pl.String).alias("from"), "instances", "cases")
        )

    def shared_rows(self) -> pl.DataFrame:
        """activity, instances, resources, mainResource, mainShare: who does what; the most frequent first."""
        rows = pl.concat(self.work).group_by("activity", "who").agg(pl.col("instances").sum())
        rows = rows.join(self.names.table("who", "resource"), on="who")
        rows = rows.join(self.activities.table("activity", "name"), on="activity")
        return (
            rows.sort("instances", "resource", descending=[True, False])
            .group_by("name", maintain_order=True)
            .agg(
                resources=pl.len().cast(pl.Int64),
                total=pl.col("instances").sum(),
                mainResource=pl.col("resource").first(),
                most=pl.col("instances").first(),
            )
            .select(
                pl.col("name").alias("activity"),
                pl.col("total").alias("instances"),
                "resources",
                "mainResource",
                mainShare=(pl.col("most") / pl.col("total")).round(6),
            )
            .sort("instances", "activity", descending=[True, False])
        )


def look(
    part: Part, log: ValidatedLog, clock: Clock, period: Period, pairs: tuple[tuple[str, str], ...] | None
) -> tuple[Json, dict[str, pl.DataFrame]]:
    """Results (handover, workload, activitiesByResource, segregationOfDuties) and the full tables by file name."""
    people, done = People(part, period), 0
    duties = Duties(pairs, people.activities, people.names)
    for bucket in log.buckets:
        part.progress(done // 2, log.events, f"Following the work, part {bucket.number + 1} of {len(log.buckets)}")
        found = _found(people, log, clock, bucket.number)
        people.add(bucket.number, found)
        part.check()
        duties.count(found)
        done += bucket.events
    duties.settle()
    for bucket in log.buckets if duties.watched else ():
        part.progress(min(log.events, (log.events + done) // 2), log.events, "Looking who did both of two duties")
        duties.collect(_found(people, log, clock, bucket.number), read(bucket, ["case_id"])["case_id"])
    handovers, load, shared = people.handover_rows(), people.workload_rows(), people.shared_rows()
    tables = {"handover": handovers, "workload": load, "activities-by-resource": shared}
    if duties.watched:
        tables["segregation-of-duties"] = duties.cases()
    kinds = {row["key"]: row for row in figures.summarise(part.scratch, "kinds", part.check).to_dicts()}
    alone = shared.filter((pl.col("mainShare") >= ALONE) & (pl.col("instances") >= OFTEN))
    results = {
        "resources": len(people.names),
        "shareOfWorkWithResource": round(people.known / people.instances, 6) if people.instances else 0.0,
        "handover": {
            "steps": people.steps,
            "handovers": people.handovers,
            "shareOfSteps": round(people.handovers / people.steps, 6) if people.steps else 0.0,
            "medianWaitingSecondsWithHandover": _median(kinds.get(1)),
            "medianWaitingSecondsWithout": _median(kinds.get(0)),
            "pairs": handovers.height,
            "rows": figures.listed(handovers, TOP),
        },
        "workload": {"period": period.word, "rows": _busiest(load)},
        "activitiesByResource": figures.listed(shared, TOP),
        "activitiesOfOneResource": figures.listed(alone, TOP),
        "segregationOfDuties": duties.results(),
    }
    return results, tables


def _found(people: People, log: ValidatedLog, clock: Clock, number: int) -> pl.DataFrame:
    frame = read(log.buckets[number], [*clock.columns, "resource"])
    found = with_waiting(instances(clock, numbered(frame, people.activities), frame), clock)
    who = people.names.encode(frame["resource"].cast(pl.String)).gather(found["row"])
    return found.with_columns(who=who)


def _median(row: Json | None) -> float | None:
    return None if row is None else round(row["median"] / 1e6, 6)


def _busiest(load: pl.DataFrame) -> list[Json]:
    """The ten busiest resources with their work by period."""
    totals = load.group_by("resource", maintain_order=True).agg(pl.col("instances").sum()).head(10)
    parts = load.filter(pl.col("resource").is_in(totals["resource"].to_list())).group_by(
        "resource", maintain_order=True
    )
    rows = parts.agg(total=pl.col("instances").sum(), periods=pl.struct("from", "instances", "cases"))
    return rows.rename({"total": "instances"}).to_dicts()
