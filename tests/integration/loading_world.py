"""Logs on disk, loaded: what the tests of loading share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from lodestream_server.workloads.mining.loading import load
from lodestream_server.workloads.mining.summary import LogSummary, buckets, read_bucket
from lodestream_server.workloads.phase import DatasetFile
from lodestream_server.workloads.rehearsal import Rehearsal
from lodestream_server.workloads.sniffing import sniff


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading left behind."""

    phase: Rehearsal
    results: dict[str, Any]

    @property
    def summary(self) -> LogSummary:
        """log.json."""
        return LogSummary.load(self.phase.out)

    @property
    def rows(self) -> pl.DataFrame:
        """All events, bucket by bucket."""
        return pl.concat([read_bucket(bucket) for bucket in buckets(self.phase.out)])

    @property
    def rejected(self) -> pl.DataFrame:
        """rejected.csv, all of it as text."""
        return pl.read_csv(self.phase.out / "rejected.csv", infer_schema=False).fill_null("")

    def traces(self) -> dict[str, list[str]]:
        """case -> its activities in order."""
        cases = self.rows.group_by("case_id", maintain_order=True).agg("activity")
        return dict(cases.iter_rows())


def dataset(path: Path, **mapping: str) -> DatasetFile:
    """A file as the server would hand it to a workload."""
    return DatasetFile("d-1", path.name, path, sniff(path, path.name), path.stat().st_size, mapping)


def rehearsal(path: Path, parameters: dict[str, Any] | None = None, **mapping: str) -> Rehearsal:
    """A loading phase for a file, not yet run."""
    folder = path.parent / f"{path.name}-phase"
    return Rehearsal(folder, dataset=dataset(path, **mapping), parameters=parameters or {})


def loaded(path: Path, parameters: dict[str, Any] | None = None, **mapping: str) -> Loaded:
    """A file, loaded."""
    phase = rehearsal(path, parameters, **mapping)
    return Loaded(phase, phase.run(load).results)


def loaded_text(folder: Path, text: str | bytes, parameters: dict[str, Any] | None = None, **mapping: str) -> Loaded:
    """A log written in the test, loaded."""
    path = folder / "log.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return loaded(path, parameters, **mapping)
