"""Report Generation of an analysis: the page, the drawings and the tables as files to download, and what to do."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from lodestream_server.workloads.analysis import drawings, page
from lodestream_server.workloads.analysis.advice import advise
from lodestream_server.workloads.analysis.selected import REFERENCE, SUBJECT, selections
from lodestream_server.workloads.mining.report import charts
from lodestream_server.workloads.phase import Finished, Json, Phase
from lodestream_server.workloads.process_models import model_drawing
from lodestream_server.workloads.process_models.pnml import read_pnml

#: File of Analysis -> what it is called, and its kind.
_TABLES: Mapping[str, tuple[str, str]] = {
    "slowest-cases": ("Slowest cases", "SlowCases"),
    "waiting": ("Waiting before activities", "WaitingTimes"),
    "resource-utilization": ("Work and utilization of resources", "ResourceUtilization"),
    "bottlenecks": ("Steps by waiting", "Bottlenecks"),
    "variants": ("Variants", "ProcessVariants"),
    "handover": ("Handovers of work", "HandoverOfWork"),
    "workload": ("Workload over time", "Workload"),
    "activities-by-resource": ("Who does what", "ActivitiesByResource"),
    "segregation-of-duties": ("Cases against segregation of duties", "SegregationOfDuties"),
    "deviating-cases": ("Cases that do not fit the model", "DeviatingCases"),
    "deviations": ("Deviations from the model", "Deviations"),
    "comparison-activities": ("Changes of waiting", "Comparison"),
    "comparison-transitions": ("Changes of steps", "Comparison"),
    "comparison-variants": ("Changes of variants", "Comparison"),
}

#: Drawing -> what it shows.
_SHOWN: Mapping[str, str] = {
    "cycle-times": "Distribution of cycle times",
    "cycle-times-over-time": "Cycle times over time",
    "variants": "Cases covered by variants",
    "handover": "Who hands over to whom",
    "workload": "Work of the busiest resources over time",
    "conformance-model": "The model with deviations",
    "deviations": "Most frequent deviations from the model",
    "comparison-cycle-times": "Cycle times of both selections",
    "comparison-waiting": "Change of waiting before activities",
    "bottleneck-1": "Waiting at the largest bottleneck over time",
    "bottleneck-queue-1": "Work waiting at the largest bottleneck",
}


def report(phase: Phase) -> Json:
    """Results: reportsCreated, outputs [{kind, file, format, records}], recommendations [{category, priority,
    recommendation, expectedImprovement, evidence}]."""
    analysis, options = phase.before("Analysis"), phase.parameters.get("outputOptions") or {}
    performance = json.loads((analysis.folder / "performance.json").read_text("utf-8"))
    subject = selections(phase)[0]
    phase.progress(0, subject.events, "Drawing")
    drawn = _drawn(phase, analysis, performance)
    advice = [item.as_json() for item in advise(analysis.results, performance, _variants(analysis), subject.log.counts)]
    outputs: list[Json] = []
    if options.get("generateReports") is not False:
        story = page.Story(
            title=phase.run_name,
            dataset=phase.dataset.name if phase.dataset else "",
            preparation=phase.before("Data Preparation").results,
            analysis=analysis.results,
            performance=performance,
            loading=subject.log.summary,
            advice=advice,
            drawings=drawn,
        )
        outputs.append(_page(phase, story))
    if options.get("createVisualizations") is not False:
        outputs += [_drawing(phase, name, svg) for name, svg in drawn.items() if svg and name in _SHOWN]
    outputs += [_table(phase, analysis, name) for name in _TABLES if (analysis.folder / f"{name}.csv").exists()]
    outputs += [_model(phase, analysis, name) for name in analysis.results.get("conformance", {}).get("modelFiles", ())]
    phase.progress(subject.events, subject.events, "Done")
    phase.log("INFO", f"{len(outputs)} files made: {', '.join(output['file'] for output in outputs)}")
    return {"outputs": outputs, "reportsCreated": len(outputs), "recommendations": advice}


def _variants(analysis: Finished) -> pl.DataFrame | None:
    path = analysis.folder / SUBJECT / "discovery" / "variants.parquet"
    return pl.read_parquet(path, glob=False) if path.exists() else None


def _drawn(phase: Phase, analysis: Finished, performance: Json) -> dict[str, str | None]:
    """The drawings of what was looked at, by name."""
    found, drawn = analysis.results, {}
    if cycle := found.get("performance", {}).get("cycleTime"):
        drawn["cycle-times"] = charts.cycle_times(performance["cycleTimes"])
        drawn["cycle-times-over-time"] = drawings.over_time(cycle["overTime"]["rows"], "Cycle time", "cases")
        phase.check()
    for number, entry in enumerate(found.get("bottleneck", {}).get("closely", []), 1):
        drawn[f"bottleneck-{number}"] = drawings.over_time(entry["overTime"], "Waiting", "arrived")
        drawn[f"bottleneck-queue-{number}"] = drawings.queue(entry["overTime"])
        phase.check()
    if "variants" in found:
        drawn["variants"] = drawings.pareto(json.loads((analysis.folder / "curve.json").read_text("utf-8")))
    if people := found.get("resources"):
        handovers = pl.read_csv(analysis.folder / "handover.csv", n_rows=5_000, infer_schema_length=None)
        drawn["handover"] = drawings.matrix(handovers.cast({"source": pl.String, "target": pl.String}).to_dicts())
        phase.check()
        drawn["workload"] = drawings.workload(people["workload"]["rows"], people["workload"]["period"])
    if fit := found.get("conformance"):
        drawn["deviations"] = drawings.deviations(fit["deviations"])
        phase.check()
        drawn["conformance-model"] = model_drawing.draw(read_pnml(analysis.folder / "model.pnml"), _marks(analysis))
        phase.check()
    if compared := found.get("comparison"):
        sides = [(compared[key]["name"], compared[key]["quantilesSeconds"]) for key in (SUBJECT, REFERENCE)]
        drawn["comparison-cycle-times"] = drawings.distributions(sides)
        drawn["comparison-waiting"] = drawings.changes(compared["activities"])
    phase.check()
    return drawn


def _marks(analysis: Finished) -> dict[str, model_drawing.Marks]:
    """Deviations by activity, wherever they happened."""
    rows = pl.read_csv(analysis.folder / "deviations.csv", infer_schema=False)
    sums = rows.group_by("activity", "kind").agg(pl.col("occurrences").cast(pl.Int64).sum())
    counts = {(name, kind): count for name, kind, count in sums.iter_rows()}
    names = {name for name, _ in counts}
    return {
        name: model_drawing.Marks(counts.get((name, "skipped"), 0), counts.get((name, "extra"), 0)) for name in names
    }


def _page(phase: Phase, story: page.Story) -> Json:
    path = phase.out / "analysis.html"
    path.write_text(page.render(story), "utf-8")
    kind = page.TITLES[story.analysis["analysisType"]]
    phase.artifact(
        path,
        name=f"{kind}: {phase.run_name}",
        type="Report",
        kind="AnalysisReport",
        description=f"{kind} with its figures, drawings, data quality, recommendations and method",
    )
    return {"kind": "AnalysisReport", "file": path.name, "format": "HTML"}


def _drawing(phase: Phase, name: str, svg: str) -> Json:
    path = phase.out / f"{name}.svg"
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{svg}\n', "utf-8")
    phase.artifact(path, name=f"{_SHOWN[name]}: {phase.run_name}", type="Visualization", kind="Chart")
    return {"kind": "Chart", "file": path.name, "format": "SVG"}


def _table(phase: Phase, analysis: Finished, name: str) -> Json:
    path, (title, kind) = phase.out / f"{name}.csv", _TABLES[name]
    shutil.copyfile(analysis.folder / path.name, path)
    records = _rows(path)
    phase.artifact(path, name=f"{title}: {phase.run_name}", type="Dataset", kind=kind, records=records)
    return {"kind": kind, "file": path.name, "format": "CSV", "records": records}


def _model(phase: Phase, analysis: Finished, name: str) -> Json:
    path = phase.out / name
    shutil.copyfile(analysis.folder / name, path)
    said = "The model that the log was checked against"
    form = path.suffix[1:].upper()
    phase.artifact(
        path, name=f"Process model ({form}): {phase.run_name}", type="Model", kind="ProcessModel", description=said
    )
    return {"kind": "ProcessModel", "file": name, "format": form}


def _rows(path: Path) -> int:
    return int(pl.scan_csv(path, infer_schema=False).select(pl.len()).collect().item())
