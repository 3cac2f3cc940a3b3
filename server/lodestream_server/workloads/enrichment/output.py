"""Output generation: the enriched log as a dataset in the wanted format, and a report that shows what became of the
data.

The dataset is published with kind EnrichedDataset; it can be loaded like any other log, and dependants of a batch do.
"""

from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow.parquet as pq

from lodestream_server.workloads.enrichment import page, xes
from lodestream_server.workloads.enrichment.enriching import open_clean
from lodestream_server.workloads.enrichment.options import FORMATS, output_format, wants_report
from lodestream_server.workloads.mining.disk import writing
from lodestream_server.workloads.phase import Json, Phase

#: RFC 3339 with microseconds, always UTC.
_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"
#: What `position` is called in the result: the record's number in the source, from 0.
_POSITION = "source_record"
#: Rows of the result that the report shows.
_SHOWN = 8


def write(phase: Phase) -> Json:
    """Results: outputs [{kind, file, format, records}], recordsWritten, outputFormat, columns. Raises
    OSError(ENOSPC)."""
    word = output_format(phase.parameters)
    log = open_clean(phase.before("Data Cleaning"))
    folder = phase.before("Data Enrichment").folder / "log"
    path = phase.out / FORMATS[word]
    phase.progress(0, log.events, "Writing the dataset")
    done, head = 0, pl.DataFrame()
    with _writer(path) as writer:
        for bucket in log.buckets:
            frame = _named(pl.read_parquet(folder / bucket.path.name, glob=False))
            head = head if done else frame.head(_SHOWN)
            writer.add(frame)
            done += bucket.events
            phase.progress(done, log.events, "Writing the dataset")
    phase.artifact(
        path,
        name=f"Enriched dataset of {phase.run_name}",
        type="Dataset",
        kind="EnrichedDataset",
        description=f"{done:,} events, cleaned, with {_added(phase)} added columns",
        records=done,
    )
    outputs: list[Json] = [{"kind": "EnrichedDataset", "file": path.name, "format": word, "records": done}]
    phase.milestone(f"Dataset written: {done:,} events as {word}", records=done, format=word)
    if wants_report(phase.parameters):
        outputs.append(_report(phase, head))
    return {
        "outputs": outputs,
        "recordsWritten": done,
        "outputFormat": word,
        "outputColumns": head.columns,
        "reportsCreated": len(outputs) - 1,
    }


def _added(phase: Phase) -> int:
    return int(phase.before("Data Enrichment").results["columnsAdded"])


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns as the dataset has them: names of standard columns, and the record's number in the source."""
    name = _POSITION if _POSITION not in frame.columns else f"{_POSITION}_of_this_run"
    return frame.rename({"position": name})


def _report(phase: Phase, head: pl.DataFrame) -> Json:
    path = phase.out / "before-after.html"
    path.write_text(page.render(page.story(phase, head)), "utf-8")
    phase.artifact(
        path,
        name=f"Before and after: {phase.run_name}",
        type="Report",
        kind="DataQualityReport",
        description="What each rule changed, with counts and samples, and what was added",
    )
    return {"kind": "DataQualityReport", "file": path.name, "format": "HTML"}


class _Writer:
    """Appends buckets to one file. Use it as a context."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def __enter__(self) -> "_Writer":
        self._stream = self._path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream:
            self._stream.close()

    @property
    def stream(self) -> BinaryIO:
        """The open file."""
        assert self._stream is not None, "the writer is used as a context"
        return self._stream

    def add(self, frame: pl.DataFrame) -> None:
        """CSV: the header with the first bucket; nested values as texts."""
        nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
        flat = frame.with_columns(pl.col(nested).cast(pl.String)) if nested else frame
        with writing():
            flat.write_csv(self.stream, include_header=not self.stream.tell(), datetime_format=_TIME)


class _XesWriter(_Writer):
    def __enter__(self) -> "_XesWriter":
        super().__enter__()
        xes.begin(self.stream)
        return self

    def __exit__(self, *fault: object) -> None:
        if self._stream and not any(fault):
            xes.end(self.stream)
        super().__exit__(*fault)

    def add(self, frame: pl.DataFrame) -> None:
        """One trace a case."""
        xes.append(frame, self.stream)


class _ParquetWriter(_Writer):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._parquet: pq.ParquetWriter | None = None

    def __exit__(self, *fault: object) -> None:
        if self._parquet:
            self._parquet.close()
        super().__exit__(*fault)

    def add(self, frame: pl.DataFrame) -> None:
        """A row group a bucket."""
        table = frame.to_arrow()
        self._parquet = self._parquet or pq.ParquetWriter(self.stream, table.schema, compression="zstd")
        self._parquet.write_table(table.cast(self._parquet.schema))


def _writer(path: Path) -> _Writer:
    return {".parquet": _ParquetWriter, ".xes": _XesWriter}.get(path.suffix, _Writer)(path)
