"""Records that cannot be used, kept with the reason, in the order of the file: `record`, `reason`, then the columns of
the source.

Held on the disk, not in memory; called by loading.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lodestream_server.workloads.mining.disk import writing
from lodestream_server.workloads.mining.source import POSITION, Malformed

#: Reasons as results name them.
NO_CASE = "Missing Case ID"
NO_ACTIVITY = "Missing Activity"
NO_TIME = "Missing Timestamp"
BAD_TIME = "Unparsable Timestamp"
BAD_ROW = "Malformed Row"
REASONS = (NO_CASE, NO_ACTIVITY, NO_TIME, BAD_TIME, BAD_ROW)

#: The text of a record that is no row at all.
TEXT = "text"


@dataclass(slots=True)
class Rejects:
    """Collects rejected records."""

    folder: Path
    counts: Counter[str] = field(default_factory=Counter)
    #: The first few, for messages.
    examples: dict[str, str] = field(default_factory=dict)
    _parts: int = 0

    @property
    def total(self) -> int:
        """Records rejected so far."""
        return self.counts.total()

    def ranked(self) -> list[tuple[str, int]]:
        """Reasons and how often they occurred, the most frequent first, equals by name."""
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))

    def add(self, rows: pl.DataFrame) -> None:
        """Rows of the source with POSITION and `reason`."""
        if rows.is_empty():
            return
        for reason, count in rows["reason"].value_counts().iter_rows():
            self.counts[reason] += count
        texts = rows.select(
            record=pl.col(POSITION),
            reason=pl.col("reason"),
            **{_free(c): pl.col(c).cast(pl.String) for c in rows.columns if c not in (POSITION, "reason")},
        )
        self._write(texts)

    def add_malformed(self, records: Iterable[Malformed]) -> None:
        """Records that are no rows; `detail` of the first one is kept as an example."""
        found = list(records)
        if not found:
            return
        self.counts[BAD_ROW] += len(found)
        self.examples.setdefault(BAD_ROW, f"record {found[0].record}: {found[0].reason}")
        reasons = [f"{BAD_ROW}: {item.reason}" for item in found]
        self._write(
            pl.DataFrame(
                {"record": [item.record for item in found], "reason": reasons, TEXT: [item.text for item in found]}
            )
        )

    def finish(self, path: Path, columns: Iterable[str]) -> None:
        """Writes all of them as CSV, in the order of the file; the header alone when there are none."""
        parts = [pl.read_parquet(file, glob=False) for file in sorted(self.folder.glob("*.parquet"))]
        empty = pl.DataFrame(
            schema={"record": pl.Int64, "reason": pl.String, **{_free(name): pl.String for name in columns}}
        )
        with writing():
            pl.concat([empty, *parts], how="diagonal_relaxed").sort("record").write_csv(path)

    def _write(self, rows: pl.DataFrame) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with writing():
            rows.write_parquet(self.folder / f"{self._parts:06d}.parquet", compression="zstd")
        self._parts += 1


def _free(name: str) -> str:
    return f"{name} (source)" if name in ("record", "reason", TEXT) else name
