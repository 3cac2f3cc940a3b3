"""Process discovery: which activities there are, what directly follows what, and which ways cases take.

Every row of the validated log is an event, lifecycle rows and identical rows included. A case is the sequence of its
events by instant, ties by position in the source. Files of this phase: activities.parquet, dfg.parquet,
variants.parquet (all rows; results keep the top ones) and cases/bucket-NNN.parquet with the variant of each case, in
the order of the log's buckets.
"""

import polars as pl

from lodestream_server.workloads.mining import complexity, digests, figures
from lodestream_server.workloads.mining.coverage import Coverage, cover
from lodestream_server.workloads.mining.sequences import VariantCount, cases_of
from lodestream_server.workloads.mining.validated import PAIR, Codes, ValidatedLog, numbered, open_log, read
from lodestream_server.workloads.phase import Json, Phase

#: Rows of each table that the results carry; all rows are in the files. Keeps the results' JSON well below a megabyte.
TOP = 50

#: A variant in the results names at most this many activities; `length` says how many there are.
LONGEST_LISTED = 100


def discover(phase: Phase) -> Json:
    """Results: activitiesDiscovered, processVariants, uniquePaths, cases, events, processModel {activities,
    transitions, steps, variants, complexity, effectiveChoices}, dfgDigest, variantsDigest, and the top rows of
    activities, transitions, variants, startActivities, endActivities. Durations are seconds.
    """
    log = open_log(phase)
    activities = Codes()
    variants = _count(phase, log, activities)
    phase.progress(log.events, log.events, "Merging the buckets")
    table = variants.variants(activities)
    cases = int(table["cases"].sum())
    phase.check()
    coverage = cover(table, phase.check)
    names = activities.table("activity", "name")
    activity_rows = _activity_rows(coverage, names, cases)
    edge_rows = _edge_rows(coverage, figures.summarise(phase.scratch, "steps", phase.check), names, cases)
    variant_rows = _variant_rows(table, variants.durations(table), cases)
    variants.finish(table)
    for name, rows in (("activities", activity_rows), ("dfg", edge_rows), ("variants", variant_rows)):
        rows.write_parquet(phase.out / f"{name}.parquet", compression="zstd")
        phase.check()
    results = _results(activity_rows, edge_rows, variant_rows, coverage, cases)
    _announce(phase, results)
    return results


def _count(phase: Phase, log: ValidatedLog, activities: Codes) -> VariantCount:
    """Walks the buckets once: durations of steps into scratch, cases into `out`, variants into the counter."""
    folder = phase.out / "cases"
    folder.mkdir()
    variants = VariantCount(folder)
    wanted = [c for c in ("case_id", "activity", "timestamp", "start_timestamp") if log.has(c)]
    done = 0
    phase.log(
        "INFO", f"Reading {log.events:,} events in {len(log.buckets)} parts", events=log.events, parts=len(log.buckets)
    )
    for bucket in log.buckets:
        phase.progress(done, log.events, f"Counting steps, part {bucket.number + 1} of {len(log.buckets)}")
        frame = read(bucket, wanted)
        numbers = numbered(frame, activities)
        figures.keep(phase.scratch, "steps", bucket.number, _steps(numbers))
        phase.check()
        variants.add(bucket.number, cases_of(numbers, frame["case_id"]))
        done += bucket.events
        phase.metrics(activitiesDiscovered=len(activities))
    return variants


def _steps(numbers: pl.DataFrame) -> pl.DataFrame:
    """`key` and `value` (microseconds from event to event) of every directly-follows step of a bucket."""
    here = pl.col("activity").cast(pl.UInt64)
    return (
        numbers.select("first", key=here.shift(1) * PAIR + here, value=pl.col("at") - pl.col("at").shift(1))
        .filter(~pl.col("first"))
        .drop("first")
    )


def _activity_rows(coverage: Coverage, names: pl.DataFrame, cases: int) -> pl.DataFrame:
    return (
        coverage.activities.join(names, on="activity")
        .select(
            activity="name",
            events="events",
            cases="cases",
            caseShare=(pl.col("cases") / cases).round(6),
            starts="starts",
            ends="ends",
        )
        .sort("events", "activity", descending=[True, False])
    )


def _edge_rows(coverage: Coverage, times: pl.DataFrame, names: pl.DataFrame, cases: int) -> pl.DataFrame:
    return (
        coverage.steps.join(times.drop("count"), on="key")
        .with_columns(from_=(pl.col("key") // PAIR).cast(pl.UInt32), to_=(pl.col("key") % PAIR).cast(pl.UInt32))
        .join(names.rename({"activity": "from_", "name": "source"}), on="from_")
        .join(names.rename({"activity": "to_", "name": "target"}), on="to_")
        .select(
            "source",
            "target",
            "count",
            "cases",
            (pl.col("cases") / cases).round(6).alias("caseShare"),
            *figures.in_seconds("total", "mean", "median", "p90", "min", "max"),
        )
        .sort("count", "source", "target", descending=[True, False, False])
    )


def _variant_rows(variants: pl.DataFrame, durations: pl.DataFrame, cases: int) -> pl.DataFrame:
    times = durations.group_by("variant").agg(mean=pl.col("value").mean(), median=pl.col("value").median())
    share = pl.col("cases") / cases
    return (
        variants.join(times, on="variant", how="left", maintain_order="left")
        .select(
            "variant",
            "cases",
            share.round(6).alias("share"),
            share.cum_sum().clip(upper_bound=1.0).round(6).alias("cumulativeShare"),
            *figures.in_seconds("mean", "median"),
            pl.col("activities").list.len().alias("length"),
            "activities",
        )
        .rename({"meanSeconds": "meanCycleSeconds", "medianSeconds": "medianCycleSeconds"})
    )


def _results(
    activities: pl.DataFrame, edges: pl.DataFrame, variants: pl.DataFrame, coverage: Coverage, cases: int
) -> Json:
    choices = complexity.effective_choices(edges, activities)
    return {
        "activitiesDiscovered": activities.height,
        "processVariants": variants.height,
        "uniquePaths": coverage.paths,
        "cases": cases,
        "events": int(activities["events"].sum()),
        "processModel": {
            "activities": activities.height,
            "transitions": edges.height,
            "steps": int(edges["count"].sum()),
            "variants": variants.height,
            "complexity": complexity.word(choices),
            "effectiveChoices": choices,
        },
        "dfgDigest": digests.dfg_digest(edges),
        "variantsDigest": digests.variants_digest(variants),
        "activities": figures.listed(activities.drop("starts", "ends"), TOP),
        "transitions": figures.listed(edges, TOP),
        "variants": _listed(variants),
        "startActivities": _edge_of_case(activities, "starts", cases),
        "endActivities": _edge_of_case(activities, "ends", cases),
        "rowsListed": TOP,
        "definitions": DEFINITIONS,
    }


def _listed(variants: pl.DataFrame) -> list[Json]:
    top = variants.head(TOP)
    names = pl.DataFrame({"variant": top["variant"], "name": top["activities"].list.head(LONGEST_LISTED)}).explode(
        "name"
    )
    short = pl.DataFrame(figures.listed(names, names.height)).group_by("variant", maintain_order=True).agg("name")
    return top.with_columns(activities=short["name"]).to_dicts()


def _edge_of_case(activities: pl.DataFrame, column: str, cases: int) -> list[Json]:
    rows = activities.filter(pl.col(column) > 0).sort(column, "activity", descending=[True, False])
    return figures.listed(rows.select("activity", cases=column, share=(pl.col(column) / cases).round(6)), TOP)


#: What the words of the results mean; part of the results, so that a reader of the JSON needs no other page.
DEFINITIONS = {
    "transitions": "different pairs of activities that follow each other directly; steps counts their occurrences",
    "processVariants": "different complete sequences of activities",
    "uniquePaths": "different sequences when immediate repetitions of an activity count as one",
    "complexity": "effectiveChoices: 2^H(next activity | activity), start and end included; "
    "below 1.5 Low, 2.5 Medium, 3.5 Medium-High, else High",
    "stepTimes": "from one event to the next of the same case; medians and p90 are exact, p90 interpolated linearly",
    "rows": "tables list the most frequent rows only; the files of this phase hold all of them",
}


def _announce(phase: Phase, results: Json) -> None:
    model = results["processModel"]
    phase.metrics(
        activitiesDiscovered=results["activitiesDiscovered"],
        variantsFound=results["processVariants"],
        processVariants=results["processVariants"],  # jobs and operations document different words
        pathsIdentified=results["uniquePaths"],
        uniquePaths=results["uniquePaths"],
    )
    phase.milestone(
        "Process model discovered",
        activitiesFound=model["activities"],
        uniqueActivities=model["activities"],
        processComplexity=model["complexity"],
        variantsFound=model["variants"],
    )
    phase.log(
        "INFO",
        f"{model['activities']:,} activities, {model['transitions']:,} transitions and {model['variants']:,} variants "
        f"in {results['cases']:,} cases; complexity {model['complexity']}",
        dfgDigest=results["dfgDigest"],
        variantsDigest=results["variantsDigest"],
    )
