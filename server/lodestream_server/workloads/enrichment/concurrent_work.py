"""How much other work a resource has under way at the moment of an event.

Where rows have a start and an end, work is a row, and the moment is its start. Elsewhere nobody knows how long work
takes: there, work is a case in the resource's hands, from its first to its last event of the case by that resource, and
the moment is the event. A piece of work counts from its begin up to, not including, its end.

A resource works on cases of all buckets, so rows go through the disk: dealt by resource, counted, dealt back by bucket.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lodestream_server.workloads.mining.disk import writing
from lodestream_server.workloads.mining.validated import Codes

#: Rows of one part, unless a single resource has more. About 100 MB at work.
ROWS_PER_PART = 500_000
#: Rows from which a resource is counted by itself, in a quarter of the memory; many small ones are faster together.
HEAVY = 100_000


@dataclass(slots=True)
class ConcurrentWork:
    """Add every bucket, then `count`, then `of` gives each bucket its figures."""

    folder: Path
    parts: int
    _resources: Codes = field(default_factory=Codes)

    def __post_init__(self) -> None:
        """Makes the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def add(self, bucket: int, frame: pl.DataFrame) -> None:
        """The rows of a bucket: resource, case_id, timestamp and perhaps start_timestamp."""
        coded = frame.with_columns(self._resources.encode(frame["resource"]).alias("resource"))
        rows = _work(coded.with_row_index("row")).drop_nulls("resource")
        dealt = rows.with_columns(part=pl.col("resource") % self.parts)
        for (part,), share in dealt.partition_by("part", as_dict=True, include_key=False).items():
            with writing():
                share.write_parquet(self.folder / f"in-{part}-{bucket:03d}.parquet", compression="lz4")

    def count(self, check: Callable[[int], None]) -> None:
        """Counts part by part; `check` is told the number of the part before each."""
        for part in range(self.parts):
            check(part)
            files = sorted(self.folder.glob(f"in-{part}-*.parquet"))
            if not files:
                continue
            frames = [
                pl.read_parquet(file, glob=False).with_columns(
                    bucket=pl.lit(int(file.stem.rsplit("-", 1)[1]), pl.UInt32)
                )
                for file in files
            ]
            counted = counts(pl.concat(frames))
            for (bucket,), share in counted.partition_by("bucket", as_dict=True, include_key=False).items():
                with writing():
                    share.write_parquet(self.folder / f"out-{bucket}-{part}.parquet", compression="lz4")
            for file in files:
                file.unlink()

    def of(self, bucket: int, rows: int) -> pl.Series:
        """The figure of each row of a bucket, null where it has no resource."""
        files = sorted(self.folder.glob(f"out-{bucket}-*.parquet"))
        if not files:
            return pl.Series("concurrent", [None] * rows, dtype=pl.Int64)
        found = pl.concat([pl.read_parquet(file, glob=False) for file in files])
        every = pl.DataFrame({"row": pl.int_range(rows, dtype=pl.UInt32, eager=True)})
        return every.join(found, on="row", how="left", maintain_order="left")["concurrent"]


def parts_for(events: int) -> int:
    """How many parts a log of that size is counted in."""
    return max(1, -(-events // ROWS_PER_PART))


def _work(rows: pl.DataFrame) -> pl.DataFrame:
    """row, resource, at, begin, end (microseconds), and whether the row stands for the piece of work."""
    at = pl.col("timestamp").cast(pl.Int64)
    if "start_timestamp" in rows.columns:
        begin = pl.min_horizontal(pl.col("start_timestamp").cast(pl.Int64), at)
        return rows.select("row", "resource", at=begin, begin=begin, end=at, owner=pl.lit(True))
    hands = ("case_id", "resource")
    return rows.select(
        "row",
        "resource",
        at=at,
        begin=at.min().over(hands),
        end=at.max().over(hands),
        owner=pl.struct(hands).is_first_distinct(),
    )


def counts(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` as `_work` gives them, of all buckets: bucket, row, concurrent."""
    sizes = rows["resource"].value_counts()
    heavy = sizes.filter(pl.col("count") >= HEAVY)["resource"].sort()
    alone = [_counted_alone(rows.filter(pl.col("resource") == resource)) for resource in heavy]
    others = rows.filter(~pl.col("resource").is_in(heavy.implode())) if len(heavy) else rows
    return pl.concat([*alone, _counted(others)])


def _counted_alone(rows: pl.DataFrame) -> pl.DataFrame:
    """The work of one resource: begun by the moment, less what has ended by it."""
    work = rows.filter("owner")
    begun = work["begin"].sort().search_sorted(rows["at"], side="right").cast(pl.Int64)
    ended = work["end"].sort().search_sorted(rows["at"], side="right").cast(pl.Int64)
    return rows.select("bucket", "row", concurrent=begun - ended - _OWN)


def _counted(rows: pl.DataFrame) -> pl.DataFrame:
    """The work of many resources: every begin and end is a step, the steps up to a moment are its level."""
    work = rows.filter("owner")
    moments = pl.concat(
        [
            work.select("resource", moment="begin", step=pl.lit(1, pl.Int64)),
            work.select("resource", moment="end", step=pl.lit(-1, pl.Int64)),
            rows.select("resource", moment="at", step=pl.lit(0, pl.Int64)),
        ]
    )
    levels = (
        moments.group_by("resource", "moment")
        .agg(pl.col("step").sum())
        .sort("resource", "moment")
        .with_columns(level=pl.col("step").cum_sum().over("resource"))
        .drop("step")
    )
    return rows.join(levels, left_on=["resource", "at"], right_on=["resource", "moment"], how="left").select(
        "bucket", "row", concurrent=pl.col("level") - _OWN
    )


#: Whether the row's own piece of work is under way at its moment.
_OWN = ((pl.col("begin") <= pl.col("at")) & (pl.col("at") < pl.col("end"))).cast(pl.Int64)
