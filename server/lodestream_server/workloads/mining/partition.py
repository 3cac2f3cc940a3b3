"""Rows sorted into buckets by the hash of their case, through the disk: memory is bounded by FLUSH_BYTES, whatever the
size of the log.

Rows of a bucket keep the order of the file. Buckets whose log is small never touch the disk.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lodestream_server.workloads.mining.disk import writing

#: Rows held in memory before they are written out. 64 MiB as frames kept mining 5M events below 600 MB.
FLUSH_BYTES = 64 << 20

EVENTS_PER_BUCKET = 500_000
#: Wide rows make buckets large before they have many events: at most this much of the source's content in one.
BYTES_PER_BUCKET = 64 << 20
FEWEST, MOST = 8, 512


def bucket_count(records: int, content_bytes: int) -> int:
    """How many buckets a log of that size gets."""
    return min(MOST, max(FEWEST, -(-records // EVENTS_PER_BUCKET), -(-content_bytes // BYTES_PER_BUCKET)))


@dataclass(slots=True)
class Partition:
    """Takes rows in any case order, gives them back by bucket. Files go to `folder`."""

    folder: Path
    buckets: int
    flush_bytes: int = FLUSH_BYTES
    _held: dict[int, list[pl.DataFrame]] = field(default_factory=dict)
    _held_bytes: int = 0
    _parts: int = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Rows with a `case_id`, in the order of the file."""
        if rows.is_empty():
            return
        numbered = rows.with_columns((pl.col("case_id").hash() % self.buckets).cast(pl.UInt32).alias("__bucket"))
        for key, part in numbered.partition_by(
            "__bucket", as_dict=True, include_key=False, maintain_order=True
        ).items():
            self._held.setdefault(int(str(key[0])), []).append(part)
        self._held_bytes += int(rows.estimated_size())
        if self._held_bytes > self.flush_bytes:
            self._flush()

    def read(self, bucket: int) -> pl.DataFrame | None:
        """All rows of a bucket in the order of the file, and forgets them; None when it has none. Columns that some
        rows lack are null there."""
        files = sorted(self.folder.glob(f"{bucket:03d}-*.parquet"))
        frames = [*(pl.read_parquet(file, glob=False) for file in files), *self._held.pop(bucket, [])]
        for file in files:
            file.unlink()
        return pl.concat(frames, how="diagonal_relaxed") if frames else None

    def numbers(self) -> Iterator[int]:
        """The buckets."""
        return iter(range(self.buckets))

    def _flush(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for bucket, frames in self._held.items():
            with writing():
                rows = pl.concat(frames, how="diagonal_relaxed")
                rows.write_parquet(
                    self.folder / f"{bucket:03d}-{self._parts:05d}.parquet", compression="lz4", statistics=False
                )
        self._held, self._held_bytes, self._parts = {}, 0, self._parts + 1
