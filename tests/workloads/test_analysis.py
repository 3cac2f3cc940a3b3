"""Analysis against logs whose truth is known: the loan log with its bottleneck, a log that becomes slower, duties that
two cases break."""

import json
from typing import Any

import polars as pl
import pytest
from lodestream_server.workloads.phase import BadInput, Cancelled

from lodestream.samples.loan_applications import BOTTLENECK, write_log
from tests.workloads.analysis_world import PHASES, analysed, duties, phase, slower_after

SLOWDOWN: dict[str, Any] = {
    "analysisType": "comparison",
    "timeWindow": {"startDate": "2024-02-10"},
    "compareWith": {"name": "January", "timeWindow": {"endDate": "2024-01-31"}},
}
TWO_PERIODS: dict[str, Any] = {
    "timeWindow": {"startDate": "2024-02-10", "endDate": "2024-02-11"},
    "compareWith": {"timeWindow": {"startDate": "2024-01-02", "endDate": "2024-01-03"}},
}


@pytest.fixture(scope="module")
def loans(tmp_path_factory):
    """The loan log and its truth."""
    path = tmp_path_factory.mktemp("loans") / "loans.csv"
    return path, write_log(path, 700)


@pytest.fixture(scope="module")
def whole(loans, tmp_path_factory):
    """Everything that can be said about it."""
    return analysed(tmp_path_factory.mktemp("whole"), loans[0])


@pytest.fixture(scope="module")
def slower(tmp_path_factory):
    """A log whose cases take longer from day 40 of 60 on."""
    return slower_after(tmp_path_factory.mktemp("slower") / "log.csv")


@pytest.fixture(scope="module")
def slowdown(slower, tmp_path_factory):
    """Its later period against the earlier one."""
    return analysed(tmp_path_factory.mktemp("slowdown"), slower, **SLOWDOWN)


@pytest.fixture(scope="module")
def two_periods(slower, tmp_path_factory):
    """Everything that can be said about two of its days, compared with two others."""
    return analysed(tmp_path_factory.mktemp("periods"), slower, **TWO_PERIODS)


def test_the_injected_bottleneck_is_the_first_recommendation(whole):
    """And it stands at the top of the ranking, with its own drawings and tables."""
    assert BOTTLENECK in whole.advice[0]["recommendation"]
    found = whole.results["bottleneck"]
    assert found["ranking"][0]["activity"] == found["closely"][0]["activity"] == BOTTLENECK
    waits = found["ranking"][0]["occurrences"]
    assert sum(row["waits"] for row in found["closely"][0]["byWeekday"]) == waits
    assert sum(row["begun"] for row in found["closely"][0]["overTime"]) == waits
    assert {row["value"] for row in found["closely"][0]["byResource"]} == {"Petra", "Quentin"}


def test_counts_are_those_of_the_generator(whole, loans):
    """Cases, events, variants, resources; nothing is lost between the looks."""
    truth, results = loans[1], whole.results
    assert (results["cases"], results["events"]) == (truth.cases, truth.events)
    assert results["variants"]["variants"] == truth.variants
    assert results["variants"]["cases"] == truth.cases
    assert sum(row["cases"] for row in results["performance"]["cycleTime"]["overTime"]["rows"]) == truth.cases
    csv = pl.read_csv(whole.finished["Report Generation"].folder / "activities-by-resource.csv")
    assert csv["instances"].sum() == truth.events
    checks = {row["finding"]: row["count"] for row in whole.finished["Data Preparation"].results["qualityChecks"]}
    assert checks["Identical records"] == truth.duplicates
    assert checks["Timestamps missing or unreadable"] == truth.missing_timestamps + truth.unparsable_timestamps


def test_the_page_shows_every_look_and_runs_nothing(whole):
    """One file without scripts or requests; the drawings stand in it."""
    for heading in ("Performance", "Bottlenecks", "Variants", "Resources", "Segregation of duties", "Data quality"):
        assert f"<h2>{heading}</h2>" in whole.page
    assert "<script" not in whole.page
    assert 'src="http' not in whole.page
    assert whole.page.count("<figure>") >= 8


@pytest.mark.parametrize("kind", ["performance", "bottleneck", "variants", "resources"])
def test_a_type_says_what_it_is_for_and_no_more(loans, tmp_path, kind):
    """One object of results; figures as in the comprehensive analysis."""
    results = analysed(tmp_path, loans[0], last="Analysis", analysisType=kind).results
    looks = {"performance", "bottleneck", "variants", "resources", "comparison"}
    assert looks & results.keys() == {kind}


def test_metrics_choose_what_is_given(loans, tmp_path):
    """Only waiting times: no cycle times, no resources."""
    given: dict[str, Any] = {"analysisType": "performance", "performanceMetrics": ["waiting_time"]}
    found = analysed(tmp_path, loans[0], last="Analysis", **given).results["performance"]
    assert "waitingTime" in found
    assert not {"cycleTime", "resourceUtilization"} & found.keys()


def test_a_comparison_finds_the_injected_slowdown(slowdown):
    """The later period against the earlier one: cases take longer, and the change is before Check."""
    found = slowdown.results["comparison"]
    assert (found["reference"]["name"], found["reference"]["cases"]) == ("January", 31 * 24)
    assert found["cycleTimeTest"]["verdict"] == "longer"
    first, second = found["activities"][:2]
    assert first["activity"] == "Check"
    assert first["changeSecondsPerCase"] == pytest.approx(8 * 3600, rel=0.01)
    assert (first["pValue"], first["probabilitySubjectLonger"]) == (pytest.approx(0, abs=1e-9), 1.0)
    assert second["changeSecondsPerCase"] == 0
    assert "'Check'" in slowdown.advice[0]["recommendation"]
    assert slowdown.advice[0]["priority"] == "High"
    assert "Every step is taken equally often in both" in slowdown.page


def test_two_periods_without_a_slowdown_do_not_differ(tmp_path):
    """A test that always finds something is none."""
    log = slower_after(tmp_path / "log.csv", since=60)
    here = analysed(tmp_path, log, analysisType="comparison")
    found = here.results["comparison"]
    assert found["subject"]["cases"] == found["reference"]["cases"] == 720
    assert found["cycleTimeTest"]["verdict"] == "no significant difference"
    assert not [item for item in here.advice if item["category"] == "Change"]


def test_two_filters_and_two_datasets_can_be_compared(slower, tmp_path):
    """Names say which is which."""
    other = slower_after(tmp_path / "other.csv", since=0)
    by = [{"column": "region", "value": "North"}]
    wish = {"filters": [{"column": "region", "value": "South"}]}
    found = analysed(tmp_path / "1", slower, last="Analysis", analysisType="comparison", filters=by, compareWith=wish)
    compared = found.results["comparison"]
    assert [compared[side]["name"] for side in ("subject", "reference")] == [
        "Region equals North",
        "Region equals South",
    ]
    assert compared["cycleTimeTest"]["verdict"] == "no significant difference"
    there = analysed(
        tmp_path / "2",
        slower,
        other,
        last="Analysis",
        analysisType="comparison",
        compareWith={"datasetId": "other.csv"},
    )
    assert there.results["comparison"]["reference"]["name"] == "other.csv"
    assert there.results["comparison"]["cycleTimeTest"]["verdict"] == "shorter"


def test_filters_and_the_time_window_choose_what_is_looked_at(slower, tmp_path):
    """Half of the cases are of the north; what is left out is counted."""
    here = analysed(tmp_path, slower, analysisType="performance", filters=[{"column": "region", "value": "North"}])
    (side,) = here.results["selections"]
    assert (side["cases"], side["casesLeftOut"], side["name"]) == (720, 720, "Region equals North")
    assert here.results["cases"] == 720
    assert "Region equals North" in here.page


def test_a_comprehensive_analysis_may_compare_periods_too(two_periods):
    """Each period chooses whole cases by their begin, so the run's own does not cut the other."""
    results = two_periods.results
    assert [side["cases"] for side in results["selections"]] == [48, 48]
    assert results["comparison"]["activities"][0]["activity"] == "Check"


def test_without_a_comparison_what_the_window_leaves_out_is_not_even_loaded(slower, tmp_path):
    """Nobody needs it."""
    window = TWO_PERIODS["timeWindow"]
    alone = analysed(tmp_path, slower, last="Data Loading", timeWindow=window)
    assert alone.finished["Data Loading"].results["outsideTimeWindow"] > 0


def test_people_hand_over_and_break_duties_as_the_log_was_made(tmp_path):
    """78 of 80 cases change the person before Pay; in two one person did both, which chance would make 20 times."""
    here = analysed(tmp_path, duties(tmp_path / "log.csv"), analysisType="resources")
    found = here.results["resources"]
    assert (found["handover"]["handovers"], found["handover"]["steps"]) == (78, 160)
    assert found["handover"]["medianWaitingSecondsWithHandover"] == 1800
    pairs = {(pair["first"], pair["second"]): pair for pair in found["segregationOfDuties"]["pairs"]}
    pair = pairs["Approve", "Pay"]
    assert (pair["cases"], pair["casesOfOnePerson"]) == (80, 2)
    assert pair["expectedByChance"] == pytest.approx(20, abs=1)
    table = pl.read_csv(here.finished["Report Generation"].folder / "segregation-of-duties.csv")
    assert set(table.filter(pl.col("first") == "Approve")["caseId"]) == {"c7", "c30"}


def test_named_duties_are_watched_whatever_chance_says(tmp_path):
    """Every person who asks also approves: all cases break that rule."""
    log = duties(tmp_path / "log.csv")
    here = analysed(tmp_path, log, analysisType="resources", segregationOfDuties=[["Approve", "Ask"]])
    (pair,) = here.results["resources"]["segregationOfDuties"]["pairs"]
    assert (pair["first"], pair["second"], pair["casesOfOnePerson"]) == ("Approve", "Ask", 80)
    assert here.advice[0]["category"] == "Compliance"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"filters": [{"column": "regoin", "value": "x"}]}, 'did you mean "region"'),
        ({"filters": [{"column": "region", "value": "East"}]}, "leaves none of the"),
        ({"analysisType": "resources", "segregationOfDuties": [["Enter", "Chek"]]}, 'did you mean "Check"'),
        ({"analysisType": "comparison", "compareWith": {"timeWindow": {"startDate": "2030-01-01"}}}, "leaves none"),
        ({"analysisType": "comparison", "compareWith": {"filters": []}}, "selects the same cases"),
        ({"analysisType": "comparison", "compareWith": {"datasetId": "gone"}}, '"gone" is no dataset'),
    ],
)
def test_a_wish_that_cannot_be_met_is_named_with_the_fix(tmp_path, given, said):
    """Field, fault, fix."""
    with pytest.raises(BadInput, match=said):
        analysed(tmp_path, slower_after(tmp_path / "log.csv", days=10, since=5), last="Analysis", **given)


def test_a_log_without_resources_says_so(tmp_path):
    """Asked for alone it is a fault; among everything it is left out."""
    log = tmp_path / "log.csv"
    log.write_text(
        "case,activity,time\n" + "".join(f"{n},{a},2024-01-0{d}\n" for n in range(9) for a, d in ("A1", "B2"))
    )
    with pytest.raises(BadInput, match="names no resources"):
        analysed(tmp_path / "1", log, last="Analysis", analysisType="resources")
    assert "resources" not in analysed(tmp_path / "2", log).results["analyses"]


def test_an_analysis_stops_wherever_it_is_asked_to(slower, two_periods, tmp_path):
    """In every phase, at the first cancel point and at one in the middle."""
    for name, function in PHASES.items():
        for stop in (0, two_periods.phases[name].checks // 2):
            again = phase(tmp_path / f"{stop}", slower, name, two_periods, **TWO_PERIODS)
            again.cancel_after = stop
            with pytest.raises(Cancelled):
                again.run(function)


def test_a_phase_that_is_done_again_leaves_the_same_bytes(slower, slowdown, tmp_path):
    """So a resumed run equals a fresh one."""
    found, runs = [], [slowdown, analysed(tmp_path, slower, **SLOWDOWN)]
    for run in runs:
        files = sorted(path for done in run.phases.values() for path in done.out.rglob("*") if path.is_file())
        found.append({str(path.relative_to(run.folder)): path.read_bytes() for path in files})
    assert found[0].keys() == found[1].keys()
    assert [name for name, content in found[0].items() if found[1][name] != content] == []
    assert json.dumps(runs[0].results) == json.dumps(runs[1].results)
