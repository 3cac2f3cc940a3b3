"""Types of attribute columns, the quality score, the time window: small rules with large effects."""

from datetime import UTC, datetime

import polars as pl
import pytest
from lodestream_server.workloads.mining.kinds import Kinds, converted
from lodestream_server.workloads.mining.partition import EVENTS_PER_BUCKET, FEWEST, MOST, bucket_count
from lodestream_server.workloads.mining.quality import score
from lodestream_server.workloads.mining.time_window import time_window
from lodestream_server.workloads.phase import BadInput


def kind_of(*batches: list[str | None]) -> str:
    """The type of a column whose values come in these batches."""
    kinds = Kinds()
    for batch in batches:
        kinds.see("column", pl.Series(batch, dtype=pl.String))
    return kinds.of("column").type


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", "0", None], "integer"),
        (["1", "2.5"], "number"),
        (["1e3", "2"], "number"),
        (["true", "FALSE"], "boolean"),
        (["2024-01-31T00:00:00+01:00", None], "timestamp"),
        (["007", "1"], "string"),
        (["+49", "1"], "string"),
        (["12345678901234567890"], "string"),
        (["1234567890123456.5"], "string"),
        (["NaN", "1.5"], "string"),
        (["inf"], "string"),
        (["1,5"], "string"),
        (["NA", "1"], "string"),
        ([None, None], "string"),
    ],
)
def test_a_column_has_a_type_when_all_its_values_have_it(values, expected):
    """And stays text when converting would lose a zero, a digit or a word."""
    assert kind_of(values) == expected


def test_a_later_batch_can_widen_the_type_but_never_lose_a_value():
    """What looked like integers turns out to be numbers, then words."""
    assert kind_of(["1"], ["2.5"]) == "number"
    assert kind_of(["1"], ["2.5"], ["n/a"]) == "string"
    assert kind_of([None], ["3"]) == "integer"
    assert kind_of(["true"], ["maybe"]) == "string"


def test_a_declared_type_is_believed_until_a_value_contradicts_it():
    """XES says that amounts are strings or integers; a string of digits stays one."""
    kinds = Kinds(declared={"code": "string", "amount": "integer"})
    kinds.see("code", pl.Series(["12"]))
    kinds.see("amount", pl.Series(["12"]))
    assert (kinds.of("code").type, kinds.of("amount").type) == ("string", "integer")
    kinds.see("amount", pl.Series(["a dozen"]))
    assert kinds.of("amount").type == "string"


def test_converting_keeps_every_value():
    """Null stays null, the rest changes its type alone."""
    kinds = Kinds()
    column = pl.Series("column", ["1", None, "3"])
    kinds.see("column", column)
    values = converted(column, kinds.of("column"))
    assert values is not None
    assert values.to_list() == [1, None, 3]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((1_000, 0, 0, 0), 100.0),
        ((1_000, 10, 0, 0), 99.0),
        ((1_000, 0, 10, 10), 99.0),
        ((187_250, 2, 0, 0), 99.9),
        ((10, 10, 0, 0), 0.0),
        ((0, 0, 0, 0), 0.0),
    ],
)
def test_the_quality_score_follows_its_formula_and_is_never_rounded_up(counts, expected):
    """100 means spotless: two lost records in 187,250 make 99.9."""
    assert score(*counts)["score"] == expected


def test_the_time_window_includes_both_ends_and_the_whole_last_day():
    """Plain dates are days in UTC."""
    window = time_window({"timeWindow": {"startDate": "2024-01-02", "endDate": "2024-01-03"}})
    instants = [datetime(2024, 1, day, hour, tzinfo=UTC) for day in (1, 2, 3, 4) for hour in (0, 23)]
    kept = pl.DataFrame({"at": instants}).filter(window.holds("at"))["at"].to_list()
    assert kept == instants[2:6]


def test_the_time_window_takes_instants_with_offsets_and_open_ends():
    """An end with a time of day is that instant."""
    window = time_window({"timeWindow": {"endDate": "2024-01-02T02:00:00+02:00"}})
    assert (window.start, window.end) == (None, datetime(2024, 1, 2, tzinfo=UTC))
    assert not time_window({"timeWindow": {"startDate": None}})
    assert not time_window({})


@pytest.mark.parametrize(
    "given", ["January", {"startDate": "yesterday"}, {"startDate": "2024-02-01", "endDate": "2024-01-01"}]
)
def test_a_time_window_that_makes_no_sense_is_refused(given):
    """The message names the field."""
    with pytest.raises(BadInput, match=r"parameters\.timeWindow"):
        time_window({"timeWindow": given})


def test_the_number_of_buckets_follows_from_events_and_bytes():
    """At least eight, about half a million events each, smaller when rows are wide, and not without end."""
    assert bucket_count(1, 100) == FEWEST
    assert bucket_count(20 * EVENTS_PER_BUCKET, 1_000) == 20
    assert bucket_count(1_000, 640 << 20) == 10
    assert bucket_count(10**12, 10**15) == MOST
