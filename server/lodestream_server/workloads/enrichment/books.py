"""What cleaning says when it is done: results, the summary of the clean log, warnings and the removed rows.

Records: recordsLoaded = validRecords + invalidRecords, where invalid are rejected rows and those without a usable time;
events = validRecords − duplicatesRemoved − activitiesRejected − outsideDateRange.
"""

from typing import TYPE_CHECKING

from lodestream_server.workloads.enrichment.account import total
from lodestream_server.workloads.mining import quality
from lodestream_server.workloads.mining.summary import Counts, LogSummary
from lodestream_server.workloads.phase import BadInput, Json, Phase

if TYPE_CHECKING:
    from lodestream_server.workloads.enrichment.cleaning import Cleaning

#: Figures that are sums over the rules, with how a warning says them.
_FIGURES = {
    "duplicatesRemoved": "{:,} duplicate rows were removed",
    "timestampsFixed": "{:,} timestamps were fixed",
    "timestampsRejected": "{:,} rows without a usable timestamp were removed",
    "startsSwapped": "{:,} intervals ended before they began and were turned round",
    "activitiesRejected": "{:,} rows with an invalid activity were removed",
    "activitiesCorrected": "{:,} activities were corrected to their spelling in the list",
    "valuesTrimmed": "{:,} values lost white space",
    "valuesFolded": "{:,} values changed their case",
    "outsideDateRange": "{:,} events outside the date range were removed",
}

#: Asked for, so no reason for a warning.
_WANTED = ("valuesTrimmed", "valuesFolded", "outsideDateRange", "activitiesCorrected")


def figures(cleaning: "Cleaning") -> Json:
    """The sums over all rules so far."""
    accounts = [*cleaning.accounts, cleaning.closing]
    return {"recordsProcessed": cleaning.done, **{name: total(accounts, name) for name in _FIGURES}}


def results_of(cleaning: "Cleaning") -> Json:
    """recordsProcessed, validRecords, invalidRecords, recordsRemoved, duplicatesFound, the figures, events, cases,
    activities, timeRange, dataQualityScore (of what is left), before/after, and `rules`: an entry for each rule."""
    raw, sums = cleaning.raw, figures(cleaning)
    accounts = [*cleaning.accounts, *([cleaning.closing] if cleaning.closing.removed else [])]
    invalid = raw.records - raw.rows + sums["timestampsRejected"]
    before = quality.score(raw.records, invalid, sums["timestampsFixed"], cleaning.identical_before)
    after = quality.score(cleaning.events, 0, cleaning.fixed, cleaning.identical_after)
    return {
        **sums,
        "validRecords": raw.records - invalid,
        "invalidRecords": invalid,
        "recordsRemoved": raw.records - cleaning.events,
        "duplicatesFound": cleaning.identical_before,
        "timestampsBroken": sums["timestampsFixed"] + sums["timestampsRejected"],
        "events": cleaning.events,
        "cases": cleaning.cases,
        "activities": len(cleaning.activities),
        "timeRange": _time_range(cleaning),
        "dataQualityScore": after["score"],
        "before": _state(raw.records, raw.cases, raw.activities, before["score"]),
        "after": _state(cleaning.events, cleaning.cases, len(cleaning.activities), after["score"]),
        "rules": [account.as_json() for account in accounts],
    }


def summary_of(cleaning: "Cleaning") -> LogSummary:
    """log.json of the clean log, as mining reads it."""
    raw, results = cleaning.raw, results_of(cleaning)
    return LogSummary(
        format=raw.format,
        mapping=raw.mapping,
        counts=Counts(
            total=raw.records,
            valid=results["validRecords"],
            invalid=results["invalidRecords"],
            duplicates=cleaning.identical_before,
            duplicates_removed=results["duplicatesRemoved"],
            inferred_timestamps=results["timestampsFixed"],
            outside_time_window=results["outsideDateRange"],
        ),
        cases=cleaning.cases,
        events=cleaning.events,
        activities=len(cleaning.activities),
        first=results["timeRange"]["startTime"],
        last=results["timeRange"]["endTime"],
        buckets=cleaning.buckets,
        quality=quality.score(cleaning.events, 0, cleaning.fixed, cleaning.identical_after),
        size_bytes=raw.size_bytes,
        attributes={name: cleaning.kinds.of(name).type for name in raw.attributes},
    )


def insist_on_events(cleaning: "Cleaning") -> None:
    """Raises BadInput when the rules left nothing, saying which of them removed how much."""
    if any(cleaning.phase.scratch.glob("*.parquet")):
        return
    accounts = [*cleaning.accounts, cleaning.closing]
    took = ", ".join(f"{account.name} {account.removed:,}" for account in accounts if account.removed)
    fix = ", or add the rule fix_timestamps" if cleaning.closing.removed else ""
    raise BadInput(
        f"The rules leave none of the {cleaning.raw.rows:,} rows (removed: {took}): loosen parameters.cleaningRules"
        f"{fix}.",
        reason="NOTHING_LEFT",
        removed={account.name: account.removed for account in accounts if account.removed},
    )


def tell(phase: Phase, results: Json, removed: int) -> None:
    """Warns of what was wrong with the data, publishes the removed rows and announces the clean log."""
    for name, words in _FIGURES.items():
        count = results[name]
        if count and name in _WANTED:
            phase.log("INFO", words.format(count), type=name, count=count)
        elif count:
            phase.warn(words.format(count), type=name, count=count, resolved=True)
    if removed:
        phase.artifact(
            phase.out / "removed.csv",
            name="Removed records",
            type="Dataset",
            kind="RemovedRecords",
            description=f"{removed:,} records that a cleaning rule removed, with the rule and the reason",
            records=removed,
        )
    said = {key: results[key] for key in ("events", "cases", "activities", "dataQualityScore", "recordsRemoved")}
    phase.metrics(**said)
    phase.milestone(f"Log cleaned: {results['events']:,} events in {results['cases']:,} cases", **said)


def _time_range(cleaning: "Cleaning") -> Json:
    first, last = cleaning.first, cleaning.last
    return {"startTime": first.isoformat() if first else None, "endTime": last.isoformat() if last else None}


def _state(records: int, cases: int, activities: int, score: float) -> Json:
    return {"records": records, "cases": cases, "activities": activities, "dataQualityScore": score}
