"""`LogSummary`: what loading found out about a log, kept as log.json beside the buckets; and the way to open the
buckets."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from lodestream_server.workloads.phase import Json

FILE = "log.json"
FOLDER = "log"


@dataclass(frozen=True, slots=True)
class Bucket:
    """One file of the validated log; a case lives wholly in one bucket."""

    path: Path
    events: int
    cases: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Records of the source: total = valid + invalid; events = valid − duplicates_removed − outside_time_window."""

    total: int = 0
    valid: int = 0
    invalid: int = 0
    duplicates: int = 0
    duplicates_removed: int = 0
    inferred_timestamps: int = 0
    outside_time_window: int = 0


@dataclass(frozen=True, slots=True)
class LogSummary:
    """The validated log in numbers. Instants are ISO 8601 in UTC; `attributes` says the type of every column that is
    not one of the standard ones."""

    format: str
    mapping: Mapping[str, str]
    counts: Counts
    cases: int
    events: int
    activities: int
    first: str | None
    last: str | None
    buckets: Sequence[Mapping[str, Any]]
    quality: Mapping[str, float]
    size_bytes: int
    attributes: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> Json:
        """As log.json has it."""
        counts = self.counts
        return {
            "version": 1,
            "format": self.format,
            "sizeBytes": self.size_bytes,
            "mapping": dict(self.mapping),
            "counts": {
                "total": counts.total,
                "valid": counts.valid,
                "invalid": counts.invalid,
                "duplicates": counts.duplicates,
                "duplicatesRemoved": counts.duplicates_removed,
                "inferredTimestamps": counts.inferred_timestamps,
                "outsideTimeWindow": counts.outside_time_window,
            },
            "cases": self.cases,
            "events": self.events,
            "activities": self.activities,
            "timeRange": {"startTime": self.first, "endTime": self.last},
            "buckets": [dict(bucket) for bucket in self.buckets],
            "quality": dict(self.quality),
            "attributes": dict(self.attributes),
        }

    def save(self, folder: Path) -> Path:
        """Writes log.json into the phase's folder."""
        path = folder / FILE
        path.write_text(json.dumps(self.as_json(), ensure_ascii=False, indent=1), encoding="utf-8")
        return path

    @classmethod
    def load(cls, folder: Path) -> "LogSummary":
        """Reads log.json from the loading phase's folder."""
        data = json.loads((folder / FILE).read_text(encoding="utf-8"))
        counts = data["counts"]
        return cls(
            format=data["format"],
            mapping=data["mapping"],
            counts=Counts(
                total=counts["total"],
                valid=counts["valid"],
                invalid=counts["invalid"],
                duplicates=counts["duplicates"],
                duplicates_removed=counts["duplicatesRemoved"],
                inferred_timestamps=counts["inferredTimestamps"],
                outside_time_window=counts["outsideTimeWindow"],
            ),
            cases=data["cases"],
            events=data["events"],
            activities=data["activities"],
            first=data["timeRange"]["startTime"],
            last=data["timeRange"]["endTime"],
            buckets=data["buckets"],
            quality=data["quality"],
            size_bytes=data["sizeBytes"],
            attributes=data["attributes"],
        )


def buckets(folder: Path) -> list[Bucket]:
    """The buckets in the loading phase's folder, in order; empty ones are left out."""
    return [
        Bucket(folder / FOLDER / item["file"], item["events"], item["cases"])
        for item in LogSummary.load(folder).buckets
    ]


def read_bucket(bucket: Bucket, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The rows of a bucket by (case, instant, position in the file); some columns only, when told which."""
    return pl.read_parquet(bucket.path, columns=None if columns is None else list(columns), glob=False)
