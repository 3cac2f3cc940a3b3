"""Data enrichment: derived columns and own expressions, added to the clean log bucket by bucket.

The log is read twice where something must be known about all of it first: how frequent each variant is, and what else a
resource has under way. Files: log/bucket-NNN.parquet with all columns, in the order of the clean log.
"""

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lodestream_server.workloads.enrichment import compiled
from lodestream_server.workloads.enrichment.concurrent_work import ConcurrentWork, parts_for
from lodestream_server.workloads.enrichment.derive import TYPES, Known, derived
from lodestream_server.workloads.enrichment.options import DERIVED, Derivation, derivation
from lodestream_server.workloads.enrichment.portrait import Portraits
from lodestream_server.workloads.enrichment.syntax import Expression, expressions_of
from lodestream_server.workloads.mining import summary
from lodestream_server.workloads.mining.disk import writing
from lodestream_server.workloads.mining.instances import clock_of
from lodestream_server.workloads.mining.sequences import VariantCount, cases_of
from lodestream_server.workloads.mining.validated import Bucket, Codes, ValidatedLog, numbered, read
from lodestream_server.workloads.phase import Finished, Json, Phase

#: A source may have a column of the same name: it keeps the name, ours is then called so.
_OURS = "derived_"


def enrich(phase: Phase) -> Json:
    """Results: columnsAdded, columns [{name, meaning or expression, type, missing, …}], processVariants, and
    eventsEnriched. Raises BadInput for columns and expressions that cannot be made."""
    wanted, expressions = derivation(phase.parameters), expressions_of(phase.parameters)
    log = open_clean(phase.before("Data Cleaning"))
    names = _names(phase, log, wanted)
    if "concurrent_work" in names and not log.has("resource"):
        phase.warn("The log names no resource: concurrent_work is left out", type="MissingColumn", column="resource")
        del names["concurrent_work"]
    wanted = Derivation(tuple(names), wanted.hours, wanted.zone)
    schema = pl.read_parquet_schema(log.buckets[0].path)
    schema |= {name: TYPES[own] for own, name in names.items()}
    compiled.check(schema, expressions, wanted.zone)
    return Enriching(phase, log, wanted, names, expressions).run()


def open_clean(cleaning: Finished) -> ValidatedLog:
    """The clean log that this run's cleaning left behind."""
    files = summary.buckets(cleaning.folder)
    buckets = tuple(Bucket(number, file.path, file.events) for number, file in enumerate(files))
    columns = tuple(pl.read_parquet_schema(buckets[0].path))
    return ValidatedLog(buckets, columns, summary.LogSummary.load(cleaning.folder).as_json(), cleaning.results)


def _names(phase: Phase, log: ValidatedLog, wanted: Derivation) -> dict[str, str]:
    """Derived column -> its name in the result."""
    names = {name: f"{_OURS}{name}" if log.has(name) else name for name in wanted.columns}
    for own, name in names.items():
        if own != name:
            phase.warn(f'The source has a column "{own}": the derived one is called "{name}"', type="NameTaken")
    return names


@dataclass(slots=True)
class Enriching:
    """One log on its way to more columns."""

    phase: Phase
    log: ValidatedLog
    wanted: Derivation
    names: dict[str, str]
    expressions: tuple[Expression, ...]
    activities: Codes = field(default_factory=Codes)
    variants: VariantCount | None = None
    work: ConcurrentWork | None = None
    found: int = 0

    def run(self) -> Json:
        """Enriches the log; the phase's results."""
        phase, log = self.phase, self.log
        if "variant" in self.names:
            (phase.scratch / "cases").mkdir()
            self.variants = VariantCount(phase.scratch / "cases")
        if "concurrent_work" in self.names:
            self.work = ConcurrentWork(phase.scratch / "work", parts_for(log.events))
        self._look_ahead()
        lifecycle = clock_of(log).kind == "lifecycle"
        portraits, done = Portraits(), 0
        (phase.out / "log").mkdir()
        for bucket in log.buckets:
            frame = self._enriched(bucket, lifecycle)
            portraits.add(frame, [*self.names.values(), *(item.name for item in self.expressions)])
            with writing():
                frame.write_parquet(phase.out / "log" / bucket.path.name, compression="zstd", compression_level=1)
            done += bucket.events
            phase.progress((log.events + done) // 2, log.events, "Adding columns")
            phase.metrics(eventsEnriched=done)
        phase.progress(log.events, log.events, "Done")
        return self._tell(portraits)

    def _look_ahead(self) -> None:
        """Reads the log once for what must be known about all of it."""
        phase, log, done = self.phase, self.log, 0
        if self.variants is None and self.work is None:
            return
        wanted = ("case_id", "activity", "timestamp", "start_timestamp", "resource")
        columns = [name for name in wanted if log.has(name)]
        for bucket in log.buckets:
            phase.progress(done // 2, log.events, "Comparing cases and resources")
            frame = read(bucket, columns)
            if self.variants:
                self.variants.add(bucket.number, cases_of(numbered(frame, self.activities), frame["case_id"]))
            phase.check()
            if self.work:
                self.work.add(bucket.number, frame)
            done += bucket.events
        if self.variants:
            table = self.variants.variants(self.activities)
            self.found = table.height
            self.variants.finish(table)
        if self.work:
            parts = self.work.parts
            self.work.count(
                lambda part: phase.progress(log.events // 2, None, f"Counting concurrent work, {part + 1} of {parts}")
            )

    def _enriched(self, bucket: Bucket, lifecycle: bool) -> pl.DataFrame:
        frame = read(bucket)
        columns = [name for name in ("case_id", "activity", "timestamp", "start_timestamp") if self.log.has(name)]
        numbers = numbered(frame.select(columns), self.activities)
        known = Known(
            numbers,
            _variants(self.phase.scratch / "cases", bucket)[numbers["case"]] if self.variants else None,
            self.work.of(bucket.number, frame.height) if self.work else None,
            lifecycle,
        )
        self.phase.check()
        frame = frame.hstack(derived(frame, known, self.wanted).rename(self.names))
        return compiled.add(frame, self.expressions, self.wanted.zone)

    def _tell(self, portraits: Portraits) -> Json:
        meanings = {name: DERIVED[own] for own, name in self.names.items()}
        meanings |= {item.name: item.text for item in self.expressions}
        columns = portraits.as_json(meanings)
        names = ", ".join(meanings) or "none"
        self.phase.milestone(f"{len(meanings)} columns added", columns=list(meanings))
        self.phase.log("INFO", f"Columns added to {self.log.events:,} events: {names}")
        results: Json = {"eventsEnriched": self.log.events, "columnsAdded": len(columns), "columns": columns}
        if self.variants:
            results["processVariants"] = self.found
        return results | {"workingHours": _spoken_hours(self.wanted), "timeZone": self.wanted.zone}


def _variants(folder: Path, bucket: Bucket) -> pl.Series:
    return pl.read_parquet(folder / f"bucket-{bucket.number:03d}.parquet", columns=["variant"], glob=False)["variant"]


def _spoken_hours(wanted: Derivation) -> Json:
    hours = wanted.hours
    return {
        "days": list(hours.days),
        "from": f"{hours.begin // 60:02d}:{hours.begin % 60:02d}",
        "to": f"{hours.end // 60:02d}:{hours.end % 60:02d}",
    }
