"""Rows that a rule removed, kept for those who want to look: removed.csv with the record's number in the file, the
rule, the reason, and the row. Written while cleaning goes on, bucket by bucket; nothing is held in memory."""

from pathlib import Path
from typing import BinaryIO

import polars as pl

from lodestream_server.workloads.enrichment.applied import REASON
from lodestream_server.workloads.mining.disk import writing
from lodestream_server.workloads.mining.sift import RAW_TIME

_OWN = ("record", "rule", "reason")
_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"


class RemovedRows:
    """Takes rows and writes them at once; `total` counts them. Use it as a context."""

    def __init__(self, path: Path) -> None:
        self.total = 0
        self._path = path
        self._stream: BinaryIO | None = None

    def __enter__(self) -> "RemovedRows":
        self._stream = self._path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream:
            self._stream.close()

    def add(self, rows: pl.DataFrame, rule: str) -> None:
        """Rows with REASON, as they stood in the file."""
        if self._stream is None or (rows.is_empty() and self.total):
            return
        if rows.is_empty() and self._stream.tell():
            return
        with writing():
            _as_they_came(rows, rule).write_csv(
                self._stream, include_header=not self._stream.tell(), datetime_format=_TIME
            )
        self.total += rows.height


def _as_they_came(rows: pl.DataFrame, rule: str) -> pl.DataFrame:
    stood = pl.coalesce(RAW_TIME, pl.col("timestamp").dt.strftime(_TIME)).alias("timestamp")
    nested = [name for name, kind in rows.schema.items() if kind.is_nested()]
    others = rows.with_columns(stood, *(pl.col(name).cast(pl.String) for name in nested))
    columns = [name for name in rows.columns if name not in ("position", REASON, RAW_TIME)]
    return others.select(
        pl.col("position").alias("record"),
        pl.lit(rule).alias("rule"),
        pl.col(REASON).alias("reason"),
        *(pl.col(name).alias(f"{name} (source)" if name in _OWN else name) for name in columns),
    )
