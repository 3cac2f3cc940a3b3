"""Learning from the generated loan log, in which the unusual cases are known."""

import hashlib
import json
import pickle
import zipfile

import numpy as np
import polars as pl
import pytest
from lodestream_server.workloads.learning.phase import learn
from lodestream_server.workloads.mining.discovery import discover
from lodestream_server.workloads.mining.loading import load
from lodestream_server.workloads.phase import DatasetFile, Finished
from lodestream_server.workloads.rehearsal import Rehearsal
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]  # ships no types

from lodestream.samples.loan_applications import write_log


@pytest.fixture(scope="module")
def loans(tmp_path_factory):
    """The truth about a loan log, and a way to learn from it."""
    folder = tmp_path_factory.mktemp("loans")
    truth = write_log(folder / "loans.csv", cases=2_000)
    dataset = DatasetFile("d-1", "loans.csv", folder / "loans.csv", "csv", 0)
    finished: dict[str, Finished] = {}
    for name, function in (("Data Loading", load), ("Process Discovery", discover)):
        finished[name] = Rehearsal(folder / name, dataset, name=name, earlier=finished).run(function)

    def again(name):
        phase = Rehearsal(folder / name, dataset, name="Machine Learning Analysis", earlier=finished, run_name="Loans")
        return phase.run(learn).results, phase

    return truth, again("learned"), again


def test_injected_anomalies_are_ranked_above_the_rest(loans):
    """ROC AUC of 0.9 or more over all cases, dirt included; nearly all are named, most of them not as Low."""
    truth, (results, phase), _ = loans
    scores = pl.read_parquet(phase.out / "scores.parquet")
    unusual = set(truth.anomalous_cases)
    assert scores.height == truth.cases
    assert roc_auc_score([case in unusual for case in scores["case_id"]], scores["score"]) >= 0.9
    table = pl.read_csv(phase.out / "anomalies.csv")
    assert len(unusual & set(table["case_id"])) >= 0.8 * len(unusual)
    assert table.height == results["anomaliesDetected"] == results["anomalies"]["detected"]
    assert table["score"].to_list() == sorted(table["score"], reverse=True)
    assert table["reason_1"].null_count() == 0


def test_a_skipped_check_is_named_as_the_reason(loans):
    """Every case from which the credit check was taken away says so."""
    truth, (_, phase), _ = loans
    table = pl.read_csv(phase.out / "anomalies.csv")
    texts = table.select("case_id", pl.concat_str("reason_1", "reason_2", "reason_3", ignore_nulls=True)).rows()
    said = {case for case, text in texts if "'Credit Check'" in text and "missing" in text}
    assert set(truth.anomalies["skipped_credit_check"]) <= said


def test_learning_twice_gives_the_same_bytes(loans):
    """Fixed seeds, fixed order."""
    _, (results, phase), again = loans
    repeated, other = again("repeated")
    assert repeated == results
    assert (other.out / "anomalies.csv").read_bytes() == (phase.out / "anomalies.csv").read_bytes()


def test_what_serves_is_never_worse_than_a_baseline(loans):
    """Errors and accuracies of both are in the results, over later cases."""
    _, (results, _), _ = loans
    times, paths = (results["predictions"][kind] for kind in ("cycleTimePrediction", "pathPrediction"))
    baselines = [row["meanAbsoluteErrorSeconds"] for row in times["baselines"].values()]
    assert times["meanAbsoluteErrorSeconds"] == min(*baselines, times["model"]["meanAbsoluteErrorSeconds"])
    assert paths["accuracy"] == max(paths["baseline"]["accuracy"], paths["model"]["accuracy"]) > 0.8
    assert 0 <= times["accuracy"] <= 1


def test_the_models_can_be_checked_and_used(loans):
    """The sums of the manifest are right, and each model takes the columns that it names."""
    _, (results, phase), _ = loans
    with zipfile.ZipFile(phase.out / "models.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        files = {name: archive.read(name) for name in archive.namelist() if name.endswith(".pkl")}
    assert files.keys() == manifest["files"].keys() == {"anomalies.pkl", "next_activity.pkl", "remaining_time.pkl"}
    assert len(files) == results["modelsGenerated"]
    assert "runs code" in manifest["warning"]
    for name, data in files.items():
        assert hashlib.sha256(data).hexdigest() == manifest["files"][name]["sha256"]
        content = pickle.loads(data)  # noqa: S301 written by this very test
        assert content.get("table") or len(content["model"].predict(np.zeros((2, len(content["columns"]))))) == 2


def test_the_phase_says_what_it_does(loans):
    """Progress in cases, models trained of models to train, training by rounds."""
    truth, (_, phase), _ = loans
    assert (phase.done, phase.total) == (4 * truth.cases, 4 * truth.cases)
    assert (phase.figures["modelsTraining"], phase.figures["modelsCompleted"]) == (3, 3)
    activities = {activity for _, _, activity in phase.progressed}
    assert "Training the remaining time model: 40 of 40 rounds" in activities
    assert "Training the anomaly detection model: 150 of 150 trees" in activities
