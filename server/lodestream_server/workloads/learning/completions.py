"""The log as learning reads it: completed activities of each case by time, as numbers.

Activities are numbered by their frequency (discovery's order), so the same log gives the same numbers in every run. In
logs with start and complete rows only the rows that end work count; a case without any keeps all its rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lodestream_server.workloads.mining.instances import STARTS, Clock, clock_of
from lodestream_server.workloads.mining.validated import Bucket, ValidatedLog, open_log, read
from lodestream_server.workloads.phase import Phase

#: Stands for "before the first" and "after the last" activity of a case in steps; activities are their number plus 1.
EDGE = 0

#: Two activities in one number.
STEP = 1 << 32

_WORD = "__lifecycle"


@dataclass(frozen=True, slots=True)
class Learned:
    """What earlier phases left: the validated log, its clock, discovery's tables and cases (in the buckets' order)."""

    log: ValidatedLog
    clock: Clock
    activities: pl.DataFrame
    variants: pl.DataFrame
    folder: Path

    @property
    def names(self) -> list[str]:
        """Activities by number."""
        return self.activities["activity"].to_list()

    @property
    def cases(self) -> int:
        """Cases of the whole log."""
        return int(self.variants["cases"].sum())

    def cases_of(self, bucket: Bucket) -> pl.DataFrame:
        """The cases of a bucket: case_id, start, end (microseconds), events, variant."""
        return pl.read_parquet(self.cases_file(bucket), glob=False)

    def cases_file(self, bucket: Bucket) -> Path:
        """Where discovery left them."""
        return self.folder / f"bucket-{bucket.number:03d}.parquet"


def opened(phase: Phase) -> Learned:
    """What the phases before this one left behind. Raises BadInput for an empty log."""
    log, discovery = open_log(phase), phase.before("Process Discovery").folder
    return Learned(
        log,
        clock_of(log),
        pl.read_parquet(discovery / "activities.parquet", glob=False),
        pl.read_parquet(discovery / "variants.parquet", glob=False),
        discovery / "cases",
    )


def completions(learned: Learned, bucket: Bucket, more: Sequence[str] = ()) -> pl.DataFrame:
    """A row per completed activity of a bucket, by case and time: case (0, 1 … within the bucket), activity, at
    (microseconds since 1970), first, last, gap (microseconds since the one before; null for the first), step (from and
    to), and the columns of `more`.
    """
    lifecycle = ["lifecycle"] if learned.clock.kind == "lifecycle" else []
    frame = read(bucket, ["case_id", "activity", "timestamp", *lifecycle, *(n for n in more if n not in lifecycle)])
    new = frame["case_id"].ne_missing(frame["case_id"].shift(1))
    new = new | (pl.int_range(frame.height, eager=True) == 0)
    rows = frame.select(
        case=new.cast(pl.UInt32).cum_sum() - 1,
        activity=pl.col("activity").cast(pl.Enum(learned.names)).to_physical().cast(pl.UInt32),
        at=pl.col("timestamp").cast(pl.Datetime("us", "UTC")).cast(pl.Int64),
        **{name: pl.col(name) for name in more},
    )
    if lifecycle:
        ends = ~pl.col(_WORD).str.to_lowercase().is_in(STARTS).fill_null(False)
        rows = rows.with_columns(frame["lifecycle"].alias(_WORD))
        rows = rows.filter(ends | ~ends.any().over("case")).drop(_WORD)
    first = pl.col("case").ne_missing(pl.col("case").shift(1))
    rows = rows.with_columns(first=first, last=pl.col("case").ne_missing(pl.col("case").shift(-1)))
    here, before = pl.col("activity").cast(pl.UInt64) + 1, pl.col("activity").cast(pl.UInt64).shift(1) + 1
    return rows.with_columns(
        gap=pl.when(~pl.col("first")).then(pl.col("at") - pl.col("at").shift(1)),
        step=pl.when("first").then(pl.lit(EDGE, pl.UInt64)).otherwise(before) * STEP + here,
    )
