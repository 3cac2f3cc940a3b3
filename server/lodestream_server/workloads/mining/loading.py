"""The first phase: an event log in any format becomes the validated log, and whoever waits learns what it holds and
what is wrong with it.

Two passes, each in bounded memory: records are read, checked and dealt into buckets by the hash of their case; then
every bucket is completed and written as Parquet, sorted by case, instant and position. A record counts as two thirds
done when it is read and as done when it is written.

Files: log/bucket-NNN.parquet, log.json (`LogSummary`), rejected.csv. Results: recordsLoaded, validRecords,
invalidRecords, duplicateRecords, duplicatesRemoved, inferredTimestamps, outsideTimeWindow, dataQualityScore,
validationErrors [{type, count, resolved}], cases, activities, events, timeRange {startTime, endTime}, format, mapping.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from lodestream_server.workloads.mining import detect, quality
from lodestream_server.workloads.mining.detect import FIELDS, Roles
from lodestream_server.workloads.mining.disk import writing
from lodestream_server.workloads.mining.finish import converted, finish
from lodestream_server.workloads.mining.kinds import Kinds
from lodestream_server.workloads.mining.opening import open_log
from lodestream_server.workloads.mining.partition import FLUSH_BYTES, Partition, bucket_count
from lodestream_server.workloads.mining.rejects import Rejects
from lodestream_server.workloads.mining.sift import RAW_TIME, STANDARD, attribute_name, sift
from lodestream_server.workloads.mining.source import POSITION, Source
from lodestream_server.workloads.mining.summary import FOLDER, Counts, LogSummary
from lodestream_server.workloads.mining.telling import results_of, tell_opening, tell_results
from lodestream_server.workloads.mining.time_window import TimeWindow, time_window
from lodestream_server.workloads.phase import BadInput, DatasetFile, Json, Phase

#: Words in parameters.cleaningRules that ask for the removal of identical rows.
REMOVAL = ("remove_duplicates", "removeDuplicates")


@dataclass(slots=True)
class _Tally:
    """What is counted on the way."""

    read: int = 0
    written: int = 0
    valid: int = 0
    duplicates: int = 0
    removed: int = 0
    outside: int = 0
    cases: int = 0
    events: int = 0
    inferred: Counter[str] = field(default_factory=Counter)
    activities: set[str] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None
    buckets: list[Json] = field(default_factory=list)


def load(phase: Phase) -> Json:
    """The phase function. Raises BadInput when the log or the parameters cannot be used, OSError(ENOSPC) when the disk
    is full."""
    return start(phase).run()


def start(phase: Phase) -> "Loading":
    """Opens the dataset and finds out what is in which column. Raises as `load` does."""
    if phase.dataset is None:
        raise BadInput("The run names no dataset: give parameters.datasetId.", reason="MISSING_DATASET")
    mapping = mapping_of(phase.dataset, phase.parameters)
    window = time_window(phase.parameters)
    phase.progress(0, None, "Counting records")
    source = open_log(phase.dataset, mapping, phase.scratch, phase.check)
    roles = detect.roles(source.sample, mapping)
    tell_opening(phase, source, roles)
    return Loading(phase, source, roles, window, removes_duplicates(phase.parameters))


def mapping_of(dataset: DatasetFile, parameters: Mapping[str, Any]) -> dict[str, str]:
    """The columns and formats in use: what the run's parameters name goes before what the dataset says."""
    own = {name: str(value) for name in FIELDS.values() if (value := parameters.get(name))}
    mapping = dict(dataset.mapping)
    if own.get("activityTimeColumn", mapping.get("activityTimeColumn")) != mapping.get("activityTimeColumn"):
        mapping.pop("timestampFormat", None)  # it was found for another column
    return mapping | own


def removes_duplicates(parameters: Mapping[str, Any]) -> bool:
    """Whether identical rows are to be removed: by a cleaning rule, or by a flag."""
    rules = parameters.get("cleaningRules") or ()
    named = isinstance(rules, list | tuple | Mapping) and any(rule in rules for rule in REMOVAL)
    return bool(named or parameters.get("checkDuplicates") or parameters.get("removeDuplicates"))


@dataclass(slots=True)
class Loading:
    """One log on its way to the disk."""

    phase: Phase
    source: Source
    roles: Roles
    window: TimeWindow
    remove_duplicates: bool
    tally: _Tally = field(default_factory=_Tally)
    kinds: Kinds = field(default_factory=Kinds)
    attributes: list[str] = field(default_factory=list)

    def run(self) -> Json:
        """Loads the log; the phase's results."""
        phase, source = self.phase, self.source
        self.kinds.declared = source.declared
        flush = min(FLUSH_BYTES, phase.memory_bytes // 8) if phase.memory_bytes else FLUSH_BYTES
        number = bucket_count(source.records, source.content_bytes)
        partition = Partition(phase.scratch / "parts", number, flush)
        rejects = Rejects(phase.scratch / "rejected")
        self._read(partition, rejects)
        self._write(partition, rejects)
        rejects.finish(phase.out / "rejected.csv", source.columns)
        self._insist_on_events(rejects)
        summary = self._summary(rejects)
        summary.save(phase.out)
        results = results_of(summary, self.tally.inferred, rejects.counts, self.remove_duplicates)
        tell_results(phase, results, rejects.total)
        phase.progress(self.tally.read, self.tally.read, "Done")
        return results

    def type_of(self, column: str) -> str:
        """The type of an attribute column of the source, once all rows have been read."""
        return self.kinds.of(attribute_name(column)).type

    def _read(self, partition: Partition, rejects: Rejects) -> None:
        for batch in self.source.batches():
            self.phase.check()
            sifted = sift(batch.frame, self.roles)
            rejects.add(sifted.rejected)
            rejects.add_malformed(batch.malformed)
            for name in sifted.rows.columns:
                if name not in STANDARD and not name.startswith("__"):
                    self.kinds.see(name, sifted.rows[name])
            self.phase.check()
            partition.add(sifted.rows)
            self.tally.read += batch.records
            self._progress(f"Reading records, {rejects.total:,} rejected" if rejects.total else "Reading records")
        self.attributes = list(self.kinds.found)

    def _write(self, partition: Partition, rejects: Rejects) -> None:
        folder = self.phase.out / FOLDER
        folder.mkdir(exist_ok=True)
        for number in partition.numbers():
            rows = partition.read(number)
            self.phase.check()
            if rows is not None:
                self._write_bucket(f"bucket-{number:03d}.parquet", rows, rejects)
                self._progress(f"Sorting and writing, part {number + 1} of {partition.buckets}")

    def _write_bucket(self, name: str, rows: pl.DataFrame, rejects: Rejects) -> None:
        tally, done = self.tally, finish(rows, self.window, self.remove_duplicates)
        self.phase.check()
        rejects.add(self._as_they_came(done.rejected))
        tally.written += rows.height
        tally.valid += done.valid
        tally.duplicates += done.duplicates
        tally.removed += done.removed
        tally.outside += done.outside
        tally.inferred.update(done.inferred)
        if done.rows.is_empty():
            return
        kept = converted(done.rows, self.kinds, self.attributes)
        self.phase.check()
        cases = int(kept.select((pl.col("case_id") != pl.col("case_id").shift(1)).sum()).item()) + 1
        with writing():
            kept.write_parquet(self.phase.out / FOLDER / name, compression="zstd", compression_level=1)
        tally.buckets.append({"file": name, "events": kept.height, "cases": cases})
        tally.events += kept.height
        tally.cases += cases
        tally.activities.update(kept["activity"].unique())
        low, high = kept.select(low=pl.col("timestamp").min(), high=pl.col("timestamp").max()).row(0)
        tally.first = low if tally.first is None else min(low, tally.first)
        tally.last = high if tally.last is None else max(high, tally.last)

    def _as_they_came(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rejected rows under the names of the source."""
        if rows.is_empty():
            return rows
        # Their time is what stood there; an instant that was read is written as one.
        instants = pl.selectors.datetime() - pl.selectors.by_name("timestamp")
        text = rows.with_columns(pl.col(RAW_TIME).alias("timestamp"), instants.dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ"))
        text = text.drop(RAW_TIME)
        back = {name: column for column, name in self.roles.used().items()} | {"position": POSITION}
        attributes = {f"{name} (source)": name for name in STANDARD}
        return text.rename({name: (back | attributes).get(name, name) for name in text.columns})

    def _progress(self, activity: str) -> None:
        total, tally = max(self.source.records, self.tally.read), self.tally
        self.phase.progress(min(total, tally.read * 2 // 3 + tally.written // 3), total, activity)
        self.phase.metrics(recordsRead=tally.read, recordsWritten=tally.written)

    def _insist_on_events(self, rejects: Rejects) -> None:
        if self.tally.events:
            return
        if self.tally.valid:
            raise BadInput(
                f"The time window leaves none of the {self.tally.valid:,} events: widen parameters.timeWindow.",
                reason="EMPTY_TIME_WINDOW",
            )
        reasons = ", ".join(f"{count:,} × {reason}" for reason, count in rejects.ranked())
        raise BadInput(
            f'None of the {self.tally.read:,} records can be used ({reasons}). Case "{self.roles.case}", activity '
            f'"{self.roles.activity}", '
            f'timestamp "{self.roles.time}" read as {self.roles.time_format}: give other columns or timestampFormat '
            "at upload.",
            reason="NO_VALID_RECORDS",
            reasons=dict(rejects.counts),
        )

    def _summary(self, rejects: Rejects) -> LogSummary:
        tally = self.tally
        return LogSummary(
            format=self.source.format,
            mapping={**self.roles.mapping(), **self.source.details},
            counts=Counts(
                total=tally.read,
                valid=tally.valid,
                invalid=rejects.total,
                duplicates=tally.duplicates,
                duplicates_removed=tally.removed,
                inferred_timestamps=tally.inferred.total(),
                outside_time_window=tally.outside,
            ),
            cases=tally.cases,
            events=tally.events,
            activities=len(tally.activities),
            first=tally.first.isoformat() if tally.first else None,
            last=tally.last.isoformat() if tally.last else None,
            buckets=tally.buckets,
            quality=quality.score(tally.read, rejects.total, tally.inferred.total(), tally.duplicates),
            size_bytes=self.phase.dataset.size_bytes if self.phase.dataset else 0,
            attributes={name: self.kinds.of(name).type for name in self.attributes},
        )
