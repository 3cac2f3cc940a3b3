"""`qualityChecks`: what an analyst should know about the data before believing any figure. Counts over the loaded log;
nothing is changed here.

validateTimestamps, checkDuplicates and validateActivities are all on unless set to false.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lodestream_server.workloads.enrichment.faults import fault
from lodestream_server.workloads.mining.validated import Bucket, ValidatedLog, read
from lodestream_server.workloads.phase import Json

CHECKS = ("validateTimestamps", "checkDuplicates", "validateActivities")

#: Activities that say nothing, in lower case.
_EMPTY = ("-", "--", "n/a", "na", "none", "null", "unknown", "undefined", "?", "???", "test", "tbd")
#: Spellings listed.
_LISTED = 20


@dataclass(slots=True)
class Checks:
    """Adds up over the buckets."""

    wanted: tuple[str, ...]
    midnight: int = 0
    ties: int = 0
    unordered: int = 0
    inverted: int = 0
    single: int = 0
    cases: int = 0
    events: int = 0
    activities: Counter[str] = field(default_factory=Counter)

    def add(self, frame: pl.DataFrame) -> None:
        """Takes over a bucket: case_id, activity, timestamp and start_timestamp where there is one."""
        same = pl.col("case_id") == pl.col("case_id").shift(1)
        found = frame.select(
            midnight=(pl.col("timestamp").dt.time() == pl.time(0, 0, 0)).sum(),
            ties=(same & (pl.col("timestamp") == pl.col("timestamp").shift(1))).sum(),
            inverted=(pl.col("start_timestamp") > pl.col("timestamp")).sum()
            if "start_timestamp" in frame.columns
            else pl.lit(0),
        ).row(0, named=True)
        self.midnight += found["midnight"]
        self.ties += found["ties"]
        self.inverted += found["inverted"]
        lengths = frame.group_by("case_id").len()["len"]
        self.single += int((lengths == 1).sum())
        self.cases += len(lengths)
        self.events += frame.height
        self.activities.update(dict(frame["activity"].value_counts().iter_rows()))

    def findings(self, loading: Mapping[str, Any]) -> list[Json]:
        """check, finding, count, of, share and meaning; only what was asked for, with counts of nothing too."""
        spellings = self._spellings()
        rare = sum(1 for count in self.activities.values() if count == 1)
        empty = sum(count for name, count in self.activities.items() if name.strip().lower() in _EMPTY)
        faults = loading.get("validationErrors", [])
        broken = sum(error["count"] for error in faults if "Timestamp" in error["type"])
        times, doubles, names = CHECKS
        records = int(loading["recordsLoaded"])
        rows = [
            (times, "Timestamps missing or unreadable", broken, records, "inferred from their case or rejected"),
            (times, "Intervals that end before they begin", self.inverted, self.events, "their duration counts as 0"),
            (
                times,
                "Events at midnight exactly",
                self.midnight,
                self.events,
                "many of them are dates without a time of day: durations under a day mean nothing then",
            ),
            (
                times,
                "Events at the same instant as the one before",
                self.ties,
                self.events,
                "their order is that of the file and may not be what happened",
            ),
            (times, "Cases of a single event", self.single, self.cases, "their cycle time says nothing"),
            (doubles, "Identical records", int(loading["duplicateRecords"]), records, "counted as events of their own"),
            (
                names,
                "Activities spelled in several ways",
                len(spellings),
                len(self.activities),
                "; ".join(" / ".join(group) for group in spellings[:_LISTED]) or "case and white space are compared",
            ),
            (names, "Events whose activity says nothing", empty, self.events, "such as -, N/A, unknown"),
            (names, "Activities that occur once", rare, len(self.activities), "slips of the pen, or exceptions"),
        ]
        return [
            {
                "check": check,
                "finding": finding,
                "count": count,
                "of": of,
                "share": round(count / of, 6) if of else 0.0,
                "meaning": meaning,
            }
            for check, finding, count, of, meaning in rows
            if check in self.wanted
        ]

    def _spellings(self) -> list[list[str]]:
        groups: dict[str, list[str]] = {}
        for name in sorted(self.activities):
            groups.setdefault(" ".join(name.lower().split()), []).append(name)
        return [names for names in groups.values() if len(names) > 1]


def wanted(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The checks to make. Raises BadInput for a flag that is none."""
    given = parameters.get("qualityChecks")
    if given is None:
        return CHECKS
    if not isinstance(given, Mapping):
        raise fault("parameters.qualityChecks", "must be an object of flags")
    return tuple(name for name in CHECKS if given.get(name) is not False)


def check(log: ValidatedLog, names: tuple[str, ...], done: Callable[[Bucket], None]) -> list[Json]:
    """The findings over a log; `done` is told of every bucket before it is read."""
    checks = Checks(names)
    columns = [name for name in ("case_id", "activity", "timestamp", "start_timestamp") if log.has(name)]
    for bucket in log.buckets:
        done(bucket)
        checks.add(read(bucket, columns))
    return checks.findings(log.loading)
