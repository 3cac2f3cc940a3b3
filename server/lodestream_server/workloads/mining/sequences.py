"""Cases and variants: what each case went through, and which cases went through the same.

A variant is a sequence of activities. Sequences are compared as lists of activity numbers, exactly; nothing is hashed.
"""

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lodestream_server.workloads.mining.validated import Codes

#: Events of variants that are spread out at a time while counting (about 100 MB).
EVENTS_AT_ONCE = 2_000_000


def cases_of(numbers: pl.DataFrame, case_ids: pl.Series) -> pl.DataFrame:
    """One row per case of a bucket, in the bucket's order: case_id, sequence (activity numbers), start, end
    (microseconds), events.
    """
    begin = pl.col("start") if "start" in numbers.columns else pl.col("at")
    cases = (
        numbers.with_columns(pl.col("case").set_sorted())
        .group_by("case", maintain_order=True)
        .agg(sequence=pl.col("activity"), start=begin.min(), end=pl.col("at").max(), events=pl.len())
    )
    return cases.select(case_ids.filter(numbers["first"]).alias("case_id"), "sequence", "start", "end", "events")


@dataclass(slots=True)
class VariantCount:
    """Counts variants over buckets and leaves the cases of each bucket in a folder, to be completed with the variants'
    final ranks.
    """

    folder: Path
    _found: list[pl.DataFrame] = field(default_factory=list)
    _durations: list[pl.DataFrame] = field(default_factory=list)

    def add(self, bucket: int, cases: pl.DataFrame) -> None:
        """Takes over the cases of one bucket (as `cases_of` gives them)."""
        groups = (
            cases.with_row_index("row")
            .group_by("sequence", maintain_order=True)
            .agg("row", cases=pl.len())
            .with_row_index("local")
        )
        local = groups.select("local", "row").explode("row").sort("row")["local"]
        kept = cases.drop("sequence").with_columns(local=local)
        kept.write_parquet(self._file(bucket), compression="lz4")
        self._found.append(groups.select("sequence", "local", "cases", bucket=pl.lit(bucket, pl.UInt32)))
        self._durations.append(
            kept.select("local", value=pl.col("end") - pl.col("start"), bucket=pl.lit(bucket, pl.UInt32))
        )

    def variants(self, activities: Codes) -> pl.DataFrame:
        """All variants, the most frequent first (equals: by their activities): variant (1, 2 …), cases, sequence,
        activities, members.
        """
        names = activities.table("code", "name").sort("code")
        merged = (
            pl.concat(self._found)
            .group_by("sequence", maintain_order=True)
            .agg(pl.col("cases").sum().cast(pl.Int64), members=pl.struct("bucket", "local"))
        )
        texts = names["name"].gather(merged["sequence"].explode())
        lengths = merged["sequence"].list.len()
        owner = pl.int_range(merged.height, eager=True).gather(_repeat(lengths))
        spelled = (
            pl.DataFrame({"owner": owner, "activities": texts})
            .with_columns(pl.col("owner").set_sorted())
            .group_by("owner", maintain_order=True)
            .agg("activities")
        )
        return (
            merged.with_columns(spelled["activities"])
            .sort(pl.col("cases"), pl.col("activities").list.join("|"), descending=[True, False])
            .with_row_index("variant", offset=1)
        )

    def durations(self, variants: pl.DataFrame) -> pl.DataFrame:
        """Cycle time of each case with its variant's rank: variant, value (microseconds)."""
        ranks = _ranks(variants)
        return pl.concat(
            [
                part.join(ranks, on=["bucket", "local"], how="left").select("variant", "value")
                for part in self._durations
            ]
        )

    def finish(self, variants: pl.DataFrame) -> None:
        """Writes the rank of its variant to every case of every bucket."""
        ranks = _ranks(variants)
        for (number,), part in ranks.group_by("bucket"):
            path = self._file(int(str(number)))
            order = part.sort("local")["variant"]
            cases = pl.read_parquet(path)
            cases.with_columns(variant=order.gather(cases["local"])).drop("local").write_parquet(
                path, compression="zstd"
            )

    def _file(self, bucket: int) -> Path:
        return self.folder / f"bucket-{bucket:03d}.parquet"


def _repeat(lengths: pl.Series) -> pl.Series:
    return (
        pl.DataFrame({"i": pl.int_range(len(lengths), eager=True), "n": lengths})
        .select(pl.col("i").repeat_by("n").explode())
        .to_series()
    )


def _ranks(variants: pl.DataFrame) -> pl.DataFrame:
    return variants.select("variant", "members").explode("members").unnest("members")
