"""The seam between loading and cleaning: every readable row, in buckets of whole cases, as it stood in the file.

`raw/bucket-NNN.parquet` rows are in the order of the file; attributes of text formats are texts; a timestamp that could
not be read is null, and what stood there is in RAW_TIME. A bucket is chosen by the case's id without its case and white
space, so that cleaning may join spellings of one case and still finds them together. `raw.json` says the rest.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from lodestream_server.workloads.mining.disk import writing

FOLDER, FILE = "raw", "raw.json"

#: The case's id as it stands while the bucket is chosen by `case_id`.
_OWN_CASE = "__case"


@dataclass(frozen=True, slots=True)
class RawLog:
    """What loading found. `used`: column of the file -> standard column; `rejected`: records by reason."""

    format: str
    mapping: Mapping[str, str]
    used: Mapping[str, str]
    attributes: list[str]
    declared: Mapping[str, str]
    records: int
    rows: int
    cases: int
    activities: int
    size_bytes: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    buckets: list[dict[str, Any]] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        """Writes raw.json."""
        (folder / FILE).write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> "RawLog":
        """Reads raw.json."""
        return cls(**json.loads((folder / FILE).read_text("utf-8")))

    def frames(self, folder: Path) -> Iterator[pl.DataFrame]:
        """The rows, bucket by bucket."""
        for bucket in self.buckets:
            yield pl.read_parquet(folder / FOLDER / bucket["file"], glob=False)


def keyed(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows ready for a partition by case: spellings of one case get one key. Upper, then lower case: both foldings of
    an id lead to the same key."""
    key = pl.col("case_id").str.replace_all(r"\s+", " ").str.strip_chars().str.to_uppercase().str.to_lowercase()
    return rows.with_columns(key.alias("case_id"), pl.col("case_id").alias(_OWN_CASE))


def write(rows: pl.DataFrame, path: Path, attributes: list[str]) -> pl.DataFrame:
    """Writes a bucket that came back from the partition, with every attribute of the file; the rows as written."""
    missing = [pl.lit(None, pl.String).alias(name) for name in attributes if name not in rows.columns]
    whole = rows.drop("case_id").rename({_OWN_CASE: "case_id"}).with_columns(missing)
    first = [name for name in whole.columns if name not in attributes and name != "case_id"]
    whole = whole.select("case_id", *first, *attributes)
    with writing():
        whole.write_parquet(path, compression="zstd", compression_level=1)
    return whole
