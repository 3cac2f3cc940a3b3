"""Own expressions: what they compute, and everything that they must not."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lodestream_server.workloads.enrichment import compiled
from lodestream_server.workloads.enrichment.syntax import FUNCTIONS, expressions_of
from lodestream_server.workloads.phase import BadInput

LOG = pl.DataFrame(
    {
        "case_id": ["1", "1", "2"],
        "activity": ["Ask", "Pay", "Ask"],
        "timestamp": [datetime(2024, 1, day, 22, 30, tzinfo=UTC) for day in (1, 2, 7)],
        "amount": [10, 40, None],
        "rate": [0.0, 0.5, 2.0],
        "due date": ["2024-02-01", "x", None],
        "open": [True, False, None],
    },
    schema_overrides={"timestamp": pl.Datetime("us", "UTC")},
)


def value(text, zone="UTC"):
    """The values of one expression over LOG."""
    return compiled.add(LOG, expressions_of({"expressions": {"x": text}}), zone)["x"].to_list()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("amount * 2 + 1", [21, 81, None]),
        ("-amount // 3 % 2", [0, 0, None]),
        ("amount / rate", [None, 80.0, None]),
        ("rate ** 2", [0.0, 0.25, 4.0]),
        ("10 < amount <= 40", [False, True, None]),
        ("activity == 'Pay' or amount > 5", [True, True, None]),
        ("not open and rate < 1", [False, True, False]),
        ("activity in ['Pay', 'Return']", [False, True, False]),
        ("amount not in [10, -1]", [False, True, None]),
        ("'large' if amount > 20 else 'small'", ["small", "large", "small"]),
        ("coalesce(amount, 0)", [10, 40, 0]),
        ("is_null(amount)", [False, False, True]),
        ("round(rate * 1.26, 1)", [0.0, 0.6, 2.5]),
        ("min(amount, 20)", [10, 20, 20]),
        ("upper(slice(activity, 0, 2))", ["AS", "PA", "AS"]),
        ("replace(activity, 'A', 'B')", ["Bsk", "Pay", "Bsk"]),
        ("length(activity) + number('2')", [5.0, 5.0, 5.0]),
        ("number(col('due date'))", [None, None, None]),
        ("concat(activity, '-', text(amount))", ["Ask-10", "Pay-40", None]),
        ("matches(activity, '^[A-B]')", [True, False, True]),
        ("contains(activity, '.')", [False, False, False]),
        ("weekday(timestamp)", ["Monday", "Tuesday", "Sunday"]),
        ("hour(timestamp)", [22, 22, 22]),
        ("timestamp > date('2024-01-02')", [False, True, True]),
        ("timestamp - previous(timestamp)", [None, 86_400.0, None]),
        ("hours_between(first(timestamp), timestamp)", [0.0, 24.0, 0.0]),
        ("sum_of_case(amount)", [50, 50, 0]),
        ("count_of_case(amount > 5)", [2, 2, 0]),
        ("any_of_case(activity == 'Pay')", [True, True, False]),
        ("next(activity)", ["Pay", None, None]),
        ("None", [None, None, None]),
        ("rate in [0, 2]", [True, False, True]),
        ("rate not in [0, 2]", [False, True, False]),
        ("9223372036854775807 * 2", [None, None, None]),
    ],
)
def test_an_expression_computes_what_it_says(text, values):
    """Nothing becomes infinite: what cannot be computed is null."""
    assert value(text) == values


def test_parts_of_a_time_follow_the_time_zone():
    """22:30 in London is half past one the next day in Istanbul."""
    assert value("hour(timestamp)", "Europe/Istanbul") == [1, 1, 1]
    assert value("weekday(timestamp)", "Europe/Istanbul") == ["Tuesday", "Wednesday", "Monday"]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("open('/etc/passwd')", 1, '"open" is no function here'),
        ("amount + read_csv('secrets.csv')", 10, '"read_csv" is no function here'),
        ("pl.read_csv('x')", 1, "by their bare names"),
        ("activity.str", 1, "attributes"),
        ("__import__('os')", 1, '"__import__" is no function here'),
        ("(lambda: 1)()", 1, "by their bare names"),
        ("abs(lambda: 1)", 5, "functions cannot be defined"),
        ("amount[0]", 1, "indexes"),
        ("[amount for amount in [1]]", 1, "ListComp is not available"),
        ("[1, 2]", 1, "a list can only stand after in"),
        ("f'{amount}'", 1, "concat"),
        ("(x := 5)", 2, "assigned"),
        ("amount is None", 1, "is_null"),
        ("{'a': 1}", 1, "Dict is not available"),
        ("amount & 1", 1, "BitAnd is not available"),
        ("b'bytes'", 1, "only numbers, texts"),
        ("9223372036854775808", 1, "64 bits"),
        ("uper(activity)", 1, 'did you mean "upper"'),
        ("abs()", 1, "abs takes 1 arguments, not 0"),
        ("round(rate, digits=2)", 1, "by place only"),
        ("abs(*amount)", 1, "by place only"),
        ("matches(activity, lower(activity))", 19, "written out"),
        ("amount in activity", 11, "after in stands a list"),
        ("amount in []", 11, "after in stands a list"),
        ("amount +", 9, "invalid syntax"),
        ("  amount + * 2", 12, "invalid syntax"),
        ("amount > ammount", 10, 'did you mean "amount"'),
        ("col('dew date')", 1, 'did you mean "due date"'),
        ("1 + " * 60 + "1", 1, "nested more than 40 deep"),
        ("activity * 2", 1, "types do not fit"),
        ("matches(activity, '[')", 19, "no regular expression: unclosed"),
        ("hour(activity)", 1, "types do not fit"),
        ("round(rate, -2)", 1, "round cannot take these"),
        ("rate in [1, 'x']", 1, "types do not fit"),
        ("timestamp > 5", 1, "a time is compared with a time"),
        ("timestamp - first(timestamp) > 3600", 1, "seconds_between"),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_place(text, place, said):
    """Files, modules, attributes, loops, assignments; and plain mistakes, with what was probably meant."""
    with pytest.raises(BadInput) as refused:
        value(text)
    assert refused.value.reason == "BAD_EXPRESSION"
    assert f"parameters.expressions.x at character {place}: " in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("amount", "must be an object"),
        ({"x": 5}, "as a text"),
        ({"x": "  "}, "as a text"),
        ({" ": "amount"}, "a name for its column"),
        ({"x": "1" * 2_001}, "longer than 2,000"),
        ({"x": "(" * 500 + ")" * 500}, "parameters.expressions.x"),
        ({"x": "a\0b"}, "parameters.expressions.x"),
        ({"a": "b + 1", "b": "a + 1"}, "need each other: "),
        ({"a": "a + 1"}, "need each other: a → a"),
        ({f"c{number}": "1" for number in range(101)}, "more than 100"),
    ],
)
def test_what_is_no_expression_at_all_is_refused(given, said):
    """Before any data is read."""
    with pytest.raises(BadInput, match=r"parameters\.expressions") as refused:
        expressions_of({"expressions": given})
    assert said in str(refused.value)


def test_expressions_build_on_each_other_in_whatever_order_they_come():
    """JSON objects have no order that one could rely on."""
    given_ = {"a": "b + 1", "b": "c * 2", "c": "amount"}
    made = compiled.add(LOG, expressions_of({"expressions": given_}), "UTC")
    assert made["a"].to_list() == [21, 81, None]


def test_a_name_that_is_taken_is_refused():
    """An expression adds, it never replaces."""
    with pytest.raises(BadInput, match='a column "amount" is there already'):
        compiled.add(LOG, expressions_of({"expressions": {"amount": "rate"}}), "UTC")


def test_every_function_that_is_allowed_is_there_and_no_other():
    """The list that is checked and the table that is called say the same."""
    elsewhere = {"col", "date", "year", "month", "day", "hour", "minute", "weekday"}
    assert set(compiled.CALLED) | elsewhere == set(FUNCTIONS)


@given(st.text(max_size=40) | st.from_regex(r"[a-z(\[\]){}'+*., 0-9=<>!:&|~-]{1,40}", fullmatch=True))
def test_whatever_is_written_is_computed_or_refused(text):
    """Nothing else happens."""
    reason = "computed"
    try:
        values = value(text)
    except BadInput as refused:
        reason, values = refused.reason, [None] * LOG.height
    assert (reason in ("computed", "BAD_EXPRESSION"), len(values)) == (True, LOG.height)
