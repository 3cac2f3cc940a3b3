"""Which column is the case, the activity, the time: by what the caller says, by name, by content."""

import random
from datetime import datetime, timedelta

import polars as pl
import pytest
from lodestream_server.workloads.mining.detect import roles
from lodestream_server.workloads.phase import BadInput

MIDNIGHT = datetime.fromisoformat("2024-01-01")
STEPS = ["receive", "check", "decide", "pay", "archive"]


def little_log(**names: str) -> pl.DataFrame:
    """Sixty cases with four to five events each, their region (an attribute of the case) and a person per event."""
    chance, rows = random.Random(5), []
    for case in range(60):
        at, region = MIDNIGHT + timedelta(hours=case), chance.choice(["north", "south"])
        for step in STEPS[: chance.randint(4, 5)]:
            begin = at + timedelta(minutes=chance.randint(5, 500))
            at = begin + timedelta(minutes=chance.randint(1, 60))
            person = chance.choice(["anna", "bruno", "chloe"])
            rows.append((f"k{case}", step, at.isoformat(), begin.isoformat(), region, person))
    plain = ["case", "activity", "time", "start", "region", "person"]
    frame = pl.DataFrame(rows, schema=plain, orient="row").sort("time")
    return frame.select([pl.col(name).alias(names[name]) for name in plain if name in names])


@pytest.mark.parametrize(
    ("case", "activity", "time"),
    [
        ("case:concept:name", "concept:name", "time:timestamp"),
        ("Case ID", "Activity", "Complete Timestamp"),
        ("caseId", "activityName", "endTime"),
        ("CASE_KEY", "EVENT_NAME", "TIMESTAMP"),
        ("Fall-ID", "Aktivität", "Zeitstempel"),
        ("Vaka No", "Aktivite", "Tarih"),
        ("id_dossier", "activité", "horodatage"),
        ("ID caso", "actividad", "fecha"),
        ("patient", "handling", "time"),
        ("ticket_number", "status", "created at"),
    ],
)
def test_well_known_names_are_recognised_in_many_tools_and_languages(case, activity, time):
    """Whatever else is in the file."""
    log = little_log(case=case, region="region", activity=activity, time=time)
    found = roles(log, {})
    assert (found.case, found.activity, found.time) == (case, activity, time)


def test_columns_with_names_that_say_nothing_are_recognised_by_their_content():
    """Case and activity by how they behave together, end and start by their order."""
    found = roles(little_log(region="a", time="b", person="c", start="d", activity="e", case="f"), {})
    assert (found.case, found.activity, found.time, found.start) == ("f", "e", "b", "d")


def test_start_resource_and_lifecycle_are_found_beside_the_rest():
    """By name; the lifecycle also by its values."""
    log = little_log(case="case", activity="task", time="end", start="start", person="employee")
    log = log.with_columns(pl.lit("complete").alias("kind of row"))
    found = roles(log, {})
    assert (found.start, found.resource, found.lifecycle) == ("start", "employee", "kind of row")


def test_a_start_time_alone_is_the_time():
    """A log may know only when things began."""
    found = roles(little_log(case="case", activity="activity", start="start_time"), {})
    assert (found.time, found.start) == ("start_time", None)


def test_times_of_the_case_are_not_taken_for_times_of_events():
    """`case:` columns are attributes, whatever they look like."""
    log = little_log(case="case:concept:name", activity="concept:name", start="case:startdate", time="when it was")
    found = roles(log, {})
    assert (found.time, found.start) == ("when it was", None)


def test_what_the_caller_says_goes_before_every_guess():
    """Also against names."""
    log = little_log(case="case", activity="activity", time="time", start="start", region="region", person="person")
    given = {
        "caseIdColumn": "region",
        "activityNameColumn": "person",
        "activityTimeColumn": "start",
        "timestampFormat": "%Y-%m-%dT%H:%M:%S",
    }
    found = roles(log, given)
    assert (found.case, found.activity, found.time) == ("region", "person", "start")
    assert found.time_format == "%Y-%m-%dT%H:%M:%S"
    assert found.mapping().items() >= given.items()


def test_a_given_column_that_is_not_there_is_named_with_those_that_are():
    """The caller can mend it without opening the file."""
    log = little_log(case="case", activity="activity", time="time")
    with pytest.raises(BadInput, match='"kase" given as caseIdColumn') as refused:
        roles(log, {"caseIdColumn": "kase"})
    assert '"case", "activity", "time"' in str(refused.value)


def test_a_log_without_a_time_says_which_field_to_give():
    """And lists the columns."""
    with pytest.raises(BadInput, match="activityTimeColumn") as refused:
        roles(little_log(case="case", activity="activity", region="region"), {})
    assert '"region"' in str(refused.value)
    assert refused.value.details["missing"] == ["activityTimeColumn"]


def test_a_time_that_cannot_be_read_is_shown():
    """The message quotes what stands there."""
    log = little_log(case="case", activity="activity", person="timestamp")
    with pytest.raises(BadInput, match="anna") as refused:
        roles(log, {})
    assert refused.value.reason == "UNREADABLE_TIMESTAMPS"


def test_epoch_numbers_count_only_under_a_name_that_speaks_of_time():
    """Amounts and ids may look like seconds since 1970."""
    log = little_log(case="case", activity="activity", time="time").with_columns(
        pl.col("time").str.to_datetime().dt.epoch("s").cast(pl.String)
    )
    assert roles(log, {}).time_format == "epoch-s"
    with pytest.raises(BadInput, match="activityTimeColumn"):
        roles(log.rename({"time": "amount"}), {})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # As well-known tools and systems export them; the first three are what is to be found.
        (("case concept:name", "event concept:name", "event time:timestamp"), ("case Vendor", "event User")),
        (("_CASE_KEY", "ACTIVITY_EN", "EVENTTIME"), ("_SORTING", "USER_NAME")),
        (("Incident Number", "Activity Name", "Completed At"), ("incident_state", "order_amount")),
        (("instance", "task", "end_time"), ("process_name", "customer_type")),
        (("kase", "event", "timestamp"), ("id", "event_id")),
    ],
)
def test_columns_whose_names_only_resemble_known_ones_are_left_alone(names, expected):
    """A state of an incident is no incident, an event's id is no event, and a row's id is no case."""
    case, activity, time = names
    log = little_log(case=case, activity=activity, time=time, region=expected[0], person=expected[1])
    if "id" in expected:
        log = log.with_columns(pl.int_range(pl.len()).cast(pl.String).alias("id"))
    found = roles(log, {})
    assert (found.case, found.activity, found.time) == names


def test_a_column_that_never_changes_is_no_case_beside_one_that_does():
    """The id of the process, next to the id of its instance."""
    log = little_log(case="instance", activity="activity", time="time").with_columns(pl.lit("P2P").alias("process_id"))
    assert roles(log, {}).case == "instance"
    assert roles(log.drop("instance"), {}).case == "process_id"
