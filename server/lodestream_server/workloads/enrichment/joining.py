"""Joins at work: rows of another dataset meet the events of the log by a key, in bounded memory.

Both sides are dealt into parts by the hash of the key; one part of each is in memory at a time, and what an event
gained waits on the disk for its bucket. Keys are compared as `keys` says; durations become
seconds. Of several rows with one key the first or the last in the file counts; an event never becomes two.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lodestream_server.workloads.enrichment.faults import fault, unknown
from lodestream_server.workloads.enrichment.join import Join
from lodestream_server.workloads.enrichment.keys import key_of
from lodestream_server.workloads.mining.detect import roles
from lodestream_server.workloads.mining.disk import writing
from lodestream_server.workloads.mining.kinds import TYPES, Kinds, converted
from lodestream_server.workloads.mining.opening import open_log
from lodestream_server.workloads.mining.partition import FLUSH_BYTES, Partition, bucket_count
from lodestream_server.workloads.mining.sift import attribute_name
from lodestream_server.workloads.mining.source import POSITION, Source
from lodestream_server.workloads.phase import BadInput, DatasetFile, Json, Phase

#: The key as partitions know it, and an event's place.
_KEY, _BUCKET, _ROW = "case_id", "__bucket_of_log", "__row"
#: Keys and values shown where they find nothing or too much.
_SHOWN = 5


@dataclass(slots=True)
class Joining:
    """One join on its way: read the other dataset, take the log's keys bucket by bucket, match, give columns back."""

    join: Join
    file: DatasetFile
    left: str
    kind: pl.DataType
    right: str
    source: Source
    wanted: tuple[str, ...]
    folder: Path
    parts: int
    flush_bytes: int
    names: dict[str, str] = field(default_factory=dict)
    kinds: Kinds = field(default_factory=Kinds)
    rows: int = 0
    keys: int = 0
    several: int = 0
    unused: int = 0
    without_key: int = 0
    matched: int = 0
    unmatched: int = 0
    cases_unmatched: int = 0
    examples: list[str] = field(default_factory=list)
    _there: Partition | None = None
    _here: Partition | None = None

    def read(self, told: Callable[[int, int], None]) -> None:
        """Reads the other dataset into parts; `told` of records read and in all."""
        sides = (self.folder / side for side in ("there", "here"))
        self._there, self._here = (Partition(side, self.parts, self.flush_bytes) for side in sides)
        found: dict[str, None] = {}
        read = 0
        for batch in self.source.batches():
            frame = batch.frame.with_columns(pl.selectors.duration().dt.total_microseconds() / 1e6)
            read += batch.records
            told(min(read, self.source.records), self.source.records)
            if self.right not in frame.columns:
                continue
            columns = [name for name in self.wanted or frame.columns if name in frame.columns]
            columns = [name for name in columns if name not in (POSITION, self.right) or name in self.wanted]
            found |= dict.fromkeys(columns)
            for name in columns:
                self.kinds.see(name, frame[name])
            keyed = frame.select(key_of(frame[self.right], self.kind).alias("__key"), *columns)
            self.rows += keyed.height
            self.without_key += keyed["__key"].null_count()
            rows = keyed.filter(pl.col("__key").is_not_null())
            rows = rows.rename({name: f"there {name}" for name in columns}).rename({"__key": _KEY})
            self._there.add(rows)
        missing = [name for name in self.wanted if name not in found]
        if missing:
            raise fault(
                f"{self.join.field}.columns", unknown(missing[0], list(found), "column there"), "MISSING_COLUMN"
            )
        self.names = {name: attribute_name(self.join.prefix + name) for name in found}

    def take(self, bucket: int, frame: pl.DataFrame) -> None:
        """The events of a bucket: case_id and the key's column."""
        assert self._here is not None, "read comes first"
        keys = pl.DataFrame({_KEY: key_of(frame[self.left])})
        keys = keys.with_row_index(_ROW).with_columns(pl.lit(bucket, pl.UInt32).alias(_BUCKET))
        self._here.add(keys.filter(pl.col(_KEY).is_not_null()))

    def match(self, check: Callable[[], None]) -> None:
        """Joins part by part. Raises BadInput when `keep` is only and a key has rows that differ."""
        assert self._here is not None, "read comes first"
        assert self._there is not None, "read comes first"
        for number in range(self.parts):
            check()
            there, here = self._there.read(number), self._here.read(number)
            chosen = self._chosen(there) if there is not None else None
            if here is None or chosen is None:
                continue
            found = here.join(chosen, on=_KEY, how="inner", maintain_order="left").drop(_KEY)
            for (bucket,), rows in found.group_by(_BUCKET):
                folder = self.folder / f"bucket-{int(str(bucket)):05d}"
                folder.mkdir(parents=True, exist_ok=True)
                with writing():
                    rows.drop(_BUCKET).write_parquet(folder / f"{number:05d}.parquet", compression="lz4")

    def of(self, bucket: int, frame: pl.DataFrame) -> pl.DataFrame:
        """The joined columns for the events of a bucket, in their order; null where nothing matched. Counts them."""
        files = sorted((self.folder / f"bucket-{bucket:05d}").glob("*.parquet"))
        empty = {_ROW: pl.UInt32, **{f"there {name}": self.type_of(name) for name in self.names}}
        parts = [pl.read_parquet(file, glob=False) for file in files] or [pl.DataFrame(schema=empty)]
        rows = pl.concat(parts, how="diagonal_relaxed")
        places = pl.DataFrame({_ROW: pl.int_range(frame.height, eager=True).cast(pl.UInt32)})
        joined = places.join(rows.with_columns(__hit=pl.lit(True)), on=_ROW, how="left", maintain_order="left")
        self._count(joined["__hit"].is_null(), frame)
        columns = [
            joined[f"there {name}"].alias(named)
            if f"there {name}" in joined.columns
            else pl.Series(named, [None] * frame.height, dtype=self.type_of(name))
            for name, named in self.names.items()
        ]
        return pl.DataFrame(columns)

    def type_of(self, name: str) -> pl.DataType | type[pl.DataType]:
        """The type of a joined column, by its name in the other dataset."""
        return TYPES[self.kinds.of(name).type]

    def results(self) -> Json:
        """An entry of the results."""
        return {
            "dataset": self.file.name,
            "datasetId": self.file.dataset_id,
            "on": {"left": self.left, "right": self.right},
            "columns": list(self.names.values()),
            "keep": self.join.keep,
            "rowsRead": self.rows,
            "rowsWithoutKey": self.without_key,
            "keys": self.keys,
            "keysWithSeveralRows": self.several,
            "rowsNotUsed": self.unused,
            "eventsMatched": self.matched,
            "eventsUnmatched": self.unmatched,
            "casesUnmatched": self.cases_unmatched,
            "unmatchedExamples": self.examples,
        }

    def _chosen(self, there: pl.DataFrame) -> pl.DataFrame:
        """One row per key, its columns in their own types."""
        distinct = there.unique(maintain_order=True)
        one = distinct.unique(_KEY, keep="last" if self.join.keep == "last" else "first", maintain_order=True)
        doubled = distinct.filter(pl.col(_KEY).is_duplicated())[_KEY]
        if len(doubled) and self.join.keep == "only":
            raise BadInput(
                f'{self.join.field}: "{self.file.name}" has several rows that differ for {self.right} '
                f'"{doubled[0]}": say with keep which of them counts, first or last, or take fewer columns.',
                reason="AMBIGUOUS_JOIN",
                field=self.join.field,
                key=str(doubled[0]),
            )
        self.keys += one.height
        self.several += doubled.n_unique()
        self.unused += distinct.height - one.height
        columns: list[pl.Series] = [one[_KEY]]
        for name in self.names:
            values = one[f"there {name}"] if f"there {name}" in one.columns else pl.Series([None] * one.height)
            read = converted(values, self.kinds.of(name)) if values.dtype == pl.String else values
            columns.append((values if read is None else read).cast(self.type_of(name)).alias(f"there {name}"))
        return pl.DataFrame(columns)

    def _count(self, missed: pl.Series, frame: pl.DataFrame) -> None:
        count = int(missed.sum())
        self.unmatched += count
        self.matched += frame.height - count
        lost = frame.filter(missed)
        self.cases_unmatched += lost["case_id"].n_unique() if lost.height else 0
        if len(self.examples) < _SHOWN:
            keys = lost[self.left].cast(pl.String).drop_nulls().unique(maintain_order=True).head(_SHOWN).to_list()
            self.examples = list(dict.fromkeys([*self.examples, *keys]))[:_SHOWN]


def opened(
    phase: Phase, joins: Sequence[Join], columns: Mapping[str, pl.DataType], used: Mapping[str, str]
) -> list[Joining]:
    """The joins with their datasets opened and their columns found; `columns` are those of the log with their types,
    `used` says how the source calls the standard ones. Raises BadInput."""
    # All of them hold their keys at once.
    flush = FLUSH_BYTES // max(1, len(joins))
    return [_opened(phase, number, join, columns, used, flush) for number, join in enumerate(joins)]


def _opened(
    phase: Phase, number: int, join: Join, columns: Mapping[str, pl.DataType], used: Mapping[str, str], flush_bytes: int
) -> Joining:
    if join.dataset_id not in phase.datasets:
        raise fault(f"{join.field}.datasetId", f'"{join.dataset_id[:60]}" is no dataset of this project')
    file = phase.datasets[join.dataset_id]
    folder = phase.scratch / f"join-{number}"
    folder.mkdir()
    try:
        source = open_log(file, file.mapping, folder, phase.check)
    except BadInput as wrong:
        text = f'{join.field}: "{file.name}" cannot be joined. {wrong}'
        raise BadInput(text, reason=wrong.reason, field=join.field, **wrong.details) from wrong
    left = _left(join, columns, used)
    right = _right(join, file, source)
    fixed = source.format in ("csv", "parquet")  # an XES file may show further columns later
    for name in join.columns if fixed else ():
        if name not in source.columns:
            raise fault(f"{join.field}.columns", unknown(name, source.columns, "column there"), "MISSING_COLUMN")
    parts = bucket_count(source.records, source.content_bytes)
    return Joining(
        join,
        file,
        left,
        columns[left],
        right,
        source,
        join.columns,
        folder,
        parts,
        flush_bytes,
        kinds=Kinds(source.declared),
    )


def _left(join: Join, columns: Mapping[str, pl.DataType], used: Mapping[str, str]) -> str:
    if join.by_case:
        return "case_id"
    known = {name: name for name in columns} | {name: own for name, own in used.items() if own in columns}
    if join.left not in known:
        raise fault(f"{join.field}.on", unknown(join.left, known, "column of this log"), "MISSING_COLUMN")
    return known[join.left]


def _right(join: Join, file: DatasetFile, source: Source) -> str:
    if not join.by_case:
        if join.right not in source.columns:
            raise fault(f"{join.field}.on", unknown(join.right, source.columns, "column there"), "MISSING_COLUMN")
        return join.right
    if (named := file.mapping.get("caseIdColumn")) in source.columns and named:
        return named
    try:
        return roles(source.sample, file.mapping).case
    except BadInput as wrong:
        raise fault(
            f"{join.field}.on",
            f'needs left and right: which column of "{file.name}" is the case is not clear',
            "MISSING_COLUMN",
        ) from wrong
