"""Conformance: how well a log fits a process model, uploaded or discovered; called by the phase Analysis.

Works on the variants that mining's discovery phase has counted: each is replayed, and aligned where replay finds fault.
Files: deviating-cases.csv (every case that does not fit, or that could not be aligned), deviations.csv, model.pnml and,
where BPMN can say it, model.bpmn.
"""

from pathlib import Path

import polars as pl

from lodestream_server.workloads.mining import figures
from lodestream_server.workloads.mining.spoken import percent
from lodestream_server.workloads.phase import Json, Phase
from lodestream_server.workloads.process_models.alignments import MOST_STATES
from lodestream_server.workloads.process_models.bpmn import NotExpressible, write_bpmn
from lodestream_server.workloads.process_models.checked_model import CheckedModel, discovered_model, uploaded_model
from lodestream_server.workloads.process_models.deviations import told
from lodestream_server.workloads.process_models.measuring import Fit, Measuring
from lodestream_server.workloads.process_models.pnml import write_pnml
from lodestream_server.workloads.process_models.xml_tree import refused

#: Rows of each table in the results.
ROWS = 25
#: Variants that become Python objects at a time.
_AT_ONCE = 2_000
_ROW = {
    "variant": pl.UInt32,
    "fitness": pl.Float64,
    "replayFitness": pl.Float64,
    "skipped": pl.UInt32,
    "extra": pl.UInt32,
    "deviations": pl.String,
}


def check_conformance(phase: Phase, discovery: Path, folder: Path) -> Json:
    """Files go to `folder`; `discovery` is the folder of mining's discovery phase, cases included. Results: model,
    fitness, precision, cases, fittingCases, deviatingCases, casesNotAligned, shares of them, deviations, leastFitting,
    activities of one side only, bounds, definitions.

    Raises BadInput for a model file that is none, or that no case could ever complete.
    """
    model = uploaded_model(phase) or discovered_model(phase, discovery)
    _say(phase, model)
    measuring = Measuring(model.net, phase.check)
    _refuse_endless(phase, model, measuring)
    variants = pl.read_parquet(discovery / "variants.parquet", columns=["variant", "cases", "activities"], glob=False)
    rows = _measured(phase, variants, measuring)
    least = _write_cases(phase, discovery, rows, folder)
    deviations = measuring.deviations.table(measuring.cases)
    deviations.write_csv(folder / "deviations.csv")
    written = _write_model(phase, model, folder)
    found = _results(phase, model, measuring, variants, rows, deviations)
    found["leastFitting"], found["modelFiles"] = least, written
    _announce(phase, found)
    return found


def _say(phase: Phase, model: CheckedModel) -> None:
    net = model.net
    phase.log(
        "INFO",
        f"Checking against {model.said}: {len(net.places):,} places, {len(net.transitions):,} transitions",
        places=len(net.places),
        transitions=len(net.transitions),
    )


def _refuse_endless(phase: Phase, model: CheckedModel, measuring: Measuring) -> None:
    """A model without a complete run fits no case at all; whoever drew it wants to know rather than read zeros."""
    if measuring.shortest is not None:
        return
    if model.uploaded:
        why = "can never be completed: no run leads" if measuring.dead else "is too large: no run was found that leads"
        raise refused(f"{why} from its start to its end; check gateways, arcs and markings", "ENDLESS_MODEL")
    phase.warn("No run of the discovered model leads from its start to its end: cases are replayed, but not aligned")


def _measured(phase: Phase, variants: pl.DataFrame, measuring: Measuring) -> pl.DataFrame:
    """The variants that do not fit or were not aligned, a row each as in _ROW."""
    found, cases, done = [pl.DataFrame(schema=_ROW)], int(variants["cases"].sum()), 0
    for part in variants.iter_slices(_AT_ONCE):
        rows = []
        for variant, count, names in part.iter_rows():
            fit = measuring.add(names, count)
            done += count
            if not fit.fits:
                rows.append(_row(variant, fit))
            phase.progress(done, cases, f"Aligning variants, {variant:,} of {variants.height:,}")
        found.append(pl.DataFrame(rows, schema=_ROW, orient="row"))
    return pl.concat(found)


def _row(variant: int, fit: Fit) -> tuple[object, ...]:
    if fit.fitness is None:
        return variant, None, round(fit.replay, 6), None, None, "not aligned within bounds"
    extra = sum(one.kind == "extra" for one in fit.deviations)
    found = list(fit.deviations)
    return variant, round(fit.fitness, 6), round(fit.replay, 6), len(found) - extra, extra, told(found)


def _write_cases(phase: Phase, discovery: Path, rows: pl.DataFrame, folder: Path) -> list[Json]:
    """All cases that do not fit into the CSV, in the order of the log's parts; gives the least fitting ones."""
    least: list[pl.DataFrame] = []
    with (folder / "deviating-cases.csv").open("wb") as file:
        for number, path in enumerate(sorted((discovery / "cases").glob("bucket-*.parquet"))):
            phase.check()
            cases = pl.read_parquet(path, columns=["case_id", "variant"], glob=False)
            found = cases.join(rows, on="variant", maintain_order="left").rename({"case_id": "caseId"})
            found.write_csv(file, include_header=number == 0)
            order = ["fitness", "replayFitness", "caseId"]
            least = [pl.concat([*least, found]).sort(*order, nulls_last=True).head(ROWS)]
    return figures.listed(least[0], ROWS)


def _write_model(phase: Phase, model: CheckedModel, folder: Path) -> list[str]:
    write_pnml(model.net, folder / "model.pnml")
    try:
        write_bpmn(model.net, folder / "model.bpmn")
    except NotExpressible as fault:
        phase.log("INFO", f"The model is not written as BPMN: {fault}")
        (folder / "model.bpmn").unlink(missing_ok=True)
        return ["model.pnml"]
    return ["model.pnml", "model.bpmn"]


def _results(
    phase: Phase,
    model: CheckedModel,
    measured: Measuring,
    variants: pl.DataFrame,
    rows: pl.DataFrame,
    deviations: pl.DataFrame,
) -> Json:
    net, cases = model.net, measured.cases
    labels = {step.label for step in net.transitions if step.label is not None}
    logged = set(variants["activities"].explode().unique().to_list())
    tokens = measured.tokens
    return {
        "model": {
            **model.as_json(),
            "places": len(net.places),
            "transitions": len(net.transitions),
            "silentTransitions": sum(step.label is None for step in net.transitions),
            "activities": len(labels),
            "shortestRun": measured.shortest,
        },
        "fitness": {
            "ofAverageCase": _ratio(measured.fitness, measured.aligned),
            "ofLog": round(1 - measured.cost / measured.worst, 6) if measured.worst else None,
            "byReplay": round(tokens.fitness, 6),
            "tokens": {
                "produced": tokens.produced,
                "consumed": tokens.consumed,
                "missing": tokens.missing,
                "remaining": tokens.remaining,
            },
        },
        "precision": _rounded(measured.precision.value(phase.check)),
        "cases": cases,
        "fittingCases": measured.fitting,
        "shareOfFittingCases": _ratio(measured.fitting, measured.aligned),
        "deviatingCases": measured.aligned - measured.fitting,
        "casesNotAligned": cases - measured.aligned,
        "variants": variants.height,
        "fittingVariants": variants.height - rows.height,
        "variantsNotAligned": int(rows["fitness"].null_count()),
        "differentDeviations": deviations.height,
        "deviations": figures.listed(deviations, ROWS),
        "deviationsNotCounted": measured.deviations.uncounted,
        "activitiesOnlyInLog": _some(logged - labels),
        "activitiesOnlyInModel": _some(labels - logged),
        "bounds": {"statesPerAlignment": MOST_STATES},
        "definitions": DEFINITIONS,
    }


def _ratio(part: float, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _some(names: set[str]) -> list[str]:
    rows = pl.DataFrame({"name": sorted(names)[:100]}, schema={"name": pl.String})
    return [row["name"] for row in figures.listed(rows, 100)]


#: What the words of the results mean.
DEFINITIONS = {
    "alignment": "the cheapest way to lay a case and a run of the model side by side; an extra and a skipped activity "
    "cost 1 each",
    "fitness of a case": "1 - cost of its alignment / (its activities + those of the shortest run of the model)",
    "fitness of the log": "the same with costs and activities added up over all aligned cases",
    "fitness by replay": "half of 1 - missing/consumed plus half of 1 - remaining/produced tokens, over all cases",
    "precision": "mean, over all activities that fit, of the share of the activities allowed in that marking that the "
    "log ever does there",
    "deviation": "an activity that is extra (the model does not allow it there) or skipped (the model demands it), "
    "after the last activity that fitted",
    "not aligned": "no alignment was found within the bound of states; such cases count neither as fitting nor as "
    "deviating, and in no fitness but that by replay",
}


def _announce(phase: Phase, found: Json) -> None:
    share, fitness = found["shareOfFittingCases"], found["fitness"]["ofLog"]
    phase.metrics(fitness=fitness, precision=found["precision"], deviatingCases=found["deviatingCases"])
    if found["casesNotAligned"]:
        phase.warn(
            f"{found['casesNotAligned']:,} cases of {found['variantsNotAligned']:,} variants were not aligned within "
            "the bounds",
            cases=found["casesNotAligned"],
            variants=found["variantsNotAligned"],
        )
    if share is not None:
        phase.milestone(
            f"{percent(share)} of the cases fit the model",
            fittingCases=found["fittingCases"],
            deviatingCases=found["deviatingCases"],
        )
