"""Cleaning rules at work, each on a log that fits on the screen: what stays, what goes, what is counted."""

import pytest
from lodestream_server.workloads.phase import BadInput

from tests.unit.enrichment_world import cleaned, world

HEAD = "case,activity,time\n"


def day(*rows: str) -> str:
    """A log of rows `case activity hour` on 1 January; no hour: no timestamp; `?` for one that cannot be read."""
    times = {"": "", "?": "not recorded"}
    parts = (row.split(" ") for row in rows)
    return HEAD + "".join(f"{c},{a},{times.get(t, f'2024-01-01T{t}:00:00Z')}\n" for c, a, t in parts)


def test_identical_rows_go_and_the_first_one_stays(tmp_path):
    """Twice and three times, far apart in the file; what differs anywhere stays."""
    text = day("1 Ask 08", "1 Ask 08", "2 Ask 08", "1 Pay 09", "1 Ask 08", "2 Ask 09")
    rows, here = cleaned(tmp_path, text, "remove_duplicates")
    assert rows == [
        ("1", "Ask", "01 08:00"),
        ("2", "Ask", "01 08:00"),
        ("1", "Pay", "01 09:00"),
        ("2", "Ask", "01 09:00"),
    ]
    booked = here.rules["remove_duplicates"]
    assert (booked["recordsBefore"], booked["recordsAfter"], booked["counts"]) == (6, 4, {"duplicatesRemoved": 2})
    assert [row["record"] for row in booked["removals"]] == [1, 4]


def test_duplicates_can_be_told_by_some_columns_and_the_last_one_kept(tmp_path):
    """Under the names of the source."""
    rule = {"rule": "remove_duplicates", "columns": ["case", "activity"], "keep": "last"}
    rows, here = cleaned(tmp_path, day("1 Ask 08", "1 Ask 10", "1 Pay 11"), rule)
    assert rows == [("1", "Ask", "01 10:00"), ("1", "Pay", "01 11:00")]
    assert here.rules["remove_duplicates"]["reasons"] == {"same case_id, activity as a later row": 1}


def test_duplicates_with_a_broken_timestamp_are_found_before_and_after_it_is_fixed(tmp_path):
    """What stood in the file decides, so the order of the two rules does not matter."""
    text = day("1 Ask 08", "1 Pay ?", "1 Pay ?", "1 End 12")
    for number, rules in enumerate((["remove_duplicates", "fix_timestamps"], ["fix_timestamps", "remove_duplicates"])):
        folder = tmp_path / str(number)
        folder.mkdir()
        rows, here = cleaned(folder, text, *rules)
        assert [activity for _, activity, _ in rows] == ["Ask", "Pay", "End"]
        assert here.rules["remove_duplicates"]["counts"]["duplicatesRemoved"] == 1


def test_times_between_two_known_ones_are_spaced_evenly(tmp_path):
    """By place in the file; another case in between does not matter."""
    text = day("1 A 08", "1 B ?", "2 A 20", "1 C ", "1 D 11")
    rows, here = cleaned(tmp_path, text, "fix_timestamps")
    assert [time for case, _, time in rows if case == "1"] == ["01 08:00", "01 09:00", "01 10:00", "01 11:00"]
    booked = here.rules["fix_timestamps"]
    assert booked["counts"] == {
        "timestampsBroken": 2, "timestampsFixed": 2, "timestampsRejected": 0, "startsSwapped": 0
    }  # fmt: skip
    shown = {row["before"]: row["after"] for row in booked["changes"]}
    assert shown == {"not recorded": "2024-01-01T09:00:00Z", "": "2024-01-01T10:00:00Z"}


@pytest.mark.parametrize(
    ("options", "times"),
    [
        ({}, ["08:00", "10:00", "12:00"]),
        ({"method": "previous"}, ["08:00", "08:00", "12:00"]),
        ({"method": "next"}, ["08:00", "12:00", "12:00"]),
        ({"edges": "nearest"}, ["08:00", "08:00", "10:00", "12:00", "12:00"]),
    ],
)
def test_methods_and_edges_of_fixing(tmp_path, options, times):
    """What stands at the edge of a case is rejected unless the nearest time is wanted."""
    text = day("1 A ", "1 B 08", "1 C ", "1 D 12", "1 E ?")
    rows, here = cleaned(tmp_path, text, {"rule": "fix_timestamps", **options})
    assert [time[3:] for _, _, time in rows] == times
    assert here.rules["fix_timestamps"]["counts"]["timestampsRejected"] == 5 - len(times)


def test_a_fixed_time_does_not_lie_before_the_rows_own_start(tmp_path):
    """Where starts are known they count, between the times around."""
    text = (
        "case,activity,start_time,end_time\n"
        "1,A,2024-01-01T08:00:00Z,2024-01-01T08:30:00Z\n"
        "1,B,2024-01-01T11:30:00Z,\n"
        "1,C,2024-01-01T12:00:00Z,2024-01-01T12:30:00Z\n"
    )
    rows, _ = cleaned(tmp_path, text, "fix_timestamps")
    assert [time for _, _, time in rows] == ["01 08:30", "01 11:30", "01 12:30"]


def test_impossible_dates_count_as_broken(tmp_path):
    """1970 is what programs write when they know nothing."""
    text = HEAD + "1,A,2024-01-01T08:00:00Z\n1,B,1970-01-01T00:00:00Z\n1,C,2024-01-01T10:00:00Z\n"
    rows, here = cleaned(tmp_path, text, {"rule": "fix_timestamps", "notBefore": "2000-01-01"})
    assert rows[1] == ("1", "B", "01 09:00")
    assert here.rules["fix_timestamps"]["changes"][0]["before"] == "1970-01-01T00:00:00Z"


def test_an_interval_that_ends_before_it_begins_is_turned_round(tmp_path):
    """Unless swapStarts is false."""
    text = (
        "case,activity,start_time,end_time\n"
        "1,A,2024-01-01T10:00:00Z,2024-01-01T09:00:00Z\n"
        "1,B,2024-01-01T11:00:00Z,2024-01-01T12:00:00Z\n"
    )
    rows, here = cleaned(tmp_path, text, "fix_timestamps")
    assert rows[0] == ("1", "A", "01 10:00")
    assert here.rules["fix_timestamps"]["counts"]["startsSwapped"] == 1
    (tmp_path / "kept").mkdir()
    rows, here = cleaned(tmp_path / "kept", text, {"rule": "fix_timestamps", "swapStarts": False})
    assert rows[0] == ("1", "A", "01 09:00")


def test_without_fixing_rows_without_a_time_are_removed_and_booked(tmp_path):
    """An event without a time has no place in its case."""
    rows, here = cleaned(tmp_path, day("1 A 08", "1 B ", "1 C 10"))
    assert [activity for _, activity, _ in rows] == ["A", "C"]
    results = here.run("Data Cleaning").results
    assert (results["timestampsRejected"], results["invalidRecords"], results["events"]) == (1, 1, 2)
    assert list(here.rules) == ["unusable_timestamps"]
    assert "record,rule,reason" in (here.phases["Data Cleaning"].out / "removed.csv").read_text()


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({}, ["Pay", "pay ", "Résumé 2"]),
        ({"allowed": ["Pay", "-"]}, ["Pay", "-"]),
        ({"pattern": "^[A-Z]"}, ["Pay", "N/A", "Résumé 2"]),
        ({"allowed": ["Pay", "-"], "pattern": "^[A-Z]"}, ["Pay"]),
        ({"allowed": ["Pay"], "correct": True}, ["Pay", "Pay"]),
    ],
)
def test_activities_are_held_against_a_list_a_pattern_or_good_sense(tmp_path, options, left):
    """Without options, what holds no letter and no digit goes, and words for nothing."""
    text = HEAD + "".join(
        f"1,{name},2024-01-01T{hour:02d}:00:00Z\n"
        for hour, name in enumerate(["Pay", "pay ", "-", "???", "N/A", "Résumé 2"], start=8)
    )
    rows, here = cleaned(tmp_path, text, {"rule": "validate_activities", **options})
    assert [activity for _, activity, _ in rows] == left
    booked = here.rules["validate_activities"]
    assert booked["counts"]["activitiesRejected"] == 6 - len(left) == sum(booked["rejectedActivities"].values())
    assert booked["counts"].get("activitiesCorrected", 0) == bool(options.get("correct"))


def test_trimming_joins_spellings_even_of_a_case(tmp_path):
    """White space around ids splits cases; afterwards they are one, in one bucket, and duplicates show."""
    text = HEAD + (
        "1,Ask  now,2024-01-01T08:00:00Z\n 1 ,Ask now ,2024-01-01T08:00:00Z\n\u00a01,Pay,2024-01-01T09:00:00Z\n"
    )
    rules = [{"rule": "trim", "collapse": True}, "remove_duplicates"]
    rows, here = cleaned(tmp_path, text, *rules)
    assert rows == [("1", "Ask now", "01 08:00"), ("1", "Pay", "01 09:00")]
    results = here.run("Data Cleaning").results
    assert (results["before"]["cases"], results["after"]["cases"]) == (3, 1)
    assert (results["valuesTrimmed"], here.rules["trim_whitespace"]["recordsChanged"]) == (4, 3)


def test_folding_case_joins_spellings(tmp_path):
    """Of the activity, unless columns are named."""
    text = HEAD + "A1,Pay,2024-01-01T08:00:00Z\na1,PAY,2024-01-01T09:00:00Z\n"
    rows, _ = cleaned(tmp_path, text, "fold_case", {"rule": "fold_case", "columns": ["case"], "to": "upper"})
    assert rows == [("A1", "pay", "01 08:00"), ("A1", "pay", "01 09:00")]


@pytest.mark.parametrize(("whole", "left"), [("events", ["1A", "2B"]), ("cases", ["1A"])])
def test_a_date_range_keeps_events_or_whole_cases(tmp_path, whole, left):
    """Both ends belong to it, a plain end date means the whole day."""
    text = HEAD + "1,A,2024-01-02T23:59:59Z\n2,B,2024-01-01T00:00:00Z\n2,C,2024-01-03T00:00:00Z\n"
    rule = {"rule": "date_range", "from": "2024-01-01", "to": "2024-01-02", "whole": whole}
    rows, here = cleaned(tmp_path, text, rule)
    assert [case + activity for case, activity, _ in rows] == left
    assert here.run("Data Cleaning").results["outsideDateRange"] == 3 - len(left)


def test_types_of_columns_are_found_after_cleaning(tmp_path):
    """Numbers with spaces around them are numbers once they are trimmed."""
    text = "case,activity,time,amount\n1,A,2024-01-01T08:00:00Z, 5\n1,B,2024-01-01T09:00:00Z,6 \n"
    assert world(tmp_path, text, cleaningRules=["trim"]).rows("Data Cleaning")["amount"].to_list() == [5, 6]


def test_records_add_up(tmp_path):
    """Loaded = valid + invalid; events = valid − duplicates − refused activities − outside the range."""
    text = day("1 A 08", "1 A 08", "1 ? 09", "1 B 10", "1 C 23", "1 D ?", " Z 08", "2  08")
    rules = ["remove_duplicates", "fix_timestamps", "validate_activities"]
    here = world(tmp_path, text, cleaningRules=[*rules, {"rule": "date_range", "to": "2024-01-01T12:00:00"}])
    results, loaded = here.run("Data Cleaning").results, here.finished["Data Loading"].results
    assert loaded["recordsLoaded"] == results["validRecords"] + results["invalidRecords"] == 8
    went = results["duplicatesRemoved"], results["activitiesRejected"], results["outsideDateRange"]
    assert (results["invalidRecords"], went) == (3, (1, 1, 1))
    assert results["events"] == results["validRecords"] - sum(went) == 2
    assert results["recordsRemoved"] == 6


@pytest.mark.parametrize(
    ("rule", "reason", "said"),
    [
        ({"rule": "trim", "columns": ["amont"]}, "MISSING_COLUMN", '"amont" is no column'),
        ({"rule": "fold_case", "columns": ["time"]}, "BAD_PARAMETER", "holds times, not texts"),
        ({"rule": "validate_activities", "pattern": "(["}, "BAD_PATTERN", '"([" is no regular expression: unclosed'),
        ({"rule": "validate_activities", "pattern": "(?=a)"}, "BAD_PATTERN", "look-around"),
        ({"rule": "validate_activities", "allowed": ["Nothing"]}, "NOTHING_LEFT", "validate_activities 1"),
    ],
)
def test_rules_that_do_not_fit_the_log_are_refused(tmp_path, rule, reason, said):
    """With the field, or with what each rule removed."""
    with pytest.raises(BadInput) as refused:
        cleaned(tmp_path, day("1 A 08"), rule)
    assert refused.value.reason == reason
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "rule", "said"),
    [
        ("1,A,2024-01-01\n", {"rule": "date_range", "from": "2030-01-01"}, r"loosen parameters.cleaningRules\.$"),
        ("1,A,\n1,B,2024-01-01\n", {"rule": "date_range", "to": "2023-01-01"}, "or add the rule fix_timestamps"),
    ],
)
def test_rules_that_leave_nothing_are_named_with_what_may_help(tmp_path, text, rule, said):
    """Times that were there are not to be fixed."""
    with pytest.raises(BadInput, match=said) as raised:
        cleaned(tmp_path, "case,activity,time\n" + text, rule)
    assert raised.value.reason == "NOTHING_LEFT"
