"""Cleaning rules as parameters: what is understood, and how what is not is refused."""

from datetime import UTC, datetime

import pytest
from lodestream_server.workloads.enrichment.rules import (
    DateRange,
    FixTimestamps,
    FoldCase,
    RemoveDuplicates,
    TrimWhitespace,
    ValidateActivities,
    rules_of,
)
from lodestream_server.workloads.phase import BadInput


def test_the_documented_words_are_rules_in_the_order_given():
    """As in the batch example and in the sample programs."""
    given = ["validate_activities", "remove_duplicates", "fix_timestamps"]
    assert rules_of({"cleaningRules": given}) == (ValidateActivities(), RemoveDuplicates(), FixTimestamps())


@pytest.mark.parametrize(
    "spelling", ["removeDuplicates", "remove-duplicates", "Remove Duplicates", "REMOVE_DUPLICATES"]
)
def test_a_rule_is_known_in_any_spelling(spelling):
    """People write what their own program's style is."""
    assert rules_of({"cleaningRules": [spelling]}) == (RemoveDuplicates(),)


def test_rules_take_options_as_objects():
    """Every rule with every kind of option."""
    given = [
        {"rule": "remove_duplicates", "columns": ["case", "activity"], "keep": "last"},
        {"rule": "fix_timestamps", "method": "previous", "edges": "nearest", "notBefore": "2000-01-01"},
        {"name": "validate_activities", "allowed": ["A", "B"], "correct": True},
        {"rule": "trim", "columns": "activity", "collapse": True},
        {"rule": "fold_case", "to": "UPPER"},
        {"type": "date_range", "from": "2024-01-01T12:00:00+03:00", "to": "2024-01-31", "whole": "cases"},
    ]
    assert rules_of({"cleaningRules": given}) == (
        RemoveDuplicates(("case", "activity"), "last"),
        FixTimestamps("previous", "nearest", datetime(2000, 1, 1, tzinfo=UTC)),
        ValidateActivities(("A", "B"), correct=True),
        TrimWhitespace(("activity",), collapse=True),
        FoldCase(to="upper"),
        DateRange(datetime(2024, 1, 1, 9, tzinfo=UTC), datetime(2024, 1, 31, 23, 59, 59, 999999, tzinfo=UTC), "cases"),
    )


def test_without_a_word_timestamps_are_fixed_and_an_empty_list_means_no_rule():
    """A log that is only enriched keeps the events that mining would see."""
    assert rules_of({}) == (FixTimestamps(),)
    assert rules_of({"cleaningRules": []}) == ()


def test_flags_and_the_time_window_of_mining_count_as_rules():
    """Once each, after the rules."""
    window = {"startDate": "2024-01-01"}
    found = rules_of({"cleaningRules": ["trim"], "checkDuplicates": True, "timeWindow": window})
    assert found == (TrimWhitespace(), RemoveDuplicates(), DateRange(datetime(2024, 1, 1, tzinfo=UTC)))
    assert rules_of({"cleaningRules": ["remove_duplicates"], "removeDuplicates": True}) == (RemoveDuplicates(),)


@pytest.mark.parametrize(
    ("rule", "field", "said"),
    [
        ("remove_duplicate", "[0]", 'did you mean "remove_duplicates"'),
        ("polish", "[0]", "known are date_range, fix_timestamps, fold_case, remove_duplicates, trim_whitespace"),
        (7, "[0]", "the name of a rule or an object"),
        ({"keep": "first"}, "[0]", "names no rule"),
        ({"rule": "remove_duplicates", "keeps": "last"}, "[0].keeps", 'did you mean "keep"'),
        ({"rule": "remove_duplicates", "keep": "middle"}, "[0].keep", "known are first, last"),
        ({"rule": "remove_duplicates", "columns": []}, "[0].columns", "at least one"),
        ({"rule": "fix_timestamps", "notBefore": "soon"}, "[0].notBefore", '"soon" is no date'),
        ({"rule": "fix_timestamps", "notBefore": "2024-02-01", "notAfter": "2024-01-01"}, "[0].notAfter", "swap them"),
        ({"rule": "fix_timestamps", "swapStarts": "yes"}, "[0].swapStarts", "true or false"),
        ({"rule": "validate_activities", "allowed": [1]}, "[0].allowed", "list of texts"),
        ({"rule": "validate_activities", "correct": True}, "[0].correct", "needs allowed"),
        ({"rule": "date_range"}, "[0].from", "at least one end"),
        ({"rule": "date_range", "from": "2024-02-01", "to": "2024-01-01"}, "[0].to", "swap them"),
    ],
)
def test_what_is_wrong_with_a_rule_is_named_with_the_fix(rule, field, said):
    """The field as the caller wrote it, the fault, and what was probably meant."""
    with pytest.raises(BadInput) as refused:
        rules_of({"cleaningRules": [rule]})
    assert refused.value.details["field"] == f"parameters.cleaningRules{field}"
    assert said in str(refused.value)


def test_rules_come_as_a_list_and_not_by_the_hundred():
    """A single word would be read letter by letter."""
    with pytest.raises(BadInput, match="must be a list"):
        rules_of({"cleaningRules": "remove_duplicates"})
    with pytest.raises(BadInput, match="more than 50"):
        rules_of({"cleaningRules": ["trim"] * 51})
