"""Data loading: a log in any format becomes rows in buckets of whole cases, nothing cleaned yet.

Depends on the dataset and its columns only: a run whose rules change keeps this phase. Files: raw/bucket-NNN.parquet,
raw.json, rejected.csv (records that cannot be rows of a log). Two thirds of the progress are reading, the rest is
writing.
"""

from collections import Counter
from dataclasses import dataclass, field

from lodestream_server.workloads.enrichment import raw
from lodestream_server.workloads.enrichment.raw import RawLog
from lodestream_server.workloads.mining import detect
from lodestream_server.workloads.mining.detect import Roles
from lodestream_server.workloads.mining.loading import mapping_of
from lodestream_server.workloads.mining.opening import open_log
from lodestream_server.workloads.mining.partition import FLUSH_BYTES, Partition, bucket_count
from lodestream_server.workloads.mining.rejects import Rejects
from lodestream_server.workloads.mining.sift import RAW_TIME, STANDARD, sift
from lodestream_server.workloads.mining.source import Source
from lodestream_server.workloads.mining.telling import tell_opening
from lodestream_server.workloads.phase import BadInput, Json, Phase


def load(phase: Phase) -> Json:
    """Results: recordsLoaded, rowsRead, rejectedRecords, rejectedByReason, brokenTimestamps, cases, activities, format,
    mapping.

    Raises BadInput when the log cannot be used, OSError(ENOSPC) when the disk is full.
    """
    if phase.dataset is None:
        raise BadInput("The run names no dataset: give parameters.datasetId.", reason="MISSING_DATASET")
    mapping = mapping_of(phase.dataset, phase.parameters)
    phase.progress(0, None, "Counting records")
    source = open_log(phase.dataset, mapping, phase.scratch, phase.check)
    roles = detect.roles(source.sample, mapping)
    tell_opening(phase, source, roles)
    return _Loading(phase, source, roles).run()


@dataclass(slots=True)
class _Loading:
    """One log on its way into the buckets."""

    phase: Phase
    source: Source
    roles: Roles
    read: int = 0
    written: int = 0
    cases: int = 0
    broken: int = 0
    activities: set[str] = field(default_factory=set)
    attributes: dict[str, None] = field(default_factory=dict)
    buckets: list[Json] = field(default_factory=list)

    def run(self) -> Json:
        phase, source = self.phase, self.source
        flush = min(FLUSH_BYTES, phase.memory_bytes // 8) if phase.memory_bytes else FLUSH_BYTES
        number = bucket_count(source.records, source.content_bytes)
        partition = Partition(phase.scratch / "parts", number, flush)
        rejects = Rejects(phase.scratch / "rejected")
        self._read(partition, rejects)
        self._write(partition)
        rejects.finish(phase.out / "rejected.csv", source.columns)
        if not self.written:
            reasons = ", ".join(f"{count:,} × {reason}" for reason, count in rejects.ranked())
            raise BadInput(
                f'None of the {self.read:,} records is a row ({reasons}). Case "{self.roles.case}", activity '
                f'"{self.roles.activity}": give other columns at upload.',
                reason="NO_VALID_RECORDS",
                reasons=dict(rejects.counts),
            )
        self._save(rejects)
        return self._tell(rejects)

    def _read(self, partition: Partition, rejects: Rejects) -> None:
        for batch in self.source.batches():
            sifted = sift(batch.frame, self.roles)
            rejects.add(sifted.rejected)
            rejects.add_malformed(batch.malformed)
            names = (name for name in sifted.rows.columns if name not in STANDARD and name != RAW_TIME)
            self.attributes |= dict.fromkeys(names)
            partition.add(raw.keyed(sifted.rows))
            self.read += batch.records
            self._progress("Reading records")

    def _write(self, partition: Partition) -> None:
        folder = self.phase.out / raw.FOLDER
        folder.mkdir()
        for number in partition.numbers():
            rows = partition.read(number)
            if rows is None:
                continue
            name = f"bucket-{number:03d}.parquet"
            rows = raw.write(rows, folder / name, list(self.attributes))
            self.buckets.append({"file": name, "rows": rows.height})
            self.written += rows.height
            self.cases += rows["case_id"].n_unique()
            self.broken += rows.height - rows["timestamp"].count()
            self.activities.update(rows["activity"].unique())
            self._progress(f"Writing, part {number + 1} of {partition.buckets}")

    def _progress(self, activity: str) -> None:
        total = max(self.source.records, self.read)
        self.phase.progress(min(total, self.read * 2 // 3 + self.written // 3), total, activity)
        self.phase.metrics(recordsRead=self.read, recordsWritten=self.written)

    def _save(self, rejects: Rejects) -> None:
        RawLog(
            format=self.source.format,
            mapping={**self.roles.mapping(), **self.source.details},
            used=self.roles.used(),
            attributes=list(self.attributes),
            declared=dict(self.source.declared),
            records=self.read,
            rows=self.written,
            cases=self.cases,
            activities=len(self.activities),
            size_bytes=self.phase.dataset.size_bytes if self.phase.dataset else 0,
            rejected=dict(rejects.ranked()),
            buckets=self.buckets,
        ).save(self.phase.out)

    def _tell(self, rejects: Rejects) -> Json:
        phase, reasons = self.phase, Counter(dict(rejects.ranked()))
        for reason, count in reasons.items():
            phase.warn(f"{reason}: {count:,} rejected", type=reason, count=count, resolved=False)
        if rejects.total:
            phase.artifact(
                phase.out / "rejected.csv",
                name="Rejected records",
                type="Dataset",
                kind="RejectedRecords",
                description=f"{rejects.total:,} records that are no rows of a log, with the reason",
                records=rejects.total,
            )
        phase.progress(self.read, self.read, "Done")
        phase.milestone(
            f"Log read: {self.written:,} rows in {self.cases:,} cases", records=self.read, brokenTimestamps=self.broken
        )
        return {
            "recordsLoaded": self.read,
            "rowsRead": self.written,
            "rejectedRecords": rejects.total,
            "rejectedByReason": dict(reasons),
            "brokenTimestamps": self.broken,
            "cases": self.cases,
            "activities": len(self.activities),
            "format": self.source.format,
            "mapping": {**self.roles.mapping(), **self.source.details},
        }
