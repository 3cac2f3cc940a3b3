"""What a report is about: the results of an earlier run, cut to what a report shows, as plain JSON values.

`source_of` reads a run; `mined_source` puts the phases of process mining together, of an earlier run or of this one.
Tables are bounded here, so everything after it is small whatever the log's size.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from lodestream_server.workloads.mining.report import charts, page
from lodestream_server.workloads.mining.summary import LogSummary
from lodestream_server.workloads.mining.validated import LOADING_PHASES
from lodestream_server.workloads.phase import EarlierRun, Finished, Json

#: Rows of each table that a source keeps.
MOST_ROWS = 50

#: The phase of operations; a job that learns does so beside its performance analysis.
LEARNING = "Machine Learning Analysis"

#: Tables that performance analysis leaves, and what a report takes from them.
TABLES = ("nodes", "flow", "waiting", "hours", "rework", "resources")


def source_of(run: EarlierRun) -> Json:
    """A run as a report reads it: what every source has, and what its flavour (mined, prepared, other) adds."""
    phases = {phase.name: phase for phase in run.phases}
    base = {
        "runId": run.run_id,
        "runType": run.type,
        "name": run.name,
        "dataset": "",
        "started": _instant(run.started),
        "ended": _instant(run.ended),
    }
    if {"Process Discovery", "Performance Analysis"} <= phases.keys():
        known = {*LOADING_PHASES, "Process Discovery", "Performance Analysis", LEARNING, "Report Generation"}
        return base | mined_source(phases) | {"others": _others(phases, known)}
    if "Data Cleaning" in phases:
        return base | _prepared(phases)
    advice = [
        row for phase in run.phases for row in phase.results.get("recommendations", []) if isinstance(row, Mapping)
    ]
    return base | {
        "flavour": "other",
        "others": _others(phases, frozenset()),
        "recommendations": _bounded(advice),
    }


def mined_source(phases: Mapping[str, Finished], advice: Sequence[Json] | None = None) -> Json:
    """What mining found; `advice` stands in for the recommendations of a run whose report is not made yet."""
    loading = next(phases[name] for name in LOADING_PHASES if name in phases)
    discovery, performance = phases["Process Discovery"], phases["Performance Analysis"]
    if advice is None:
        advice = phases["Report Generation"].results.get("recommendations", []) if "Report Generation" in phases else []
    tables = tables_of(discovery, performance)
    log = LogSummary.load(loading.folder).as_json() if (loading.folder / "log.json").exists() else {}
    return {
        "flavour": "mined",
        "loading": _bounded(loading.results),
        "counts": log.get("counts", {}),
        "discovery": _bounded(discovery.results),
        "performance": _bounded(performance.results),
        "recommendations": list(advice)[:MOST_ROWS],
        "activities": page.activity_rows(tables).head(MOST_ROWS).to_dicts() if "nodes" in tables else [],
        "overTime": _over_time(tables),
        "learned": _bounded(learned_by(phases)),
        "hasTables": "nodes" in tables,
    }


def learned_by(phases: Mapping[str, Finished]) -> Json:
    """What a mining run learned, wherever it did; empty when it did not."""
    if LEARNING in phases:
        return phases[LEARNING].results
    return dict(phases["Performance Analysis"].results.get("learning", {}))


def tables_of(discovery: Finished, performance: Finished) -> dict[str, pl.DataFrame]:
    """The tables that are still kept: all that the map and the charts are drawn from."""
    files = {name: performance.folder / f"{name}.parquet" for name in TABLES}
    files["activities"] = discovery.folder / "activities.parquet"
    found = {name: pl.read_parquet(path, glob=False) for name, path in files.items() if path.exists()}
    needed = {"nodes", "flow", "waiting", "hours", "activities"}
    return found if needed <= found.keys() else {}


def _over_time(tables: Mapping[str, pl.DataFrame]) -> Json:
    if "hours" not in tables:
        return {}
    found = charts.cases_over_time(tables["hours"])
    days = [f"{day:%Y-%m-%d}" for day in found.counts["day"]]
    return {
        "grain": found.grain,
        "days": days,
        "started": found.counts["started"].to_list(),
        "finished": found.counts["finished"].to_list(),
        "startedOutside": found.started_outside,
        "finishedOutside": found.finished_outside,
    }


def _prepared(phases: Mapping[str, Finished]) -> Json:
    def results(name: str) -> Json:
        return _bounded(phases[name].results) if name in phases else {}

    return {
        "flavour": "prepared",
        "loading": results("Data Loading"),
        "cleaning": results("Data Cleaning"),
        "enrichment": results("Data Enrichment"),
        "output": results("Output Generation"),
    }


def _others(phases: Mapping[str, Finished], known: set[str] | frozenset[str]) -> list[Json]:
    """Phases that have no section of their own: their name and results."""
    return [{"phase": name, "results": _bounded(p.results)} for name, p in phases.items() if name not in known]


def _bounded(value: Any) -> Any:
    """The same with every list cut to MOST_ROWS."""
    if isinstance(value, Mapping):
        return {str(key): _bounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_bounded(item) for item in value[:MOST_ROWS]]
    return value


def _instant(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
