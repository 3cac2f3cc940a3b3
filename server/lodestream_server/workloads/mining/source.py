"""What every reader of event logs offers, whatever the format: columns, a sample to detect roles from, and batches in
the order of the file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

#: Column that readers add: the record's number in the file, from 0.
POSITION = "__position"


@dataclass(frozen=True, slots=True)
class Malformed:
    """A record that is no row: its number in the file, what is wrong with it, and its text."""

    record: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows in the order of the file. `frame` has the source's columns and POSITION; `records` counts rows and
    malformed records."""

    frame: pl.DataFrame
    records: int
    malformed: tuple[Malformed, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the file that a person should know."""

    text: str
    details: Mapping[str, object] = field(default_factory=dict)
    warning: bool = False


class Source(Protocol):
    """An opened event log."""

    #: csv, xes, xes.gz or parquet.
    format: str
    #: As the file names them; an XES file may show further ones later.
    columns: tuple[str, ...]
    #: Rows from the beginning, the middle and the end where the format allows it.
    sample: pl.DataFrame
    #: Records in the file, counted before the first batch.
    records: int
    #: Bytes of its content, decompressed.
    content_bytes: int
    #: What the format says about types ("string", "integer" …); no entry: to be found out.
    declared: dict[str, str]
    #: Delimiter, encoding and the like, under the names of the mapping.
    details: Mapping[str, str]
    findings: list[Finding]

    def batches(self) -> Iterator[Batch]:
        """All rows, in order. May raise BadInput at the place of the damage."""
