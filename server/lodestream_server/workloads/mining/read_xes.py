"""XES and XES.gz as batches of rows. Attributes of a trace become columns with the prefix `case:`, the trace's name is
the case.

A trace without a name is called "trace N". Attributes that the log declares global have their default where an event
leaves them out, except the time and the name.
"""

import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lodestream_server.workloads.mining.source import POSITION, Batch, Finding
from lodestream_server.workloads.mining.text_file import Check
from lodestream_server.workloads.mining.xes_parser import TYPES, Row, Trace, XesParser, chunks
from lodestream_server.workloads.phase import BadInput

CASE = "case:concept:name"

#: Events a batch holds: their dicts are the largest part of memory (about 1 kB each with ten attributes).
BATCH = 20_000

#: Bytes decompressed at a time.
CHUNK = 1 << 20

_EVENT = re.compile(rb"<event[\s/>]")


@dataclass(slots=True)
class XesSource:
    """An opened XES file; implements `Source`."""

    path: Path
    format: str
    records: int
    content_bytes: int
    check: Check
    columns: tuple[str, ...] = ()
    sample: pl.DataFrame = field(default_factory=pl.DataFrame)
    declared: dict[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def batches(self) -> Iterator[Batch]:
        """See `Source.batches`."""
        parser, position, order = XesParser(), 0, dict.fromkeys(self.columns)
        for chunk in self._chunks():
            parser.feed(chunk)
            self.check()
            while len(parser.events) >= BATCH:
                taken, parser.events[:] = parser.events[:BATCH], parser.events[BATCH:]
                yield self._batch(parser, taken, position, order)
                position += len(taken)
        parser.feed(b"", final=True)
        if parser.events:
            yield self._batch(parser, parser.events, position, order)

    def _chunks(self) -> Iterator[bytes]:
        with gzip.open(self.path) if self.format == "xes.gz" else self.path.open("rb") as file:
            yield from chunks(file.read, CHUNK)

    def _batch(
        self, parser: XesParser, events: list[tuple[Trace, Row]], position: int, order: dict[str, None]
    ) -> Batch:
        for prefix, types in (("case:", parser.trace_types), ("", parser.event_types)):
            for key, word in types.items():
                order.setdefault(prefix + key)
                self.declared[prefix + key] = TYPES[word]
        order.setdefault(CASE)
        self.columns = tuple(order)
        rows = [row for _, row in events]
        traces = [trace for trace, _ in events]
        columns = {}
        for name in order:
            own = name in parser.event_types
            if own and name.startswith("case:") and name != CASE:  # of the event where cases differ within
                key = name.removeprefix("case:")
                values = [row.get(name, trace.attributes.get(key)) for trace, row in events]
            elif own:
                values = [row.get(name) for row in rows]
            elif name == CASE:
                values = [trace.attributes.get("concept:name") or f"trace {trace.number + 1}" for trace in traces]
            else:
                key = name.removeprefix("case:")
                values = [trace.attributes.get(key) for trace in traces]
            columns[name] = pl.Series(name, values, dtype=pl.String)
        columns[POSITION] = pl.int_range(position, position + len(rows), dtype=pl.Int64, eager=True)
        return Batch(pl.DataFrame(columns), len(rows))


def open_xes(path: Path, format_: str, check: Check) -> XesSource:
    """Opens an XES file: counts its events, reads the first batch as a sample. Raises BadInput for a file that is no
    XES or holds no event."""
    source = XesSource(path, format_, 0, 0, check)
    source.records, source.content_bytes = _count(source)
    if source.content_bytes == 0:
        raise BadInput("The file is empty: upload an event log.", reason="EMPTY_FILE")
    first = next(source.batches(), None)
    if first is None:
        raise BadInput("The XES file holds no events.", reason="NO_ROWS")
    source.sample = first.frame.drop(POSITION)
    return source


def _count(source: XesSource) -> tuple[int, int]:
    """Event tags and bytes of the whole file."""
    found, size, rest = 0, 0, b""
    for chunk in source._chunks():
        # A tag may lie across two chunks: the last bytes, too few for a whole one, are looked at again with the next
        # chunk. In UTF-16 every other byte is zero.
        window = rest + (chunk.replace(b"\0", b"") if b"\0" in chunk else chunk)
        found += len(_EVENT.findall(window))
        rest = window[-6:]
        size += len(chunk)
        source.check()
    return found, size
