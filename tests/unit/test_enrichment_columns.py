"""Derived columns and own expressions on a log that fits on the screen."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lodestream_server.workloads.enrichment import concurrent_work
from lodestream_server.workloads.enrichment.derive import TYPES, working
from lodestream_server.workloads.enrichment.enriching import enrich
from lodestream_server.workloads.enrichment.options import DERIVED, WorkingHours, derivation, output_format
from lodestream_server.workloads.phase import BadInput

from tests.unit.enrichment_world import world

#: Two cases of one way and one of another; Ann works on two cases at a time. 5 January is a Friday.
LOG = """case,activity,start_time,end_time,resource
1,Ask,2024-01-05T08:00:00Z,2024-01-05T09:00:00Z,Ann
2,Ask,2024-01-05T08:30:00Z,2024-01-05T09:30:00Z,Ann
1,Pay,2024-01-05T10:00:00Z,2024-01-05T10:00:00Z,Bob
2,Pay,2024-01-06T10:00:00Z,2024-01-06T11:00:00Z,Ann
3,Ask,2024-01-06T10:30:00Z,2024-01-06T10:45:00Z,
3,Ask,2024-01-06T11:00:00Z,2024-01-06T12:00:00Z,Ann
"""
INSTANTS = "\n".join(",".join([*line.split(",")[:2], *line.split(",")[3:]]) for line in LOG.splitlines()) + "\n"


def column(folder, name, log=LOG, **parameters):
    """The values of one column, in the order of the file."""
    return world(folder, log, **parameters).rows("Data Enrichment")[name].to_list()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("case_duration_seconds", [7_200.0, 95_400.0, 7_200.0, 95_400.0, 5_400.0, 5_400.0]),
        ("seconds_since_case_start", [3_600.0, 3_600.0, 7_200.0, 95_400.0, 900.0, 5_400.0]),
        ("seconds_since_previous_event", [None, None, 3_600.0, 91_800.0, None, 4_500.0]),
        ("position_in_case", [1, 1, 2, 2, 1, 2]),
        ("events_in_case", [2, 2, 2, 2, 2, 2]),
        ("remaining_events", [1, 1, 0, 0, 1, 0]),
        ("variant", [1, 1, 1, 1, 2, 2]),
        ("weekday", ["Friday", "Friday", "Friday", "Saturday", "Saturday", "Saturday"]),
        ("in_working_hours", [True, True, True, False, False, False]),
        ("is_rework", [False, False, False, False, False, True]),
        ("concurrent_work", [0, 1, 0, 0, None, 0]),
    ],
)
def test_a_derived_column_says_what_it_promises(tmp_path, name, values):
    """Seconds, places, ranks and flags, case by case."""
    assert column(tmp_path, name) == values


def test_without_starts_the_cases_in_a_resources_hands_count(tmp_path):
    """Ann has case 2 from Friday to Saturday; at the moment of its last event she has given it away."""
    assert column(tmp_path, "concurrent_work", INSTANTS) == [0, 0, 0, 0, None, 0]
    longer = INSTANTS + "1,Close,2024-01-05T09:45:00Z,Ann\n"
    (tmp_path / "longer").mkdir()
    assert column(tmp_path / "longer", "concurrent_work", longer) == [0, 1, 0, 0, None, 0, 1]


def test_only_the_wanted_columns_are_added(tmp_path):
    """In the order of the list in the documentation; none for an empty list."""
    here = world(tmp_path, LOG, derivedColumns=["weekday", "position_in_case"])
    rows = here.rows("Data Enrichment")
    assert rows.columns[-2:] == ["position_in_case", "weekday"]
    assert here.finished["Data Enrichment"].results["columnsAdded"] == 2
    (tmp_path / "none").mkdir()
    bare = world(tmp_path / "none", LOG, derivedColumns=[])
    assert bare.rows("Data Enrichment").columns == bare.rows("Data Cleaning").columns


def test_the_types_that_expressions_are_checked_against_are_those_of_the_columns(tmp_path):
    """Or a check would pass what the run cannot compute."""
    schema = world(tmp_path, LOG).rows("Data Enrichment").schema
    assert set(TYPES) == set(DERIVED)
    assert {name: schema[name] for name in DERIVED} == TYPES


def test_working_hours_follow_the_time_zone_and_the_days_given(tmp_path):
    """09:00 UTC is noon in Istanbul."""
    hours = {"days": ["fri", "Saturday"], "from": "12:00", "to": "13:00"}
    given_ = {"workingHours": hours, "timeZone": "Europe/Istanbul"}
    assert column(tmp_path, "in_working_hours", **given_) == [True, True, False, False, False, False]


def test_a_night_shift_belongs_to_the_day_it_begins_on():
    """Friday 22:00 to 06:00 covers Saturday morning, not Friday morning."""
    local = pl.Series(
        ["2024-01-05T23:00", "2024-01-06T05:59", "2024-01-05T05:00", "2024-01-06T23:00"]
    ).str.to_datetime()
    assert working(local, WorkingHours((5,), 22 * 60, 6 * 60)).to_list() == [True, True, False, False]


def test_expressions_see_the_derived_columns_and_each_other(tmp_path):
    """Types and values stand in the results."""
    here = world(
        tmp_path, LOG, expressions={"late": "wait > 4000", "wait": "coalesce(seconds_since_previous_event, 0)"}
    )
    rows = here.rows("Data Enrichment")
    assert rows["late"].to_list() == [False, False, False, True, False, True]
    told = {column["name"]: column for column in here.finished["Data Enrichment"].results["columns"]}
    assert told["late"] == {
        "name": "late", "meaning": "wait > 4000", "type": "boolean", "missing": 0, "true": 2, "false": 4
    }  # fmt: skip
    assert (told["wait"]["max"], told["concurrent_work"]["missing"]) == (91_800.0, 1)


def test_a_wrong_expression_stops_the_run_before_a_row_is_read(tmp_path):
    """Checked on the types alone: not one step of progress."""
    here = world(tmp_path, LOG, expressions={"x": "activity + 1"})
    here.run("Data Cleaning")
    phase = here.phase("Data Enrichment")
    with pytest.raises(BadInput, match=r"parameters.expressions.x at character 1: types do not fit"):
        phase.run(enrich)
    assert phase.progressed == []


def test_a_column_of_the_source_keeps_its_name(tmp_path):
    """The derived one gets another, and a warning says so."""
    here = world(tmp_path, LOG.replace("resource\n", "weekday\n"), derivedColumns=["weekday"])
    rows = here.rows("Data Enrichment")
    assert (rows["weekday"][0], rows["derived_weekday"][0]) == ("Ann", "Friday")
    assert [line.details["type"] for line in here.phases["Data Enrichment"].warnings] == ["NameTaken"]


def test_without_resources_their_column_is_left_out_and_said(tmp_path):
    """An empty column would look like nobody ever worked."""
    here = world(tmp_path, LOG.replace("resource\n", "colour\n"))
    assert "concurrent_work" not in here.rows("Data Enrichment").columns
    assert [line.details["column"] for line in here.phases["Data Enrichment"].warnings] == ["resource"]


@pytest.mark.parametrize(
    ("parameters", "field", "said"),
    [
        ({"derivedColumns": ["weekdays"]}, "derivedColumns[0]", 'did you mean "weekday"'),
        ({"derivedColumns": "weekday"}, "derivedColumns", "a list of names"),
        ({"timeZone": "Istanbul"}, "timeZone", '"Istanbul" is no time zone'),
        ({"timeZone": "../../etc/passwd"}, "timeZone", "is no time zone"),
        ({"timeZone": 3}, "timeZone", "is no time zone"),
        ({"workingHours": {"days": ["Someday"]}}, "workingHours.days", '"Someday" is no day'),
        ({"workingHours": {"from": "9"}}, "workingHours.from", '"9" is no time of day'),
        ({"workingHours": {"to": "25:00"}}, "workingHours.to", "up to 24:00"),
        ({"workingHours": {"from": "17:00"}}, "workingHours.to", "must differ"),
        ({"workingHours": {"until": "17:00"}}, "workingHours.until", "known are days, from, to"),
    ],
)
def test_wrong_wishes_are_named_with_the_fix(parameters, field, said):
    """Field, fault, fix."""
    with pytest.raises(BadInput) as refused:
        derivation(parameters)
    assert refused.value.details["field"] == f"parameters.{field}"
    assert said in str(refused.value)


def test_an_unknown_format_names_the_known_ones():
    """In any case of letters."""
    assert output_format({"outputFormat": "Parquet"}) == "parquet"
    with pytest.raises(BadInput, match=r'did you mean "xes"\?\); known are csv, parquet, processed_csv, xes'):
        output_format({"outputFormat": "xess"})


_WORK = st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 20), st.integers(0, 6)), min_size=1, max_size=25)


@pytest.mark.parametrize("heavy", [1, 8, 100])
@given(work=_WORK)
def test_concurrent_work_is_what_counting_pair_by_pair_gives(heavy, work):
    """Begun and not yet ended by the moment at which this one begins, itself left out; all resources together, each by
    itself, and some of both."""
    rows = pl.DataFrame(
        {
            "bucket": [0] * len(work),
            "row": range(len(work)),
            "resource": [who for who, _, _ in work],
            "at": [begin for _, begin, _ in work],
            "begin": [begin for _, begin, _ in work],
            "end": [begin + took for _, begin, took in work],
            "owner": [True] * len(work),
        }
    )
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(concurrent_work, "HEAVY", heavy)
        counted = concurrent_work.counts(rows).sort("row")["concurrent"].to_list()
    assert counted == [
        sum(
            who == other and begin <= at < begin + took
            for place, (other, begin, took) in enumerate(work)
            if place != mine
        )
        for mine, (who, at, _) in enumerate(work)
    ]
