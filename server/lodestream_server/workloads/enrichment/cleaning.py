"""Data cleaning: the rules, one after the other, over one bucket of whole cases at a time.

Every rule's doings are booked with exact counts and a few samples. Files: log/bucket-NNN.parquet and log.json (a
validated log, as mining reads it) and removed.csv. Two thirds of the progress are the rules, one third the writing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from lodestream_server.workloads.enrichment import books, duplicates, repair, texts, validity
from lodestream_server.workloads.enrichment.account import RuleAccount, account_of
from lodestream_server.workloads.enrichment.applied import REASON, Applied, without
from lodestream_server.workloads.enrichment.columns import bound
from lodestream_server.workloads.enrichment.raw import RawLog
from lodestream_server.workloads.enrichment.removed_rows import RemovedRows
from lodestream_server.workloads.enrichment.rules import (
    DateRange,
    FixTimestamps,
    FoldCase,
    RemoveDuplicates,
    Rule,
    TrimWhitespace,
    ValidateActivities,
    rules_of,
)
from lodestream_server.workloads.mining.disk import writing
from lodestream_server.workloads.mining.finish import ORDER, converted
from lodestream_server.workloads.mining.kinds import Kinds
from lodestream_server.workloads.mining.sift import RAW_TIME
from lodestream_server.workloads.mining.summary import FOLDER
from lodestream_server.workloads.phase import Json, Phase

#: The entry for rows whose time is still unknown when all rules have worked.
UNUSABLE = "unusable_timestamps"
_UNUSABLE_REASON = "no usable timestamp"


def clean(phase: Phase) -> Json:
    """Results as `books.results_of` has them. Raises BadInput for rules that cannot be used, and when no row is
    left."""
    rules = rules_of(phase.parameters)
    folder = phase.before("Data Loading").folder
    raw = RawLog.load(folder)
    rules = bound(rules, raw)
    names = ", ".join(rule.name for rule in rules) or "no rules"
    phase.log("INFO", f"Cleaning {raw.rows:,} rows in {len(raw.buckets)} parts: {names}", rules=[r.name for r in rules])
    return Cleaning(phase, raw, folder, rules).run()


def apply(rows: pl.DataFrame, rule: Rule) -> Applied:
    """What a rule makes of rows of whole cases, in the order of the file."""
    match rule:
        case RemoveDuplicates():
            return duplicates.remove(rows, rule)
        case FixTimestamps():
            return repair.fix(rows, rule)
        case ValidateActivities():
            return validity.validate(rows, rule)
        case TrimWhitespace():
            return texts.trim(rows, rule)
        case FoldCase():
            return texts.fold(rows, rule)
        case DateRange():
            return validity.keep(rows, rule)


@dataclass(slots=True)
class Cleaning:
    """One log on its way through the rules; `before` and `after` are measured on all rows."""

    phase: Phase
    raw: RawLog
    folder: Path
    rules: Sequence[Rule]
    accounts: list[RuleAccount] = field(init=False)
    closing: RuleAccount = field(init=False)
    kinds: Kinds = field(init=False)
    done: int = 0
    written: int = 0
    identical_before: int = 0
    identical_after: int = 0
    fixed: int = 0
    cases: int = 0
    events: int = 0
    activities: set[str] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None
    buckets: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Opens the books."""
        self.accounts = [account_of(rule) for rule in self.rules]
        self.closing = RuleAccount(UNUSABLE, {})
        self.kinds = Kinds(declared=self.raw.declared)

    def run(self) -> Json:
        """Cleans the log; the phase's results."""
        with RemovedRows(self.phase.out / "removed.csv") as removed:
            for number, rows in enumerate(self.raw.frames(self.folder)):
                self._bucket(number, rows, removed)
        books.insist_on_events(self)
        self._write()
        books.summary_of(self).save(self.phase.out)
        results = books.results_of(self)
        books.tell(self.phase, results, removed.total)
        self.phase.progress(self.raw.rows, self.raw.rows, "Done")
        return results

    def _bucket(self, number: int, rows: pl.DataFrame, removed: RemovedRows) -> None:
        phase, came = self.phase, rows.height
        rows = rows.sort("position")
        self.identical_before += int(duplicates.marked(rows).sum())
        for rule, account in zip(self.rules, self.accounts, strict=True):
            phase.progress(*self._progress(f"Part {number + 1} of {len(self.raw.buckets)}: {rule.name}"))
            applied = apply(rows, rule)
            account.add(rows.height, applied)
            removed.add(applied.removed, rule.name)
            rows = applied.rows
        lost = pl.select(pl.when(rows["timestamp"].is_null()).then(pl.lit(_UNUSABLE_REASON))).to_series()
        applied = without(rows, lost, "timestampsRejected")
        self.closing.add(rows.height, applied)
        removed.add(applied.removed, UNUSABLE)
        self._keep(number, applied.rows)
        self.done += came
        phase.progress(*self._progress(f"Part {number + 1} of {len(self.raw.buckets)} is clean"))
        phase.metrics(**books.figures(self))

    def _keep(self, number: int, rows: pl.DataFrame) -> None:
        """Takes note of what is in the rows and puts them aside until the types of all columns are known."""
        if rows.is_empty():
            return
        self.identical_after += int(duplicates.marked(rows).sum())
        self.fixed += int(rows[RAW_TIME].count())
        for name in self.raw.attributes:
            self.kinds.see(name, rows[name])
        with writing():
            rows.sort(ORDER).drop(RAW_TIME, REASON, strict=False).write_parquet(
                self.phase.scratch / f"{number:03d}.parquet", compression="lz4", statistics=False
            )

    def _write(self) -> None:
        folder = self.phase.out / FOLDER
        folder.mkdir()
        for file in sorted(self.phase.scratch.glob("*.parquet")):
            rows = converted(pl.read_parquet(file, glob=False), self.kinds, self.raw.attributes)
            name = f"bucket-{file.stem}.parquet"
            with writing():
                rows.write_parquet(folder / name, compression="zstd", compression_level=1)
            file.unlink()
            self._note(name, rows)
            self.phase.progress(*self._progress("Writing the clean log"))

    def _note(self, name: str, rows: pl.DataFrame) -> None:
        cases = rows["case_id"].n_unique()
        self.buckets.append({"file": name, "events": rows.height, "cases": cases})
        self.cases += cases
        self.events += rows.height
        self.written += rows.height
        self.activities.update(rows["activity"].unique())
        low, high = rows.select(low=pl.col("timestamp").min(), high=pl.col("timestamp").max()).row(0)
        self.first = low if self.first is None else min(low, self.first)
        self.last = high if self.last is None else max(high, self.last)

    def _progress(self, activity: str) -> tuple[int, int, str]:
        return self.done * 2 // 3 + self.written // 3, self.raw.rows, activity
