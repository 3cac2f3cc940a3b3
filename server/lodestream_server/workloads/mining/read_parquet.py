"""Parquet files as batches of rows, in the types of the file; columns that hold lists or structs are left out, which is
said."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lodestream_server.workloads.mining.source import POSITION, Batch, Finding
from lodestream_server.workloads.mining.text_file import Check
from lodestream_server.workloads.phase import BadInput

#: Rows decoded at a time.
BATCH = 131_072

MOST_COLUMNS = 5_000

#: Types of columns that are no attributes of an event, or that polars cannot hold.
_LEFT_OUT = (
    pa.types.is_nested,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
    pa.types.is_decimal256,
)


@dataclass(slots=True)
class ParquetSource:
    """An opened Parquet file; implements `Source`."""

    path: Path
    columns: tuple[str, ...]
    records: int
    content_bytes: int
    check: Check
    format: str = "parquet"
    sample: pl.DataFrame = field(default_factory=pl.DataFrame)
    declared: dict[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def batches(self) -> Iterator[Batch]:
        """See `Source.batches`."""
        position = 0
        try:
            for rows in self._rows().collect_batches(chunk_size=BATCH, maintain_order=True):
                frame = _plain(rows)
                numbers = pl.int_range(position, position + frame.height, dtype=pl.Int64).alias(POSITION)
                yield Batch(frame.with_columns(numbers), frame.height)
                position += frame.height
                self.check()
        except (pl.exceptions.PolarsError, OSError) as fault:
            raise _damaged(fault) from fault

    def take_sample(self) -> None:
        """Reads the first rows. Raises BadInput where the file is damaged."""
        try:
            self.sample = _plain(self._rows().head(BATCH).collect())
        except (pl.exceptions.PolarsError, OSError) as fault:
            raise _damaged(fault) from fault

    def _rows(self) -> pl.LazyFrame:
        # Reading with polars takes a tenth of the time that batches of pyarrow take.
        return pl.scan_parquet(self.path, glob=False).select(self.columns)


def open_parquet(path: Path, check: Check) -> ParquetSource:
    """Opens a Parquet file. Raises BadInput for one that is damaged, empty, or has nothing but nested columns."""
    try:
        with pq.ParquetFile(path) as file:
            schema, records = file.schema_arrow, file.metadata.num_rows
            groups = [file.metadata.row_group(number).total_byte_size for number in range(file.metadata.num_row_groups)]
    except (pa.ArrowException, OSError) as fault:
        raise _damaged(fault) from fault
    if len(schema) > MOST_COLUMNS:
        raise BadInput(
            f"The file has {len(schema):,} columns; at most {MOST_COLUMNS:,} can be used.", reason="TOO_MANY_COLUMNS"
        )
    if not records:
        raise BadInput("The Parquet file holds no rows.", reason="NO_ROWS")
    nested = [item.name for item in schema if any(is_odd(item.type) for is_odd in _LEFT_OUT)]
    names = tuple(
        item.name for item in schema if item.name not in nested and not item.name.startswith("__index_level_")
    )
    source = ParquetSource(path, names, records, sum(groups), check)
    if nested:
        source.findings.append(
            Finding(
                f"Columns with nested or binary values are left out: {', '.join(nested[:20])}",
                {"columns": nested[:20]},
                warning=True,
            )
        )
    if not names:
        raise BadInput("The Parquet file holds no column of plain values.", reason="MISSING_COLUMN")
    source.take_sample()
    return source


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Dictionaries as texts, decimals as numbers, instants in UTC."""
    casts = []
    for name, dtype in frame.schema.items():
        if dtype in (pl.Categorical, pl.Enum) or dtype == pl.Null:
            casts.append(pl.col(name).cast(pl.String))
        elif dtype.is_decimal():
            casts.append(pl.col(name).cast(pl.Float64))
        elif isinstance(dtype, pl.Datetime) and dtype.time_zone:
            casts.append(pl.col(name).dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC")))
    return frame.with_columns(casts)


def _damaged(fault: Exception) -> BadInput | OSError:
    if isinstance(fault, OSError) and fault.errno is not None:
        return fault
    return BadInput("The Parquet file is damaged or cut off: upload it again.", reason="BAD_PARQUET")
