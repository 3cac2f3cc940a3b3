"""CSV files: delimiter, quoting and header found out, rows read in blocks, rows with too few or too many fields set
aside.

Every value is text (an id may look like 007, 1.0 or NA); an empty field is null. Blank lines are no records.
"""

import csv
import io
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import polars as pl

from lodestream_server.workloads.mining import text_file
from lodestream_server.workloads.mining.csv_header import delimiter_of, header_of, unique_names
from lodestream_server.workloads.mining.source import POSITION, Batch, Finding, Malformed
from lodestream_server.workloads.mining.text_file import HEAD, Check, TextFile
from lodestream_server.workloads.phase import BadInput

#: Rows that are read ahead for detection: at the beginning, and in two places behind it.
SAMPLE_BYTES = 4 << 20
ELSEWHERE_BYTES = 256 << 10

#: Rows that lie in memory as Python objects.
_ROWS_AT_ONCE = 20_000

csv.field_size_limit(text_file.LONGEST_RECORD)


@dataclass(slots=True)
class CsvSource:
    """An opened CSV file; implements `Source`."""

    file: TextFile
    columns: tuple[str, ...]
    delimiter: str
    quoted: bool
    body: int
    records: int
    content_bytes: int
    check: Check
    format: str = "csv"
    sample: pl.DataFrame = field(default_factory=pl.DataFrame)
    declared: dict[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def batches(self) -> Iterator[Batch]:
        """See `Source.batches`."""
        position = 0
        for block in text_file.blocks(self.file, self.quoted, start=self.body):
            batch = self._batch(block, position)
            position += batch.records
            yield batch
            self.check()

    def _batch(self, block: bytes, position: int) -> Batch:
        frame = self._read(block)
        if frame is None:
            return self._slowly(block, position)
        if frame[self.columns[0]].null_count():  # a blank line comes as a row of nulls
            frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
        numbers = pl.int_range(position, position + frame.height, dtype=pl.Int64).alias(POSITION)
        return Batch(frame.with_columns(numbers), frame.height)

    def _read(self, block: bytes) -> pl.DataFrame | None:
        """The rows of a block at full speed; None when some row has too few or too many fields, or quotes stand where
        they should not."""
        schema = dict.fromkeys(self.columns, pl.String)
        try:
            frame = pl.read_csv(
                block,
                has_header=False,
                schema=schema,
                separator=self.delimiter,
                quote_char='"' if self.quoted else None,
                raise_if_empty=False,
            )
        except pl.exceptions.PolarsError:
            return None
        # The reader fills short rows up with nulls, so they all end in one.
        return None if frame[self.columns[-1]].null_count() and self._short_rows(block, frame.height) else frame

    def _short_rows(self, block: bytes, rows: int) -> bool:
        bare = text_file.without_quoted(block) if self.quoted and b'"' in block else block
        blank = len(_BLANK.findall(bare))
        return bare.count(self.delimiter.encode()) != (rows - blank) * (len(self.columns) - 1)

    def _slowly(self, block: bytes, position: int) -> Batch:
        """Row by row, for the blocks that need it."""
        width, number = len(self.columns), position
        good: list[list[str | None]] = []
        places: list[int] = []
        malformed, frames = [], [self._frame([], [])]
        for row in self._rows(block, position):
            if len(row) == width:
                good.append([value or None for value in row])
                places.append(number)
            else:
                reason = f"{len(row)} fields instead of {width}"
                malformed.append(Malformed(number, reason, self.delimiter.join(row)))
            number += 1
            if len(good) == _ROWS_AT_ONCE:
                frames.append(self._frame(good, places))
                good, places = [], []
        frames.append(self._frame(good, places))
        return Batch(pl.concat(frames), number - position, tuple(malformed))

    def _rows(self, block: bytes, position: int) -> Iterator[list[str]]:
        """The fields of every row but blank ones."""
        # A carriage return alone ends no line; the standard reader would stop at it.
        text = block.decode("utf-8").replace("\r\n", "\n").replace("\r", " ")
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        try:
            yield from filter(any, csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter, quoting=quoting))
        except csv.Error as fault:
            raise BadInput(f"The CSV is damaged behind record {position}: {fault}.", reason="BAD_CSV") from fault

    def _frame(self, rows: list[list[str | None]], places: list[int]) -> pl.DataFrame:
        schema = dict.fromkeys(self.columns, pl.String)
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        return frame.with_columns(pl.Series(POSITION, places, dtype=pl.Int64))


_BLANK = re.compile(rb"^\r?\n", re.MULTILINE)


def open_csv(path: Path, mapping: Mapping[str, str], scratch: Path, check: Check) -> CsvSource:
    """Opens a CSV file: finds encoding, delimiter, quoting and header, counts its records, reads a sample.

    `mapping` may give delimiter and encoding. Raises BadInput for a file that is no CSV.
    """
    if os.path.getsize(path) == 0:
        raise BadInput(
            "The file is empty: upload an event log with a header line and a row per event.", reason="EMPTY_FILE"
        )
    file = text_file.prepare(path, mapping.get("encoding"), scratch, check)
    head, quoted = _head(file, check)
    count = text_file.count_lines(file, quoted, check)
    findings: list[Finding] = []
    if not count.is_utf8:
        if mapping.get("encoding"):
            raise BadInput(
                "The file is not valid utf-8 text: give its encoding (cp1252, utf-16, …).", reason="BAD_ENCODING"
            )
        file = text_file.prepare_western(path, scratch, check)
        head, quoted = _head(file, check)
        findings.append(
            Finding(f"The text is not UTF-8; it was read as {file.encoding}", {"encoding": file.encoding}, warning=True)
        )
    delimiter, preamble = delimiter_of(head, mapping.get("delimiter"))
    names, end = header_of(head, delimiter, preamble)
    source = CsvSource(
        file=file,
        columns=unique_names(names),
        delimiter=delimiter,
        quoted=quoted,
        body=file.start + end,
        records=max(0, count.lines - head[:end].count(b"\n")),
        content_bytes=os.path.getsize(file.path) - file.start,
        check=check,
        details={"delimiter": delimiter, "encoding": file.encoding},
        findings=findings,
    )
    source.sample = _sample(source)
    if source.sample.is_empty() and not _any_row(source):
        raise BadInput(
            "The file has a header line and no rows: upload an event log with a row per event.", reason="NO_ROWS"
        )
    return source


def _any_row(source: CsvSource) -> bool:
    return any(batch.records for batch in source.batches())


def _head(file: TextFile, check: Check) -> tuple[bytes, bool]:
    """The beginning of the text, and whether fields are quoted in it: some field begins with a quote."""
    with file.path.open("rb") as source:
        source.seek(file.start)
        head = source.read(HEAD)
    return head, re.search(rb'(?:^|[\n\r,;\t|])"', head) is not None or _quoted_later(file, check)


def _quoted_later(file: TextFile, check: Check) -> bool:
    pattern = re.compile(rb'[\n,;\t|]"')
    with file.path.open("rb") as source:
        source.seek(file.start)
        while block := source.read(text_file.BLOCK):
            if b'"' in block and pattern.search(block):
                return True
            check()
    return False


def _sample(source: CsvSource) -> pl.DataFrame:
    """Rows from the beginning, the middle and the end of the file."""
    size = os.path.getsize(source.file.path)
    frames = [_piece(source, source.body, SAMPLE_BYTES)]
    if size - source.body > SAMPLE_BYTES + 4 * ELSEWHERE_BYTES:
        frames += [
            _piece(source, start, ELSEWHERE_BYTES, partial=True) for start in (size // 2, size - ELSEWHERE_BYTES)
        ]
    return pl.concat([frame.drop(POSITION) for frame in frames])


def _piece(source: CsvSource, start: int, size: int, partial: bool = False) -> pl.DataFrame:
    with source.file.path.open("rb") as file:
        file.seek(start)
        data = file.read(size)
    whole = len(data) < size or start + size >= os.path.getsize(source.file.path)
    if partial:
        data = data[data.find(b"\n") + 1 :]
    # In the middle of the file nobody knows whether a line feed is inside of quotes: rows that come out odd are left
    # out below.
    end = len(data) if whole else data.rfind(b"\n") + 1 if partial else text_file.last_record_end(data, source.quoted)
    try:
        return source._batch(data[:end], 0).frame
    except (csv.Error, UnicodeDecodeError):
        return source._batch(b"", 0).frame
