"""Learning on small logs: what is known when, who learns from whom, which patterns recur, and why a case is unusual."""

import random

import polars as pl
import pytest
from lodestream_server.workloads.learning.completions import completions, opened
from lodestream_server.workloads.learning.meter import Meter
from lodestream_server.workloads.learning.patterns import patterns
from lodestream_server.workloads.learning.phase import learn
from lodestream_server.workloads.learning.prefixes import prefixes
from lodestream_server.workloads.learning.splitting import Split, judges, split, trains
from lodestream_server.workloads.learning.usual import usual
from lodestream_server.workloads.learning.wishes import BALANCED, EFFORTS, wishes
from lodestream_server.workloads.phase import Cancelled

from tests.unit.mining_world import events, world

NAME = "Machine Learning Analysis"
HOUR = 60
QUICK = {"parameters": {"algorithmSettings": {"performanceOptimization": "high_throughput"}}}


def orders(cases: int, seed: int = 1) -> dict[str, list[tuple]]:
    """Orders, one every three hours. What follows `pack` depends on how the case began: only its memory tells."""
    dice = random.Random(seed)
    found = {}
    for number in range(cases):
        at = number * 3 * HOUR
        door = dice.choice(["web", "shop"])
        last = "send" if door == "web" else "hand over"
        steps = [(door, at), ("pack", at + 20 + dice.random() * 10), (last, at + (60 if door == "web" else 600))]
        found[f"order {number:04d}"] = steps
    return found


def learned(tmp_path, cases, **options):
    """A discovered log, and a fresh learning phase after it."""
    mined = world(tmp_path, events(cases))
    mined.discover()
    return mined.phase(NAME, **options)


def all_prefixes(phase):
    """The prefixes of every case: all are learned from."""
    log = opened(phase)
    meter = Meter(phase, log, 2)
    return prefixes(meter, log, usual(meter, log), Split(1 << 60, 0, 0, 0, 0, 1, 1))[0]


def test_a_prefix_knows_nothing_of_what_comes_after(tmp_path):
    """Cases cut off after two activities have the figures that the whole cases have there; only the outcome differs."""
    whole = orders(30)
    cut = {case: steps[:2] for case, steps in whole.items()} | {"order 0000": whole["order 0000"]}
    (tmp_path / "whole").mkdir(), (tmp_path / "cut").mkdir()
    outcome = ["remaining", "next", "activity", "before", "beforeThat"]  # activities are numbered by frequency
    known = [
        all_prefixes(learned(tmp_path / name, cases)).filter(pl.col("position") <= 2).drop(outcome)
        for name, cases in (("whole", whole), ("cut", cut))
    ]
    assert known[0].height == 60
    assert known[0].equals(known[1])


def test_a_prefix_counts_as_one_would_by_hand(tmp_path):
    """Seconds, repetitions and what came next."""
    rows = all_prefixes(learned(tmp_path, {"c": [("a", 0), ("b", 2), ("a", 5)]}))
    assert rows["elapsed"].to_list() == [0, 120, 300]
    assert rows["sincePrevious"].to_list() == [0, 120, 180]
    assert rows["remaining"].to_list() == [300, 180, 0]
    assert (rows["distinct"].to_list(), rows["repeated"].to_list()) == ([1, 2, 2], [0, 0, 1])
    assert (rows["activity"].to_list(), rows["next"].to_list()) == ([0, 1, 0], [1, 0, -1])
    assert rows["before"].to_list() == [-1, 0, 1]
    assert (rows["weekday"].unique().to_list(), rows["hour"].unique().to_list()) == ([1], [8])


def test_nobody_learns_from_a_case_that_reaches_into_the_judged_time():
    """Cases that overlap the split are on neither side."""
    spans = pl.DataFrame(
        {"start": range(0, 1000, 10), "end": [at + 35 for at in range(0, 1000, 10)], "events": [3] * 100}
    )
    found = split(spans, BALANCED)
    learning, judging = spans.filter(trains(found.instant)), spans.filter(judges(found.instant))
    assert max(learning["end"].to_list()) < found.instant <= min(judging["start"].to_list())
    assert (found.train_cases, found.test_cases, found.overlapping) == (learning.height, judging.height, 3)
    assert found.train_cases + found.test_cases + found.overlapping == 100


def test_the_model_serves_where_memory_helps_and_the_baseline_where_it_does_not(tmp_path):
    """After `pack` the first activity decides; without boosting only the most frequent follower is left."""
    found = learned(tmp_path, orders(300), **QUICK).run(learn).results["predictions"]["pathPrediction"]
    assert found["served"] == "model"
    assert found["model"]["accuracy"] == found["accuracy"] == 1.0
    assert found["baseline"]["accuracy"] < 0.95
    assert found["skill"] == 1.0


def test_a_coin_cannot_be_predicted_and_the_results_say_so(tmp_path):
    """What follows is drawn: a model that learned the noise does not serve."""
    dice = random.Random(5)
    drawn = {
        f"c{n:03d}": [("begin", n * 30), *((dice.choice("xyz"), n * 30 + 2 * k + 2) for k in range(4))]
        for n in range(150)
    }
    found = learned(tmp_path, drawn, **QUICK).run(learn).results["predictions"]["pathPrediction"]
    assert found["accuracy"] == max(found["baseline"]["accuracy"], found["model"]["accuracy"])
    assert found["served"] == ("model" if found["skill"] > 0 else "baseline")
    assert found["accuracy"] < 0.65


def test_the_settings_of_the_documentation_do_what_they_say(tmp_path):
    """No boosting, no anomalies, less effort: and neither file nor figure of what was not wanted."""
    settings = {"useAdvancedML": False, "enableAnomalyDetection": False, "performanceOptimization": "high_throughput"}
    phase = learned(tmp_path, orders(120), parameters={"algorithmSettings": settings})
    results = phase.run(learn).results
    assert not {"anomalies", "anomaliesDetected"} & results.keys()
    assert results["predictions"]["effort"] == "high_throughput"
    assert {results["predictions"][kind]["served"] for kind in ("cycleTimePrediction", "pathPrediction")} == {
        "baseline"
    }
    assert "model" not in results["predictions"]["pathPrediction"]
    assert [artifact.path.name for artifact in phase.artifacts] == ["models.zip"]


def test_wishes_read_the_documented_words():
    """Absent means on; either switch turns anomalies off."""
    assert (wishes({}).anomalies, wishes({}).boosting, wishes({}).effort) == (True, True, BALANCED)
    assert not wishes({"includeAnomalyDetection": False}).anomalies
    assert (
        wishes({"algorithmSettings": {"performanceOptimization": "high_accuracy"}}).effort == EFFORTS["high_accuracy"]
    )


def test_a_log_of_few_cases_gets_reasons_instead_of_figures(tmp_path):
    """Nothing is invented for six cases."""
    phase = learned(tmp_path, orders(6))
    results = phase.run(learn).results
    assert "6 cases are too few" in results["anomalies"]["notComputed"]
    assert "50 and 20 are needed" in results["predictions"]["notComputed"]
    assert results["modelsGenerated"] == 0
    assert "anomaliesDetected" not in results
    assert phase.artifacts == []
    assert (phase.done, len(phase.warnings)) == (phase.total, 2)


def test_a_case_that_skips_and_stalls_leads_with_its_reasons(tmp_path):
    """Measured against usual, in words."""
    cases = orders(200)
    (door, at), _, (last, _) = cases["order 0100"]
    cases["order 0100"] = [(door, at), (last, at + 20 * 24 * HOUR)]
    top = learned(tmp_path, cases, **QUICK).run(learn).results["anomalies"]["top"][0]
    assert top["caseId"] == "order 0100"
    assert any(reason.startswith("'pack' is missing; 99.5 % of cases have it") for reason in top["reasons"])
    assert any("took 20 days; the usual case takes" in reason for reason in top["reasons"])


def test_starts_of_work_are_not_predicted(tmp_path):
    """In a log of starts and completes, only completed work counts."""
    steps = [
        ("a", 0, {"lifecycle": "start"}),
        ("a", 1, {"lifecycle": "complete"}),
        ("b", 2, {"lifecycle": "start"}),
        ("b", 4, {"lifecycle": "complete"}),
    ]
    log = opened(learned(tmp_path, {"c": steps, "begun": [("a", 9, {"lifecycle": "start"})]}))
    rows = pl.concat([completions(log, bucket).select("case", "at", "gap") for bucket in log.log.buckets])
    assert sorted(rows["gap"].to_list(), key=str) == [180_000_000, None, None]


def test_patterns_are_counted_in_cases():
    """A run counts once per case, and not when a longer one has the same cases."""
    variants = pl.DataFrame(
        {
            "variant": [1, 2, 3],
            "cases": [900, 99, 1],
            "share": [0.9, 0.099, 0.001],
            "meanCycleSeconds": [10.0, 1_000.0, 10.0],
            "activities": [["a", "b", "c"], ["a", "b", "a", "b"], ["c", "a"]],
        }
    )
    activities = pl.DataFrame({"activity": ["a", "b", "c"], "cases": [1_000, 999, 901]})
    found = patterns(variants, activities, lambda: None)
    assert [(row["activities"], row["cases"]) for row in found["frequent"]] == [
        (["a", "b"], 999),
        (["a", "b", "c"], 900),
    ]
    assert [(row["activities"], row["cases"]) for row in found["rare"]] == [(["c", "a"], 1)]
    assert [row["variant"] for row in found["critical"]] == [2]
    assert (found["frequentPatterns"], found["rarePatterns"], found["criticalPaths"]) == (2, 1, 1)


@pytest.mark.parametrize("after", [0, 10, 40, 60])
def test_learning_can_be_stopped_anywhere(tmp_path, after):
    """While counting, training, scoring."""
    with pytest.raises(Cancelled):
        learned(tmp_path, orders(120), cancel_after=after).run(learn)
