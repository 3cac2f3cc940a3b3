"""Small event logs for mining tests: rows in view, validated buckets on disk, phases run one after the other."""

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from lodestream_server.workloads.mining.discovery import discover
from lodestream_server.workloads.mining.modelling import discover_process
from lodestream_server.workloads.mining.performance import analyse
from lodestream_server.workloads.mining.report import report
from lodestream_server.workloads.mining.summary import Counts, LogSummary
from lodestream_server.workloads.phase import DatasetFile, Finished
from lodestream_server.workloads.rehearsal import Rehearsal

START = datetime(2024, 1, 1, 8, tzinfo=UTC)
BUCKETS = 3

#: A log as cases: case id -> steps `(activity, minute)` or `(activity, minute, further columns)`.
Cases = dict[str, list[tuple[Any, ...]]]


def minute(n: float) -> datetime:
    """That many minutes after the start of the world."""
    return START + timedelta(minutes=n)


def event(case: str, activity: str, at: float, **more: Any) -> dict[str, Any]:
    """A row of the log; `start` is a minute as well, further columns are kept as they are."""
    row = {"case_id": case, "activity": activity, "timestamp": minute(at), **more}
    if "start" in row:
        start = row.pop("start")
        row["start_timestamp"] = None if start is None else minute(start)
    return row


def write_log(folder: Path, rows: list[dict[str, Any]]) -> Finished:
    """The rows as a validated log: buckets of whole cases, sorted by case, instant and place in the list."""
    (folder / "log").mkdir(parents=True)
    frame = pl.DataFrame(rows, infer_schema_length=None).with_row_index("position")
    times = [name for name in ("timestamp", "start_timestamp") if name in frame.columns]
    frame = frame.with_columns(pl.col(times).cast(pl.Datetime("us", "UTC")), pl.col("position").cast(pl.Int64))
    bucket = pl.Series([zlib.crc32(case.encode()) % BUCKETS for case in frame["case_id"]])
    buckets = []
    for number in range(BUCKETS):
        part = frame.filter(bucket == number).sort("case_id", "timestamp", "position")
        name = f"bucket-{number:03d}.parquet"
        part.write_parquet(folder / "log" / name)
        buckets.append({"file": name, "events": part.height, "cases": part["case_id"].n_unique()})
    summary(frame, buckets).save(folder)
    return Finished("Data Loading", {"validationErrors": []}, folder)


def summary(frame: pl.DataFrame, buckets: list[dict[str, Any]]) -> LogSummary:
    """What loading says about a spotless log."""
    return LogSummary(
        format="csv",
        mapping={},
        counts=Counts(total=frame.height, valid=frame.height),
        cases=frame["case_id"].n_unique(),
        events=frame.height,
        activities=frame["activity"].n_unique(),
        first=None,
        last=None,
        buckets=buckets,
        quality={"score": 100.0},
        size_bytes=0,
    )


def events(cases: Cases) -> list[dict[str, Any]]:
    """The rows of a log given case by case."""
    return [
        event(case, step[0], step[1], **(step[2] if len(step) > 2 else {}))
        for case, steps in cases.items()
        for step in steps
    ]


@dataclass(slots=True)
class World:
    """A log and what the phases made of it so far."""

    folder: Path
    earlier: dict[str, Finished]

    def phase(self, name: str, **options: Any) -> Rehearsal:
        """A fresh phase after those that have finished."""
        folder = self.folder / f"{name} {len(list(self.folder.iterdir()))}"
        dataset = DatasetFile("d-1", "loans.csv", self.folder / "loans.csv", "csv", 0)
        options = {"dataset": dataset, "run_name": "Loans in January", **options}
        return Rehearsal(folder, name=name, earlier=self.earlier, **options)

    def discover(self) -> Finished:
        """Runs discovery, without a model, and keeps what it left."""
        self.earlier["Process Discovery"] = self.phase("Process Discovery").run(discover)
        return self.earlier["Process Discovery"]

    def model(self, **parameters: Any) -> Finished:
        """Runs discovery as runs do, with a model, and keeps what it left."""
        phase = self.phase("Process Discovery", parameters=parameters)
        self.earlier["Process Discovery"] = phase.run(discover_process)
        return self.earlier["Process Discovery"]

    def analyse(self) -> Finished:
        """Runs discovery, if it has not run, and performance."""
        if "Process Discovery" not in self.earlier:
            self.discover()
        self.earlier["Performance Analysis"] = self.phase("Performance Analysis").run(analyse)
        return self.earlier["Performance Analysis"]

    def report(self, **parameters: Any) -> tuple[Finished, Rehearsal]:
        """Runs everything up to the report; the second value tells what was published."""
        if "Performance Analysis" not in self.earlier:
            self.analyse()
        phase = self.phase("Report Generation", parameters=parameters)
        return phase.run(report), phase


def world(folder: Path, rows: list[dict[str, Any]]) -> World:
    """A world with this log, loaded but not yet mined."""
    return World(folder, {"Data Loading": write_log(folder / "loading", rows)})
