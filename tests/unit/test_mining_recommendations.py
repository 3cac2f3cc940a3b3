"""Recommendations quote the rows they come from, bound what they could bring, and stay away without a reason."""

import polars as pl
from lodestream_server.workloads.mining.recommendations import recommend

from tests.unit.mining_world import event, events, world


def advice(loans, counts=None):
    """The recommendations for a world."""
    finished = loans.analyse()
    variants = pl.read_parquet(loans.earlier["Process Discovery"].folder / "variants.parquet")
    return recommend(finished.results, variants, counts or {})


def test_the_worst_bottleneck_comes_first_with_its_figures(tmp_path):
    """Approval waits 90 of 100 minutes: halving that is 45 minutes per case."""
    cases = {f"c{n}": [("Apply", 0), ("Check", 10), ("Approve", 100)] for n in range(4)}
    first = advice(world(tmp_path, events(cases)))[0]

    assert (first.category, first.priority) == ("Process Optimization", "High")
    assert first.recommendation == "Focus on reducing wait times before 'Approve', above all after 'Check'"
    assert (
        first.expected
        == "Halving this waiting would shorten the average case by up to 45 minutes (45.0 % of 1.7 hours)"
    )
    assert "90.0 % of all waiting: mean 1.5 hours, median 1.5 hours" in first.evidence
    assert "over 4 occurrences; 100.0 % of it after 'Check'" in first.evidence
    assert first.saving == 45 * 60


def test_rework_is_quoted_with_its_time(tmp_path):
    """B is done twice in each of four cases; half of the 40 repeated minutes is 5 per case."""
    cases = {f"c{n}": [("A", 0), ("B", 1), ("B", 11)] for n in range(4)}
    found = next(item for item in advice(world(tmp_path, events(cases))) if item.category == "Rework")

    assert "'B' is repeated 4 times in 4 of 4 cases, 4 times directly" in found.evidence
    assert found.expected.endswith("shorten the average case by up to 5 minutes (45.5 % of 11 minutes)")
    assert found.priority == "Medium"


def test_rare_variants_are_compared_with_the_others(tmp_path):
    """Two of six cases go ways of their own and take 60 instead of 30 minutes."""
    cases = {f"c{n}": [("A", 0), ("B", 30)] for n in range(4)}
    cases |= {"x": [("A", 0), ("X", 60)], "y": [("A", 0), ("Y", 60)]}
    found = next(item for item in advice(world(tmp_path, events(cases))) if item.category == "Process Standardization")

    assert found.evidence == (
        "2 of 3 variants occur once; together they are 33.3 % of all cases; "
        "their average cycle time is 1 hour, that of the other cases 30 minutes"
    )
    assert found.saving == 600


def test_data_quality_quotes_the_counts_of_loading(tmp_path):
    """Rejected and identical records are named with their numbers; removed duplicates are no issue any more."""
    loans = world(tmp_path, [event("c", "A", 5, start=0)])
    counts = {"total": 1000, "invalid": 60, "duplicates": 12, "duplicatesRemoved": 0}

    found = advice(loans, counts)
    assert [(item.priority, item.category) for item in found] == [("High", "Data Quality"), ("Low", "Data Quality")]
    assert found[0].evidence == "60 of 1,000 records were rejected while loading"
    assert "12 of 1,000 records are identical" in found[1].evidence
    assert advice(loans, {**counts, "invalid": 0, "duplicatesRemoved": 12}) == []


def test_a_log_of_instants_is_told_to_record_starts(tmp_path):
    """The least urgent advice: waiting cannot be told from work."""
    last = advice(world(tmp_path, [event("c", "A", 0), event("c", "B", 5)]))[-1]

    assert (last.priority, last.recommendation) == ("Low", "Record the start of activities as well")


def test_dependence_on_one_resource_is_mentioned(tmp_path):
    """Ann does most of the work of three."""
    rows = [event(f"c{n}", "A", n, resource="ann" if n < 8 else f"r{n}") for n in range(10)]
    found = [item for item in advice(world(tmp_path, rows)) if item.category == "Resource Allocation"]

    assert "'ann' did 80.0 % of the work of 3 resources: 8 activities in 8 cases on 1 days" in found[0].evidence


def test_nothing_to_say_about_a_log_without_time(tmp_path):
    """Zeros make no bottleneck and no saving."""
    found = advice(world(tmp_path, events({f"c{n}": [("A", 0), ("B", 0)] for n in range(3)})))

    assert [item.category for item in found] == ["Data Quality"]
