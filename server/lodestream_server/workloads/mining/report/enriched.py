"""The log with what mining knows about each event, bucket by bucket: as CSV, as Parquet, or both in one pass.

Columns of the source stay as they are. Added are, per event: case_duration_seconds, seconds_since_case_start,
seconds_since_previous_event, position_in_case (1 is the first), events_in_case, remaining_events, variant (rank; 1 is
the most frequent), weekday (UTC) and is_rework (the activity already occurred in the case; where rows are starts and
completes, with the same transition). A source column of such a name is kept, ours is then called `mined_…`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow.parquet as pq

from lodestream_server.workloads.mining.instances import clock_of
from lodestream_server.workloads.mining.validated import PAIR, Bucket, Codes, ValidatedLog, numbered, read

#: Rows of the CSV written between two cancel points.
SLICE = 50_000

#: RFC 3339 with microseconds, always UTC.
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.6fZ"


def write(
    log: ValidatedLog,
    cases: Path,
    csv: Path | None,
    parquet: Path | None,
    progress: Callable[[int], None],
    check: Callable[[], None],
) -> int:
    """Writes the files that are named and returns the number of records. `cases`: discovery's folder with the variant
    of each case.

    `progress` is told the records done after each bucket; `check` is called between the steps of a bucket.
    """
    activities, done = Codes(), 0
    same_work = ["case", "activity", *(["lifecycle"] if clock_of(log).kind == "lifecycle" else [])]
    writer: pq.ParquetWriter | None = None
    stream = csv.open("wb") if csv else None
    try:
        for bucket in log.buckets:
            frame = _enriched(log, bucket, cases, activities, same_work, check)
            check()
            if stream:
                _append_csv(frame, stream, header=done == 0, check=check)
            if parquet:
                # At a stretch: in smaller groups of rows the file of the loan log is a fifth larger.
                table = frame.to_arrow()
                check()
                writer = writer or pq.ParquetWriter(parquet, table.schema, compression="zstd")
                writer.write_table(table.cast(writer.schema))
            done += bucket.events
            progress(done)
    finally:
        if writer:
            writer.close()
        if stream:
            stream.close()
    return done


def _append_csv(frame: pl.DataFrame, stream: BinaryIO, *, header: bool, check: Callable[[], None]) -> None:
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    flat = frame.with_columns(pl.col(nested).cast(pl.String)) if nested else frame
    for rows in flat.iter_slices(SLICE):
        rows.write_csv(stream, include_header=header, datetime_format=TIME_FORMAT)
        header = False
        check()


def _enriched(
    log: ValidatedLog,
    bucket: Bucket,
    cases: Path,
    activities: Codes,
    same_work: list[str],
    check: Callable[[], None],
) -> pl.DataFrame:
    frame = read(bucket)
    numbers = numbered(
        frame.select([c for c in ("case_id", "activity", "timestamp", "start_timestamp") if log.has(c)]), activities
    )
    variants = pl.read_parquet(
        cases / f"bucket-{bucket.number:03d}.parquet", columns=["variant", "start", "end", "events"], glob=False
    )
    check()
    of_case = variants[numbers["case"]]
    position = _positions(numbers)
    previous = pl.when(~pl.col("first")).then(pl.col("at") - pl.col("at").shift(1))
    added = numbers.select(
        case_duration_seconds=(of_case["end"] - of_case["start"]) / 1e6,
        seconds_since_case_start=(pl.col("at") - of_case["start"]) / 1e6,
        seconds_since_previous_event=previous / 1e6,
        position_in_case=position,
        events_in_case=of_case["events"].cast(pl.Int64),
        remaining_events=of_case["events"].cast(pl.Int64) - position,
        variant=of_case["variant"].cast(pl.Int64),
        weekday=frame["timestamp"].dt.strftime("%A"),
        is_rework=~_work(numbers, frame, same_work).is_first_distinct(),
    )
    taken = set(frame.columns)
    return frame.hstack(added.rename({name: f"mined_{name}" for name in added.columns if name in taken}))


def _work(numbers: pl.DataFrame, frame: pl.DataFrame, same_work: list[str]) -> pl.Series:
    """What must occur twice in a case to be rework, as one value per row."""
    if "lifecycle" not in same_work:
        return numbers["case"].cast(pl.UInt64) * PAIR + numbers["activity"]
    return numbers.select(pl.struct("case", "activity", frame["lifecycle"].alias("lifecycle"))).to_series()


def _positions(numbers: pl.DataFrame) -> pl.Series:
    row = pl.int_range(pl.len(), dtype=pl.Int64)
    start = pl.when("first").then(row).forward_fill()
    return numbers.select((row - start + 1).alias("position")).to_series()
