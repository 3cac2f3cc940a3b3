"""Conformance against logs whose truth is known: the loan log and the process that made it."""

import csv
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from lodestream_server.workloads.analysis.analysing import analyse
from lodestream_server.workloads.phase import BadInput, Cancelled
from lodestream_server.workloads.process_models.bpmn import write_bpmn
from lodestream_server.workloads.process_models.pnml import read_pnml, write_pnml

from lodestream.samples.loan_applications import write_log
from lodestream.samples.loan_model import write_model
from tests.unit.process_model_world import net_of
from tests.workloads.analysis_world import Analysed, analysed, phase


@pytest.fixture(scope="module")
def loans(tmp_path_factory):
    """The log, the model as PNML and as BPMN, and the truth."""
    folder = tmp_path_factory.mktemp("loans")
    truth = write_log(folder / "loans.csv", 700)
    write_model(folder / "loans.pnml")
    write_bpmn(read_pnml(folder / "loans.pnml"), folder / "loans.bpmn")
    return folder, truth


@pytest.fixture(scope="module")
def prepared(loans, tmp_path_factory):
    """The whole log, loaded and prepared once for all models that it is checked against."""
    return _prepared(loans[0] / "loans.csv", tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def checked(loans, prepared, tmp_path_factory):
    """The whole log against the uploaded model."""
    return _checked(prepared, tmp_path_factory.mktemp("checked"), loans[0] / "loans.pnml", last="Report Generation")


def _prepared(log: Path, out: Path) -> Analysed:
    return analysed(out, log, last="Data Preparation", analysisType="conformance")


def _checked(done: Analysed, out: Path, model: Path | None = None, last: str = "Analysis", **given: Any) -> Analysed:
    if model:
        given["modelResourceId"] = str(model)
    log = done.phases["Data Loading"].dataset
    assert log is not None
    return analysed(out, log.path, last=last, done=done, analysisType="conformance", **given)


def _part(folder: Path, name: str, keep) -> None:
    """The rows of the cases that are kept."""
    with (folder / "loans.csv").open(encoding="utf-8", newline="") as file, (folder / name).open("w") as out:
        rows = csv.reader(file)
        writer = csv.writer(out)
        writer.writerow(next(rows))
        writer.writerows(row for row in rows if keep(row[0]))


def test_the_deviating_cases_are_those_that_were_made_to_deviate(checked, loans):
    """No more and no fewer, each with what is wrong with it; the others fit."""
    truth, found = loans[1], checked.results["conformance"]
    rows = pl.read_csv(checked.finished["Report Generation"].folder / "deviating-cases.csv")
    assert set(rows["caseId"]) == set(truth.deviating_cases) != set()
    assert (found["cases"], found["deviatingCases"]) == (truth.cases, len(truth.deviating_cases))
    assert found["fittingCases"] == truth.cases - len(truth.deviating_cases)
    assert found["casesNotAligned"] == 0
    assert 0.9 < found["fitness"]["ofLog"] < 1
    said = dict(rows.select("caseId", "deviations").iter_rows())
    for case in truth.anomalies["paid_before_approval"]:
        assert "extra 'Pay Out Loan' after 'Risk Assessment'" in said[case]
    for case in truth.anomalies.get("skipped_credit_check", []):
        assert said[case] == "skipped 'Credit Check' after 'Check Completeness'"


def test_the_generating_model_fits_what_it_made_before_the_injection(loans, tmp_path):
    """Cases without anomaly and dirt: fitness exactly 1, by both measures; the injected ones: below 1."""
    folder, truth = loans
    control_flow = {case for kind, cases in truth.anomalies.items() if kind != "absurdly_long" for case in cases}
    touched = control_flow | {case for cases in truth.dirt.values() for case in cases} | {""}
    _part(folder, "clean.csv", lambda case: case not in touched)
    _part(folder, "injected.csv", lambda case: case in control_flow)
    clean, injected = [
        _checked(_prepared(folder / log, tmp_path / log), tmp_path / log, folder / "loans.pnml").results["conformance"]
        for log in ("clean.csv", "injected.csv")
    ]
    assert clean["fitness"]["ofLog"] == clean["fitness"]["ofAverageCase"] == clean["fitness"]["byReplay"] == 1.0
    assert (clean["shareOfFittingCases"], clean["deviatingCases"], clean["deviations"]) == (1.0, 0, [])
    assert clean["precision"] > 0.95
    assert injected["deviatingCases"] == injected["cases"] == len(control_flow)
    assert injected["fitness"]["ofLog"] < 1 > injected["fitness"]["byReplay"]


def test_the_same_model_as_bpmn_finds_the_same(checked, prepared, loans, tmp_path):
    """Fitness and deviations do not depend on how the model is written."""
    found = _checked(prepared, tmp_path, loans[0] / "loans.bpmn").results["conformance"]
    other = checked.results["conformance"]
    for key in ("fittingCases", "deviatingCases", "precision"):
        assert found[key] == other[key]
    assert found["fitness"]["ofLog"] == other["fitness"]["ofLog"]
    cost = [sum(row["occurrences"] for row in one["deviations"]) for one in (found, other)]
    assert cost[0] == cost[1]


def test_without_a_model_one_is_discovered(prepared, tmp_path):
    """By heuristics, and given out, so that it can be looked at, corrected and uploaded."""
    here = _checked(prepared, tmp_path, last="Report Generation")
    found = here.results["conformance"]
    assert (found["model"]["source"], found["model"]["algorithm"]) == ("discovered", "heuristics")
    assert 0.9 < found["fitness"]["ofLog"] < 1
    assert "discovered from it" in here.page
    assert not [item for item in here.advice if item["category"] == "Compliance"]
    again = _checked(prepared, tmp_path / "again", here.finished["Report Generation"].folder / "model.pnml")
    for key in ("fitness", "precision", "fittingCases", "deviations"):
        assert again.results["conformance"][key] == found[key]


def test_a_run_may_choose_how_the_model_is_discovered(prepared, tmp_path):
    """Every case fits the directly-follows graph."""
    here = _checked(prepared, tmp_path, algorithm="dfg")
    found = here.results["conformance"]
    assert found["model"]["algorithm"] == found["model"]["requested"] == "dfg"
    assert (found["fittingCases"], found["deviations"]) == (found["cases"], [])
    assert "a model discovered with the directly-follows graph" in str(here.phases["Analysis"].logged)


def test_page_tables_and_models_are_given_out(checked):
    """The page names the model and the worst cases; tables are whole, whatever the page shows."""
    published = {file.path.name: file for file in checked.phases["Report Generation"].artifacts}
    assert {"analysis.html", "deviating-cases.csv", "deviations.csv", "model.pnml", "model.bpmn"} <= published.keys()
    assert published["model.bpmn"].type == "Model"
    worst = checked.results["conformance"]["leastFitting"][0]
    assert "<h2>Conformance</h2>" in checked.page
    assert "the uploaded model <b" in checked.page
    assert worst["caseId"] in checked.page
    drawing = published["conformance-model.svg"].path.read_text("utf-8")
    assert "Manager Approval" in drawing
    assert "skipped" in drawing


def test_deviations_from_a_drawn_model_are_recommended_to_be_looked_into(checked):
    """With the cases that show them; a discovered model is no rule, so nothing follows from it."""
    first = checked.results["conformance"]["deviations"][0]
    advice = [item for item in checked.advice if item["category"] == "Compliance"]
    assert f"'{first['activity']}'" in advice[0]["recommendation"]
    assert f"{first['cases']} of 700 cases" in advice[0]["evidence"]


def test_it_can_be_cancelled_at_any_point(checked, loans, prepared, tmp_path):
    """Between variants and inside them."""
    given: dict[str, Any] = {"analysisType": "conformance", "modelResourceId": str(loans[0] / "loans.pnml")}
    whole = checked.phases["Analysis"]
    assert whole.checks > 80
    for place in (whole.checks // 2, whole.checks - 5):
        stopped = phase(tmp_path / str(place), loans[0] / "loans.csv", "Analysis", prepared, **given)
        stopped.cancel_after = place
        with pytest.raises(Cancelled):
            stopped.run(analyse)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (None, "is no whole XML"),
        (net_of("s > A > m", "m > B > s", "n > C > e"), "can never be completed"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_with_its_field(prepared, tmp_path, net, said):
    """Bytes that are no model, and a net that never ends."""
    path = tmp_path / "model"
    path.write_bytes(b"no model at all") if net is None else write_pnml(net, path)
    with pytest.raises(BadInput, match=said) as caught:
        _checked(prepared, tmp_path / "run", path)
    assert caught.value.details["field"] == "parameters.modelResourceId"
