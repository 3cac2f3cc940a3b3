"""What an analysis may be asked for, before any log is read: words, filters, pairs; and the two tests it uses."""

import polars as pl
import pytest
from lodestream_server.workloads.analysis.checked import check
from lodestream_server.workloads.analysis.filters import filters_of
from lodestream_server.workloads.analysis.selecting import bound
from lodestream_server.workloads.analysis.statistics import mann_whitney, shares_differ
from lodestream_server.workloads.analysis.wishes import against, looks_of, metrics_of, pairs_of
from lodestream_server.workloads.declared.analysis import JOB
from lodestream_server.workloads.parameters import violations
from lodestream_server.workloads.phase import BadInput

ROWS = pl.DataFrame(
    {
        "case_id": ["1", "1", "2", "2", "3"],
        "activity": ["A", "B", "A", "C", "B"],
        "region": ["North", "North", "South", "South", None],
        "amount": [10, 10, 20, 20, 30],
    }
)


def kept(**wish):
    """The cases and the number of rows that a filter leaves."""
    rows = ROWS.filter(bound(filters_of([wish]), ROWS.schema, {"caseIdColumn": "Case No"}))
    return "".join(rows["case_id"].unique().sort()), rows.height


@pytest.mark.parametrize(
    ("wish", "left"),
    [
        ({"column": "region", "value": "North"}, ("1", 2)),
        ({"column": "region", "operator": "not_equals", "value": "North"}, ("23", 3)),
        ({"column": "region", "operator": "in", "value": ["North", "South"]}, ("12", 4)),
        ({"column": "region", "operator": "is_empty"}, ("3", 1)),
        ({"column": "amount", "operator": "between", "value": [10, 20]}, ("12", 4)),
        ({"column": "amount", "operator": "greater", "value": 10}, ("23", 3)),
        ({"column": "activity", "value": "B"}, ("13", 3)),
        ({"column": "activity", "operator": "not_equals", "value": "B"}, ("2", 2)),
        ({"column": "activity", "value": "B", "keep": "events"}, ("13", 2)),
        ({"column": "activity", "operator": "not_in", "value": ["A"], "keep": "events"}, ("123", 3)),
        ({"column": "activity", "operator": "matches", "value": "^[BC]$"}, ("123", 5)),
        ({"column": "Case No", "operator": "in", "value": ["2"]}, ("2", 2)),
    ],
)
def test_a_filter_keeps_whole_cases_or_events(wish, left):
    """A case stays when one event fits; an operator that denies needs all of them to."""
    assert kept(**wish) == left


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"column": "Region", "value": "North"}, r'filters\[0\].column "Region" .*did you mean "region"'),
        ({"column": "amount", "value": "much"}, r"filters\[0\].value must be a number"),
        ({"column": "region", "operator": "in", "value": "North"}, "must be a list of values"),
        ({"column": "region", "operator": "matches", "value": "("}, "is no regular expression"),
        ({"column": "region", "operator": "is_empty", "value": 1}, "must be no value"),
        ({"column": "amount", "operator": "between", "value": [1]}, "must be a list of two values"),
    ],
)
def test_a_filter_that_cannot_be_used_says_what_is_wrong(wish, said):
    """Field, fault, fix."""
    with pytest.raises(BadInput, match=said):
        kept(**wish)


@pytest.mark.parametrize(
    ("given", "field", "fault"),
    [
        ({"analysisType": "everything"}, "parameters.analysisType", "must be one of comprehensive, performance"),
        ({"performanceMetrics": ["speed"]}, "parameters.performanceMetrics", "must hold only cycle_time, waiting_time"),
        ({"filters": [{"operator": "in"}]}, "parameters.filters[0].column", "is required"),
        ({"filters": [{"column": "a", "operator": "is"}]}, "parameters.filters[0].operator", "must be one of equals"),
        ({"filters": {"region": "North"}}, "parameters.filters", "must be a list of objects, not an object"),
        (
            {"compareWith": {"filters": [{"column": "a", "keep": "all"}]}},
            "parameters.compareWith.filters[0].keep",
            "must be one of cases, events",
        ),
    ],
)
def test_wrong_words_are_refused_at_submission(given, field, fault):
    """Not an hour later, in a worker."""
    (violation,) = violations(JOB.parameters, {"datasetId": "d", **given})
    assert violation.field == field
    assert fault in violation.description


def test_what_no_word_says_is_refused_at_submission_too():
    """Values of filters, spans and pairs; and nothing is said twice while words are wrong."""
    window = {"startDate": "2024-02-01", "endDate": "2024-01-01"}
    given = {
        "datasetId": "d",
        "analysisType": "comparison",
        "filters": [{"column": "a", "operator": "in", "value": 3}],
        "compareWith": {"timeWindow": window},
        "segregationOfDuties": [["A"]],
    }
    fields = ["filters[0].value", "compareWith.timeWindow.endDate", "segregationOfDuties[0]"]
    assert [one.field for one in check(given)] == [f"parameters.{field}" for field in fields]
    assert check(given | {"compareWith": "February"}) == []
    assert check({"datasetId": "d"}) == []


def test_a_comprehensive_analysis_looks_at_all_that_applies():
    """Conformance needs a model, comparison something to compare with."""
    assert looks_of({}) == ("performance", "bottleneck", "variants", "resources")
    more = {"modelResourceId": "m", "compareWith": {"filters": [{"column": "a", "value": 1}]}}
    assert looks_of(more)[4:] == ("conformance", "comparison")
    assert metrics_of({"performanceMetrics": ["waiting_time"]}) == ("waiting_time",)


def test_a_comparison_without_a_wish_is_one_of_halves():
    """And any other type compares nothing."""
    halves = [against({"analysisType": "comparison", "compareWith": wish}) for wish in ({}, {"datasetId": "e"})]
    assert [other.halves for other in halves if other] == [True, False]
    assert against({"analysisType": "variants", "compareWith": {"datasetId": "e"}}) is None


@pytest.mark.parametrize("given", ["A", [], ["A", "B"], [["A"]], [["A", "A"]], [["A", 1]]])
def test_pairs_that_are_none_are_refused(given):
    """They are two different activities each."""
    with pytest.raises(BadInput, match="segregationOfDuties"):
        pairs_of({"segregationOfDuties": given})


def test_mann_whitney_agrees_with_a_value_worked_out_by_hand():
    """Ranks 1 to 10 with the first sample on 1, 2, 3, 4, 7: U = 2, and a tie moves it by a half."""
    first, second = pl.Series([1, 2, 3, 4, 7]), pl.Series([5, 6, 8, 9, 10])
    shift = mann_whitney(first, second)
    assert shift is not None
    assert (shift.u, shift.probability) == (2, 0.08)
    # z = (|2 - 12.5| - 0.5) / sqrt(25 * 11 / 12) = 2.0889; two-sided p = 0.0367
    assert shift.p_value == pytest.approx(0.0367, abs=5e-5)
    tied = mann_whitney(pl.Series([1, 2]), pl.Series([2, 3]))
    assert tied is not None
    assert tied.u == 0.5


def test_tests_say_nothing_where_there_is_nothing_to_say():
    """Empty samples, equal values, shares of nothing."""
    assert mann_whitney(pl.Series([], dtype=pl.Int64), pl.Series([1])) is None
    same = mann_whitney(pl.Series([1, 1]), pl.Series([1, 1]))
    assert same is not None
    assert (same.probability, same.p_value) == (0.5, None)
    assert shares_differ(0, 10, 0, 10) is None
    assert shares_differ(1, 0, 1, 10) is None
    # pooled 0.5, z = 0.2 / sqrt(0.25 * 0.02) = 2.8284
    assert shares_differ(60, 100, 40, 100) == pytest.approx(0.004678, abs=1e-6)
