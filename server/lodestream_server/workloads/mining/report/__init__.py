"""Report generation: process map, HTML report, variants table and the enriched log, as files to download.

Reads what discovery and performance left behind and the validated log; which files are made depends on `outputOptions`
and `outputFormat`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lodestream_server.workloads.mining import spoken
from lodestream_server.workloads.mining.recommendations import Recommendation, recommend
from lodestream_server.workloads.mining.report import charts, enriched, page, selection, vega
from lodestream_server.workloads.mining.report.frame import Caption
from lodestream_server.workloads.mining.report.model_section import ModelSection, model_section
from lodestream_server.workloads.mining.report.options import KNOWN, Wanted, wanted
from lodestream_server.workloads.mining.report.process_map import draw
from lodestream_server.workloads.mining.validated import ValidatedLog, open_log
from lodestream_server.workloads.mining.wishes import Looks, looks
from lodestream_server.workloads.phase import Json, Phase

__all__ = ["report"]


@dataclass(frozen=True, slots=True)
class _Sources:
    """Everything that the files are made from."""

    log: ValidatedLog
    discovery: Json
    performance: Json
    tables: dict[str, pl.DataFrame]
    cases: Path
    advice: list[Recommendation]
    title: str
    dataset: str
    asked: Looks
    learned: Json
    model: ModelSection | None


def report(phase: Phase) -> Json:
    """Results: reportsCreated, outputs [{kind, file, format, records}], recommendations [{category, priority,
    recommendation, expectedImprovement, evidence}], processMap {activitiesShown, transitionsShown, …}.
    """
    what = wanted(phase.parameters)
    sources = _sources(phase)
    for name in what.unknown:
        phase.warn(f"Export format {spoken.shortened(name, 40)} is not available", available=list(KNOWN))
    outputs: list[Json] = []
    results: Json = {"recommendations": [item.as_json() for item in sources.advice]}
    phase.progress(0, sources.log.events, "Drawing the process map")
    waiting = sources.tables["waiting"]
    # Without the look at bottlenecks nothing on the map stands out.
    marked = waiting if sources.asked.bottlenecks else waiting.clear()
    content = selection.select(sources.tables["nodes"], sources.tables["flow"], marked)
    results["processMap"] = {
        "activitiesShown": len(content.activities),
        "activities": content.all_activities,
        "transitionsShown": content.inner_steps,
        "transitions": content.all_steps,
        "shareOfStepsShown": round(content.covered, 6),
    }
    phase.log(
        "INFO",
        "Drawing the process map",
        activitiesCount=len(content.activities),
        pathsCount=content.inner_steps,
        formatRequested="SVG",
    )
    svg = draw(content, Caption(f"Process map: {sources.title}", _subtitle(sources)))
    phase.check()
    if what.map:
        outputs += _map_files(phase, svg, what)
    if what.html:
        outputs.append(_html(phase, sources, svg))
        if "PDF" in what.formats:
            outputs.append(_pdf(phase, results["recommendations"], sources.learned))
    outputs += _tables(phase, sources, what, results)
    results["outputs"] = outputs
    results["reportsCreated"] = len(outputs)
    phase.log("INFO", f"{len(outputs)} files made: {', '.join(output['file'] for output in outputs)}")
    return results


def _sources(phase: Phase) -> _Sources:
    discovery, performance = phase.before("Process Discovery"), phase.before("Performance Analysis")
    log = open_log(phase)
    files = {
        **{name: discovery.folder / f"{name}.parquet" for name in ("activities", "dfg", "variants")},
        **{
            name: performance.folder / f"{name}.parquet"
            for name in ("nodes", "flow", "waiting", "hours", "rework", "resources")
        },
    }
    tables = {name: pl.read_parquet(path, glob=False) for name, path in files.items() if path.exists()}
    asked = looks(phase.parameters)
    advice: list[Recommendation] = []
    if asked.advice:
        variants = tables["variants"] if asked.variants else tables["variants"].clear()
        advice = recommend(performance.results, variants, log.counts)
    dataset = phase.dataset.name if phase.dataset else ""
    return _Sources(
        log,
        discovery.results,
        performance.results,
        tables,
        discovery.folder / "cases",
        advice,
        phase.run_name,
        dataset,
        asked,
        learned_results(phase),
        model_section(discovery),
    )


def learned_results(phase: Phase) -> Json:
    """What learning found, wherever it was done: in a phase of its own (operations), beside performance (jobs)."""
    try:
        return phase.before("Machine Learning Analysis").results
    except KeyError:
        return dict(phase.before("Performance Analysis").results.get("learning", {}))


def _subtitle(sources: _Sources) -> str:
    model = sources.discovery
    parts = [
        sources.dataset,
        f"{spoken.count(model['cases'])} cases",
        f"{spoken.count(model['events'])} events",
        f"{spoken.count(model['processVariants'])} variants",
        f"median cycle time {spoken.duration(sources.performance['cycleTimes']['medianSeconds'])}",
    ]
    return " · ".join(part for part in parts if part)


def _map_files(phase: Phase, svg: str, what: Wanted) -> list[Json]:
    path = phase.out / "process-map.svg"
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{svg}\n', "utf-8")
    shown = "Activities and steps by frequency, with waiting times and bottlenecks"
    phase.artifact(
        path, name=f"Process map of {phase.run_name}", type="Visualization", kind="ProcessMap", description=shown
    )
    made = [{"kind": "ProcessMap", "file": path.name, "format": "SVG"}]
    if "PDF" in what.formats:
        pdf = phase.out / "process-map.pdf"
        pdf.write_bytes(vega.as_pdf(svg))
        phase.artifact(
            pdf,
            name=f"Process map of {phase.run_name} (PDF)",
            type="Visualization",
            kind="ProcessMap",
            description=shown,
        )
        made.append({"kind": "ProcessMap", "file": pdf.name, "format": "PDF"})
    return made


def _html(phase: Phase, sources: _Sources, svg: str) -> Json:
    phase.progress(0, sources.log.events, "Writing the report")
    hours = sources.tables["hours"]
    drawings = {"cycle": charts.cycle_times(sources.performance["cycleTimes"])}
    phase.check()
    drawings |= {"time": charts.over_time(hours), "weekday": charts.by_weekday(hours)}
    phase.check()
    path = phase.out / "report.html"
    path.write_text(
        page.render(
            page.Story(
                title=sources.title,
                dataset=sources.dataset,
                discovery=sources.discovery,
                performance=sources.performance,
                loading=sources.log.summary,
                faults=sources.log.loading.get("validationErrors", []),
                tables=sources.tables,
                advice=[item.as_json() for item in sources.advice],
                process_map=svg,
                charts=drawings,
                asked=sources.asked,
                learned=sources.learned,
                model=sources.model,
            )
        ),
        "utf-8",
    )
    phase.artifact(
        path,
        name=f"{phase.run_name} Report",
        type="Report",
        kind="ProcessMiningReport",
        description="Key figures, map, model, variants, bottlenecks, resources, rework, data quality, recommendations",
    )
    return {"kind": "ProcessMiningReport", "file": path.name, "format": "HTML"}


def _pdf(phase: Phase, advice: list[Json], learned: Json) -> Json:
    # Here and not above: it draws with this package, and most runs want no PDF.
    from lodestream_server.workloads.reporting.of_mining import mining_pdf

    path = phase.out / "report.pdf"
    path.write_bytes(mining_pdf(phase, advice, learned))
    phase.artifact(
        path,
        name=f"{phase.run_name} Report (PDF)",
        type="Report",
        kind="ProcessMiningReport",
        description="Key figures, recommendations, process map, bottlenecks, times, variants, resources, data quality",
    )
    return {"kind": "ProcessMiningReport", "file": path.name, "format": "PDF"}


def _tables(phase: Phase, sources: _Sources, what: Wanted, results: Json) -> list[Json]:
    made = []
    if "CSV" in what.formats and sources.asked.variants:
        made.append(_variants(phase, sources.tables["variants"]))
    if "JSON" in what.formats:
        made.append(_json(phase, sources, results))
    csv = phase.out / "enriched-log.csv" if "CSV" in what.formats else None
    parquet = phase.out / "enriched-log.parquet" if "PARQUET" in what.formats else None
    if not (csv or parquet):
        phase.progress(sources.log.events, sources.log.events, "Done")
        return made

    def done(records: int) -> None:
        phase.progress(records, sources.log.events, "Writing the enriched log")

    records = enriched.write(sources.log, sources.cases, csv, parquet, done, phase.check)
    for path, form in ((csv, "CSV"), (parquet, "Parquet")):
        if path:
            phase.artifact(
                path,
                name=f"Enriched log of {phase.run_name} ({form})",
                type="Dataset",
                kind="EnrichedDataset",
                description="Every event with its case's duration and variant, position, remaining events and rework",
                records=records,
            )
            made.append({"kind": "EnrichedDataset", "file": path.name, "format": form, "records": records})
    return made


def _variants(phase: Phase, variants: pl.DataFrame) -> Json:
    path = phase.out / "variants.csv"
    variants.with_columns(pl.col("activities").list.join(" > ")).write_csv(path)
    phase.artifact(
        path,
        name=f"Variants of {phase.run_name}",
        type="Dataset",
        kind="ProcessVariants",
        description="Every sequence of activities with its cases, share and cycle times in seconds",
        records=variants.height,
    )
    return {"kind": "ProcessVariants", "file": path.name, "format": "CSV", "records": variants.height}


def _json(phase: Phase, sources: _Sources, results: Json) -> Json:
    path = phase.out / "results.json"
    whole = {
        "run": sources.title,
        "dataset": sources.dataset,
        "loading": sources.log.summary,
        "discovery": sources.discovery,
        "performance": sources.performance,
        **({"learning": sources.learned} if sources.learned else {}),
        "recommendations": results["recommendations"],
    }
    path.write_text(json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False, default=str), "utf-8")
    phase.artifact(
        path,
        name=f"Results of {phase.run_name}",
        type="Dataset",
        kind="Results",
        description="All figures of the run as one JSON document",
    )
    return {"kind": "Results", "file": path.name, "format": "JSON"}
