"""Data Preparation: quality checks, then the selection of cases by filters and, in a comparison, by periods.

Files: a folder for each selection that leaves something out (`subject`, `reference`) with buckets and log.json.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from lodestream_server.workloads.analysis import quality_checks
from lodestream_server.workloads.analysis.filters import Filter, filters_of
from lodestream_server.workloads.analysis.selected import LOADING, REFERENCE, SECOND, SUBJECT, opened
from lodestream_server.workloads.analysis.selecting import bound
from lodestream_server.workloads.analysis.wishes import Against, against
from lodestream_server.workloads.mining import spoken
from lodestream_server.workloads.mining.disk import writing
from lodestream_server.workloads.mining.summary import FOLDER, LogSummary
from lodestream_server.workloads.mining.time_window import TimeWindow, time_window
from lodestream_server.workloads.mining.validated import ValidatedLog, read
from lodestream_server.workloads.phase import BadInput, Finished, Json, Phase


@dataclass(frozen=True, slots=True)
class _Wish:
    """A selection to be made: whole cases that begin in the window and fit the filters."""

    key: str
    name: str
    log: ValidatedLog
    folder: Path
    window: TimeWindow
    filters: tuple[Filter, ...]

    @property
    def everything(self) -> bool:
        return not self.window and not self.filters and self.log.summary["events"] > 0


@dataclass(slots=True)
class _Kept:
    """What is counted of a selection on the way."""

    cases: int = 0
    events: int = 0
    activities: set[str] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None
    buckets: list[Json] = field(default_factory=list)


def prepare(phase: Phase) -> Json:
    """Results: qualityChecks [{check, finding, count, of, share, meaning}], selections [{key, name, copied,
    ofSecondDataset, events, cases, eventsLeftOut, casesLeftOut, filters, period, timeRange}], casesInBoth where two
    selections of one log share cases.

    Raises BadInput for filters that cannot be used and for a selection without cases.
    """
    filters, other = filters_of(phase.parameters.get("filters")), against(phase.parameters)
    loading = phase.before(LOADING)
    log = opened(loading)
    wishes = _wishes(phase, log, loading, filters, other)
    total = log.events + sum(0 if wish.everything else wish.log.events for wish in wishes)
    done = 0

    def tell(events: int, activity: str) -> None:
        nonlocal done
        phase.progress(done, total, activity)
        done += events

    found = quality_checks.check(
        log, quality_checks.wanted(phase.parameters), lambda bucket: tell(bucket.events, "Checking the data")
    )
    for row in found:
        if row["count"]:
            phase.log("INFO", f"{row['finding']}: {row['count']:,} of {row['of']:,}", check=row["check"])
    sides, ids = [], []
    for wish in wishes:
        side, cases = _select(phase, wish, lambda events: tell(events, "Selecting cases"))
        sides.append(side)
        ids.append(cases)
    phase.progress(total, total, "Done")
    results: Json = {"qualityChecks": found, "selections": sides}
    if len(wishes) == 2 and wishes[0].log is wishes[1].log:
        results["casesInBoth"] = _in_both(phase, ids, min(side["cases"] for side in sides))
    said = "; ".join(f"{side['name']}: {side['events']:,} events in {side['cases']:,} cases" for side in sides)
    phase.milestone(f"Cases selected: {said}", selections=[side["cases"] for side in sides])
    return results


def _wishes(
    phase: Phase, log: ValidatedLog, loading: Finished, filters: tuple[Filter, ...], other: Against | None
) -> list[_Wish]:
    if other is None:  # loading has cut the log to the time window
        name = _said(TimeWindow(), filters) or "All cases"
        return [_Wish(SUBJECT, name, log, loading.folder, TimeWindow(), filters)]
    period = time_window(phase.parameters)
    subject = _Wish(SUBJECT, "", log, loading.folder, period, filters)
    if other.halves:
        middle = _middle(phase, log, period)
        day = f"{middle:%Y-%m-%d}"
        return [
            replace(subject, name=f"From {day}", window=TimeWindow(middle, period.end)),
            replace(subject, key=REFERENCE, name=f"Before {day}", window=_until(period, middle)),
        ]
    reference = replace(subject, key=REFERENCE)
    if other.dataset_id is not None:
        folder = loading.folder / SECOND
        second = opened(Finished(LOADING, loading.results["second"], folder))
        reference = replace(reference, log=second, folder=folder)
    if other.window is not None:
        reference = replace(reference, window=TimeWindow(*other.window))
    if other.filters is not None:
        reference = replace(reference, filters=other.filters)
    return _named(phase, subject, reference, other)


def _named(phase: Phase, subject: _Wish, reference: _Wish, other: Against) -> list[_Wish]:
    """Names by what tells them apart: the dataset, else period and filters."""
    names = [_said(wish.window, wish.filters) or "All cases" for wish in (subject, reference)]
    if other.dataset_id is not None:
        files = [phase.dataset.name if phase.dataset else "", phase.datasets[other.dataset_id].name]
        names = [f"{file} ({name})" if name != "All cases" else file for file, name in zip(files, names, strict=True)]
    own = phase.dataset.dataset_id if phase.dataset else None
    if (subject.window, subject.filters) == (reference.window, reference.filters) and other.dataset_id in (None, own):
        raise BadInput(
            "parameters.compareWith selects the same cases as the run itself: give it another timeWindow, other "
            "filters or another datasetId.",
            reason="SAME_SELECTION",
            field="parameters.compareWith",
        )
    if names[0] == names[1]:
        names[1] += " (the other)"
    return [replace(subject, name=names[0]), replace(reference, name=other.name or names[1])]


def _said(window: TimeWindow, filters: tuple[Filter, ...]) -> str:
    parts = []
    if window:
        start = f"from {window.start:%Y-%m-%d}" if window.start else ""
        end = f"to {window.end:%Y-%m-%d}" if window.end else ""
        parts.append(f"cases begun {start} {end}".replace("  ", " ").strip())
    parts += [item.said for item in filters]
    said = "; ".join(parts)
    return spoken.shortened(said[:1].upper() + said[1:], 120)


def _until(period: TimeWindow, middle: datetime) -> TimeWindow:
    return TimeWindow(period.start, middle - timedelta(microseconds=1))


def _begins(log: ValidatedLog) -> list[str]:
    return [name for name in ("case_id", "timestamp", "start_timestamp") if log.has(name)]


def _begin(columns: list[str]) -> pl.Expr:
    """The begin of each row's case."""
    times = [name for name in ("timestamp", "start_timestamp") if name in columns]
    return pl.min_horizontal(times).min().over("case_id")


def _middle(phase: Phase, log: ValidatedLog, period: TimeWindow) -> datetime:
    """The median of the begins of the cases in the period."""
    starts = []
    for bucket in log.buckets:
        phase.check()
        frame = read(bucket, _begins(log))
        begins = frame.select("case_id", begin=_begin(frame.columns)).filter(period.holds("begin"))
        starts.append(begins.unique("case_id")["begin"])
    middle = pl.concat(starts).sort()
    if len(middle) < 2 or middle[0] == middle[-1]:
        raise BadInput(
            "The log cannot be halved, because its cases begin at one moment: name parameters.compareWith.",
            reason="CANNOT_HALVE",
            field="parameters.compareWith",
        )
    found = middle[len(middle) // 2]
    later: datetime = found if found > middle[0] else middle.filter(middle > middle[0])[0]
    return later


def _select(phase: Phase, wish: _Wish, told: Callable[[int], None]) -> tuple[Json, list[pl.Series]]:
    summary = LogSummary.load(wish.folder)
    if wish.everything:
        return _side(wish, summary, summary, copied=False), []
    stays = bound(wish.filters, pl.read_parquet_schema(wish.log.buckets[0].path), wish.log.summary["mapping"])
    kept, ids = _Kept(), []
    folder = phase.out / wish.key
    (folder / FOLDER).mkdir(parents=True)
    for bucket in wish.log.buckets:
        told(bucket.events)
        frame = read(bucket).with_columns(__begin=_begin(list(wish.log.columns)))
        rows = frame.filter(stays & wish.window.holds("__begin")).drop("__begin")
        if rows.height:
            ids.append(_keep(kept, rows, folder / FOLDER / bucket.path.name))
    if not kept.events:
        raise BadInput(
            f'The selection "{wish.name}" leaves none of the {wish.log.events:,} events: loosen the filters or widen '
            "the time window.",
            reason="EMPTY_SELECTION",
            selection=wish.key,
        )
    chosen = replace(
        summary,
        cases=kept.cases,
        events=kept.events,
        activities=len(kept.activities),
        first=kept.first.isoformat() if kept.first else None,
        last=kept.last.isoformat() if kept.last else None,
        buckets=kept.buckets,
    )
    chosen.save(folder)
    return _side(wish, chosen, summary, copied=True), ids


def _keep(kept: _Kept, rows: pl.DataFrame, path: Path) -> pl.Series:
    with writing():
        rows.write_parquet(path, compression="zstd", compression_level=1)
    cases = rows["case_id"].unique()
    kept.buckets.append({"file": path.name, "events": rows.height, "cases": len(cases)})
    kept.cases += len(cases)
    kept.events += rows.height
    kept.activities.update(rows["activity"].unique())
    low, high = rows.select(low=pl.col("timestamp").min(), high=pl.col("timestamp").max()).row(0)
    kept.first = low if kept.first is None else min(low, kept.first)
    kept.last = high if kept.last is None else max(high, kept.last)
    return cases.hash()


def _side(wish: _Wish, chosen: LogSummary, whole: LogSummary, copied: bool) -> Json:
    window = wish.window
    return {
        "key": wish.key,
        "name": wish.name,
        "copied": copied,
        "ofSecondDataset": wish.folder.name == SECOND,
        "events": chosen.events,
        "cases": chosen.cases,
        "eventsLeftOut": whole.events - chosen.events,
        "casesLeftOut": whole.cases - chosen.cases,
        "filters": [item.said for item in wish.filters],
        "period": {
            "startDate": window.start.isoformat() if window.start else None,
            "endDate": window.end.isoformat() if window.end else None,
        },
        "timeRange": {"startTime": chosen.first, "endTime": chosen.last},
    }


def _in_both(phase: Phase, ids: list[list[pl.Series]], fewest: int) -> int:
    """Cases of the subject that are in the reference too; all of the smaller one where the other is the whole log."""
    whole = not ids[0] or not ids[1]
    both = fewest if whole else int(pl.concat(ids[0]).is_in(pl.concat(ids[1]).implode()).sum())
    if both:
        phase.warn(
            f"{both:,} cases are in both selections: the tests take them for different ones",
            type="OverlappingSelections",
            count=both,
        )
    return both
