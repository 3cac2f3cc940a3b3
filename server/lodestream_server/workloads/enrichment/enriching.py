"""Data enrichment: joined columns, derived columns and own expressions, added to the clean log bucket by bucket.

The log is read twice where something must be known about all of it first: how frequent each variant is, what else a
resource has under way, and which keys are to be looked for in other datasets. Files: log/bucket-NNN.parquet with all
columns, in the order of the clean log.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lodestream_server.workloads.enrichment import compiled
from lodestream_server.workloads.enrichment.concurrent_work import ConcurrentWork, parts_for
from lodestream_server.workloads.enrichment.derive import TYPES, Known, derived
from lodestream_server.workloads.enrichment.faults import fault
from lodestream_server.workloads.enrichment.join import Join, joins_of
from lodestream_server.workloads.enrichment.joining import Joining, opened
from lodestream_server.workloads.enrichment.options import DERIVED, Derivation, derivation
from lodestream_server.workloads.enrichment.portrait import Portraits
from lodestream_server.workloads.enrichment.raw import RawLog
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
    """Results: columnsAdded, columns [{name, meaning or expression, type, missing, …}], processVariants, joins
    [{dataset, on, columns, eventsMatched, eventsUnmatched, …}] and eventsEnriched. Raises BadInput for joins, columns
    and expressions that cannot be made."""
    wanted, expressions = derivation(phase.parameters), expressions_of(phase.parameters)
    joins = joins_of(phase.parameters)
    log = open_clean(phase.before("Data Cleaning"))
    joined = _read(phase, joins, log) if joins else []
    taken = {*log.columns, *(name for join in joined for name in join.names.values())}
    names = _names(phase, taken, wanted)
    if "concurrent_work" in names and not log.has("resource"):
        phase.warn("The log names no resource: concurrent_work is left out", type="MissingColumn", column="resource")
        del names["concurrent_work"]
    wanted = Derivation(tuple(names), wanted.hours, wanted.zone)
    schema = pl.read_parquet_schema(log.buckets[0].path)
    for join in joined:
        # An instance of each type: a class of polars stands for its plain form.
        schema |= {named: pl.Series([], dtype=join.type_of(name)).dtype for name, named in join.names.items()}
    schema |= {name: TYPES[own] for own, name in names.items()}
    compiled.check(schema, expressions, wanted.zone)
    return Enriching(phase, log, wanted, names, expressions, joined).run()


def open_clean(cleaning: Finished) -> ValidatedLog:
    """The clean log that this run's cleaning left behind."""
    files = summary.buckets(cleaning.folder)
    buckets = tuple(Bucket(number, file.path, file.events) for number, file in enumerate(files))
    columns = tuple(pl.read_parquet_schema(buckets[0].path))
    return ValidatedLog(buckets, columns, summary.LogSummary.load(cleaning.folder).as_json(), cleaning.results)


def _read(phase: Phase, joins: tuple[Join, ...], log: ValidatedLog) -> list[Joining]:
    """The joins with their datasets read, in order. Raises BadInput when a name is taken."""
    raw = RawLog.load(phase.before("Data Loading").folder)
    joined, taken = opened(phase, joins, pl.read_parquet_schema(log.buckets[0].path), raw.used), set(log.columns)
    for join in joined:
        join.read(_telling(phase, log.events, join.file.name))
        if twice := sorted(taken.intersection(join.names.values())):
            raise fault(
                f"{join.join.field}.prefix",
                f'is needed, because a column "{twice[0]}" is there already: give a prefix, or fewer columns',
                "NAME_TAKEN",
            )
        taken.update(join.names.values())
    return joined


def _telling(phase: Phase, events: int, name: str) -> Callable[[int, int], None]:
    """Says how far another dataset is read; none of the log's events are done meanwhile."""
    return lambda done, total: phase.progress(0, events, f'Reading "{name}", {done:,} of {total:,} records')


def _names(phase: Phase, taken: set[str], wanted: Derivation) -> dict[str, str]:
    """Derived column -> its name in the result."""
    names = {name: f"{_OURS}{name}" if name in taken else name for name in wanted.columns}
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
    joined: list[Joining] = field(default_factory=list)
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
            portraits.add(frame, list(self._meanings()))
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
        if self.variants is None and self.work is None and not self.joined:
            return
        wanted = ("case_id", "activity", "timestamp", "start_timestamp", "resource")
        columns = list(dict.fromkeys([*(name for name in wanted if log.has(name)), *(j.left for j in self.joined)]))
        for bucket in log.buckets:
            phase.progress(done // 2, log.events, "Comparing cases and resources")
            frame = read(bucket, columns)
            if self.variants:
                self.variants.add(bucket.number, cases_of(numbered(frame, self.activities), frame["case_id"]))
            phase.check()
            if self.work:
                self.work.add(bucket.number, frame)
            for join in self.joined:
                phase.check()
                join.take(bucket.number, frame)
            done += bucket.events
        if self.variants:
            table = self.variants.variants(self.activities)
            self.found = table.height
            self.variants.finish(table)
        for join in self.joined:
            phase.progress(log.events // 2, None, f'Joining "{join.file.name}"')
            join.match(phase.check)
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
        gained = [join.of(bucket.number, frame) for join in self.joined]
        for rows in gained:
            frame = frame.hstack(rows)
        frame = frame.hstack(derived(frame, known, self.wanted).rename(self.names))
        return compiled.add(frame, self.expressions, self.wanted.zone)

    def _meanings(self) -> dict[str, str]:
        """Every added column, in the order of the result, with what it means."""
        meanings = {
            named: f'{name} of "{join.file.name}", where its {join.right} is {join.left}'
            for join in self.joined
            for name, named in join.names.items()
        }
        meanings |= {name: DERIVED[own] for own, name in self.names.items()}
        return meanings | {item.name: item.text for item in self.expressions}

    def _tell(self, portraits: Portraits) -> Json:
        meanings = self._meanings()
        columns = portraits.as_json(meanings)
        names = ", ".join(meanings) or "none"
        self.phase.milestone(f"{len(meanings)} columns added", columns=list(meanings))
        self.phase.log("INFO", f"Columns added to {self.log.events:,} events: {names}")
        results: Json = {"eventsEnriched": self.log.events, "columnsAdded": len(columns), "columns": columns}
        if self.variants:
            results["processVariants"] = self.found
        if self.joined:
            results["joins"] = [self._told(join) for join in self.joined]
        return results | {"workingHours": _spoken_hours(self.wanted), "timeZone": self.wanted.zone}

    def _told(self, join: Joining) -> Json:
        found = join.results()
        if found["eventsUnmatched"]:
            self.phase.warn(
                f'{found["eventsUnmatched"]:,} events found nothing in "{found["dataset"]}"',
                type="UnmatchedJoin",
                count=found["eventsUnmatched"],
            )
        if found["rowsNotUsed"]:
            self.phase.warn(
                f'Keys with several rows in "{found["dataset"]}": {found["keysWithSeveralRows"]:,}; of each the '
                f"{join.join.keep} row counts",
                type="SeveralRowsForKey",
                count=found["rowsNotUsed"],
            )
        return found


def _variants(folder: Path, bucket: Bucket) -> pl.Series:
    return pl.read_parquet(folder / f"bucket-{bucket.number:03d}.parquet", columns=["variant"], glob=False)["variant"]


def _spoken_hours(wanted: Derivation) -> Json:
    hours = wanted.hours
    return {
        "days": list(hours.days),
        "from": f"{hours.begin // 60:02d}:{hours.begin % 60:02d}",
        "to": f"{hours.end // 60:02d}:{hours.end % 60:02d}",
    }
