"""What loading tells: the lines, warnings and figures that a person follows, and the results that the documentation
shows."""

from collections.abc import Mapping

from lodestream_server.workloads.mining import rejects, timestamps
from lodestream_server.workloads.mining.detect import Roles
from lodestream_server.workloads.mining.source import Source
from lodestream_server.workloads.mining.summary import LogSummary
from lodestream_server.workloads.phase import Json, Phase

#: What every record is checked for: the reasons to reject it, and being there once. Each kind of fault in
#: `validationErrors` is one that found something.
CHECKS = len(rejects.REASONS) + 1


def tell_opening(phase: Phase, source: Source, roles: Roles) -> None:
    """Logs what was found out about the file, and warns of what was guessed."""
    details = {
        "format": source.format,
        "records": source.records,
        "expectedRecords": source.records,
        "bytes": source.content_bytes,
        **source.details,
        **roles.mapping(),
    }
    phase.log("INFO", f"{source.records:,} records of {source.format} with {len(source.columns)} columns", **details)
    columns = ", ".join(f'{name} from "{column}"' for column, name in roles.used().items())
    phase.log("INFO", f"Columns: {columns}; timestamps as {roles.time_format}", columns=roles.used())
    for finding in source.findings:
        if finding.warning:
            phase.warn(finding.text, **finding.details)
        else:
            phase.log("INFO", finding.text, **finding.details)
    if roles.ambiguous:
        phase.warn(
            "Day and month of the timestamps cannot be told apart",
            column=roles.time,
            readAs=roles.time_format,
            fix="give timestampFormat at upload",
        )
    times = source.sample[roles.time]
    offsets = timestamps.offsets(times.filter(timestamps.parse(times, roles.time_format).is_not_null()))
    if len(offsets) > 1:
        phase.warn(
            "Timestamps have different UTC offsets; events are ordered by instant",
            offsets=[offset or "none" for offset in offsets],
        )


def results_of(summary: LogSummary, inferred: Mapping[str, int], rejected: Mapping[str, int], removed: bool) -> Json:
    """The phase's results; `inferred` and `rejected` count records by reason, `removed` says what became of
    duplicates."""
    counts = summary.counts
    errors = [{"type": kind, "count": count, "resolved": True} for kind, count in sorted(inferred.items())]
    errors += [{"type": kind, "count": count, "resolved": False} for kind, count in sorted(rejected.items())]
    if counts.duplicates:
        errors.append({"type": "Duplicate Record", "count": counts.duplicates, "resolved": removed})
    return {
        "recordsLoaded": counts.total,
        "validRecords": counts.valid,
        "invalidRecords": counts.invalid,
        "duplicateRecords": counts.duplicates,
        "duplicatesRemoved": counts.duplicates_removed,
        "inferredTimestamps": counts.inferred_timestamps,
        "outsideTimeWindow": counts.outside_time_window,
        "dataQualityScore": summary.quality["score"],
        "validationErrors": errors,
        "cases": summary.cases,
        "activities": summary.activities,
        "events": summary.events,
        "timeRange": {"startTime": summary.first, "endTime": summary.last},
        "format": summary.format,
        "mapping": dict(summary.mapping),
    }


def tell_results(phase: Phase, results: Json, rejected: int) -> None:
    """Warns of every fault, publishes the rejected records, and announces the log."""
    for error in results["validationErrors"]:
        done = "handled" if error["resolved"] else "rejected"
        phase.warn(_spoken(error), **error, issue=error["type"], affectedRecords=error["count"], resolution=done)
    if rejected:
        phase.artifact(
            phase.out / "rejected.csv",
            name="Rejected records",
            type="Dataset",
            kind="RejectedRecords",
            description=f"{rejected:,} records that could not be used, with the reason",
            records=rejected,
        )
    figures = {key: results[key] for key in ("events", "cases", "activities", "dataQualityScore")}
    invalid = results["invalidRecords"]
    phase.metrics(**figures, validRecords=results["validRecords"], invalidRecords=invalid, errorRecords=invalid)
    phase.metrics(dataValidated=True, errorsFound=invalid)
    failed = len({error["type"] for error in results["validationErrors"]})
    phase.metrics(validationsPassed=CHECKS - failed, validationsFailed=failed)
    phase.milestone(f"Log validated: {results['events']:,} events in {results['cases']:,} cases", **figures)


def _spoken(error: Json) -> str:
    kind, count, resolved = error["type"], error["count"], error["resolved"]
    if kind == "Duplicate Record":
        return f"{count:,} identical rows {'were removed' if resolved else 'are counted as they are'}"
    return f"{kind}: {count:,} {'inferred from the events around' if resolved else 'rejected'}"
