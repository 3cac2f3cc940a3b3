"""Loading against the truth: every count of a generated log is met, and what lies on disk keeps its promises."""

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from lodestream_server.workloads.mining import partition
from lodestream_server.workloads.mining.loading import load
from lodestream_server.workloads.mining.summary import FOLDER, LogSummary, buckets, read_bucket
from lodestream_server.workloads.phase import BadInput, Cancelled
from lodestream_server.workloads.rehearsal import Rehearsal

from lodestream.samples.loan_applications import Truth, write_log
from tests.integration.loading_world import Loaded, loaded, loaded_text, rehearsal

HEADER = "case,activity,time,who\n"


@pytest.fixture(scope="module")
def loan(tmp_path_factory) -> tuple[Loaded, Truth]:
    """A generated log of 5,000 cases, loaded once."""
    path = tmp_path_factory.mktemp("loan") / "loan.csv"
    truth = write_log(path, 5_000)
    return loaded(path), truth


def test_every_count_is_the_truth(loan):
    """Records, duplicates, dirt of each kind, cases, events, activities, time range."""
    (log, truth), errors = loan, Counter[tuple[str, bool]]()
    results = log.results
    for error in results["validationErrors"]:
        errors[error["type"], error["resolved"]] += error["count"]
    assert results["recordsLoaded"] == truth.rows
    assert results["validRecords"] == results["events"] == truth.events
    assert results["invalidRecords"] == truth.invalid
    assert (results["duplicateRecords"], results["duplicatesRemoved"]) == (truth.duplicates, 0)
    assert results["inferredTimestamps"] == truth.inferable_timestamps
    assert (results["cases"], results["activities"]) == (truth.cases, truth.activities)
    assert results["timeRange"]["startTime"].replace("+00:00", "Z") == truth.first
    assert results["timeRange"]["endTime"].replace("+00:00", "Z") == truth.last
    missing = [errors["Missing Timestamp", resolved] for resolved in (True, False)]
    unparsable = [errors["Unparsable Timestamp", resolved] for resolved in (True, False)]
    assert sum(missing) == truth.missing_timestamps
    assert sum(unparsable) == truth.unparsable_timestamps
    assert missing[0] + unparsable[0] == truth.inferable_timestamps
    assert errors["Missing Activity", False] == truth.missing_activities
    assert errors["Missing Case ID", False] == truth.missing_case_ids
    assert errors["Duplicate Record", False] == truth.duplicates


def test_the_variants_are_the_truth_with_and_without_duplicates(loan, tmp_path):
    """Removal is asked for by a cleaning rule; the rest of the counts follows."""
    log, truth = loan
    clean = Rehearsal(tmp_path, dataset=log.phase.dataset, parameters={"cleaningRules": ["remove_duplicates"]})
    results = clean.run(load).results
    assert len({tuple(trace) for trace in log.traces().values()}) == truth.variants
    assert (
        len({tuple(trace) for trace in Loaded(clean, results).traces().values()}) == truth.variants_without_duplicates
    )
    assert results["duplicatesRemoved"] == results["duplicateRecords"] == truth.duplicates
    assert results["events"] == truth.events - truth.duplicates
    assert results["validRecords"] == truth.events


def test_the_files_on_disk_are_what_later_phases_expect(loan):
    """Columns, types, order; a case in one bucket only; numbers of log.json in agreement with the rows."""
    log, truth = loan
    rows, summary = log.rows, log.summary
    standard = {"case_id": pl.String, "activity": pl.String, "timestamp": pl.Datetime("us", "UTC")}
    more = {"start_timestamp": pl.Datetime("us", "UTC"), "resource": pl.String, "position": pl.Int64}
    own = {"role": pl.String, "amount": pl.Int64, "channel": pl.String, "region": pl.String}
    assert dict(rows.schema) == standard | more | own | {"customer_segment": pl.String}
    files = buckets(log.phase.out)
    assert 1 < len(files) <= partition.FEWEST
    cases = [set(read_bucket(bucket, ["case_id"])["case_id"]) for bucket in files]
    assert sum(map(len, cases)) == len(set().union(*cases)) == truth.cases
    assert [bucket.cases for bucket in files] == [len(one) for one in cases]
    assert sum(bucket.events for bucket in files) == summary.events == rows.height
    for bucket in files:
        part = read_bucket(bucket)
        assert part.equals(part.sort("case_id", "timestamp", "position"))
    assert sorted(file.name for file in log.phase.out.iterdir()) == [FOLDER, "log.json", "rejected.csv"]
    assert LogSummary.load(log.phase.out).as_json() == json.loads((log.phase.out / "log.json").read_text())
    assert summary.attributes["amount"] == "integer"


def test_positions_say_where_a_row_stands_in_the_file(loan):
    """Counted from 0 behind the header; together with the rejected ones they are all records."""
    log, truth = loan
    positions = [*log.rows["position"], *(int(record) for record in log.rejected["record"])]
    assert sorted(positions) == list(range(truth.rows))


def test_rejected_records_are_kept_with_their_reason_and_published(loan):
    """As they stood in the file, in its order."""
    log, truth = loan
    rejected = log.rejected
    assert rejected.height == truth.invalid
    assert rejected.columns[:3] == ["record", "reason", "case_id"]
    assert rejected["record"].cast(pl.Int64).is_sorted()
    assert set(rejected.filter(reason="Missing Timestamp")["timestamp"]) == {""}
    assert "" not in set(rejected.filter(reason="Unparsable Timestamp")["timestamp"])
    (artifact,) = log.phase.artifacts
    assert (artifact.path.name, artifact.records) == ("rejected.csv", truth.invalid)


def test_whoever_watches_learns_what_was_found(loan):
    """Progress up to the last record with the total known early; mapping, warnings and the milestone."""
    log, truth = loan
    phase = log.phase
    assert phase.progressed[0] == (0, None, "Counting records")
    assert phase.progressed[1][1] == truth.rows
    assert (phase.done, phase.total) == (truth.rows, truth.rows)
    said = phase.logged[0].details
    assert (said["delimiter"], said["encoding"], said["caseIdColumn"]) == (",", "utf-8", "case_id")
    assert any("identical rows" in line.text for line in phase.warnings)
    assert any("inferred" in line.text for line in phase.warnings)
    assert phase.milestones[0].details["events"] == truth.events


def test_a_log_that_does_not_fit_in_memory_gives_the_same_result(loan, tmp_path, monkeypatch):
    """Through the disk: blocks of 64 kB, buckets written out every 100 kB."""
    log, _ = loan
    monkeypatch.setattr("lodestream_server.workloads.mining.text_file.blocks.__defaults__", (64 << 10, None))
    small = Rehearsal(tmp_path, dataset=log.phase.dataset, memory_bytes=800_000)
    again = Loaded(small, small.run(load).results)
    assert (small.scratch / "parts").is_dir()
    assert again.results == log.results
    assert again.rows.equals(log.rows)
    assert again.rejected.equals(log.rejected)


def test_a_run_that_is_cancelled_stops_at_the_next_point(loan, tmp_path):
    """Wherever it is: at the first, in the middle, near the end."""
    log, _ = loan
    for number, after in enumerate([0, log.phase.checks // 2, log.phase.checks - 1]):
        phase = Rehearsal(tmp_path / str(number), dataset=log.phase.dataset, cancel_after=after)
        with pytest.raises(Cancelled):
            phase.run(load)


@pytest.mark.parametrize("parameters", [{"checkDuplicates": True}, {"removeDuplicates": True}])
def test_flags_ask_for_the_removal_of_duplicates_as_well(tmp_path, parameters):
    """The first of identical rows stays, wherever in the file the others are."""
    text = HEADER + "1,a,2024-01-01,x\n2,a,2024-01-01,x\n1,b,2024-01-02,x\n1,a,2024-01-01,x\n1,a,2024-01-01,y\n"
    log = loaded_text(tmp_path, text, parameters)
    assert log.rows.filter(case_id="1")["position"].to_list() == [0, 4, 2]
    assert log.results["duplicatesRemoved"] == 1


def test_identical_rows_without_a_time_are_duplicates_too(tmp_path):
    """Although the times inferred for them differ."""
    text = HEADER + "1,a,2024-01-01,x\n1,b,,x\n1,b,,x\n1,c,2024-01-04,x\n"
    results = loaded_text(tmp_path, text, {"removeDuplicates": True}).results
    assert (results["inferredTimestamps"], results["duplicatesRemoved"], results["events"]) == (2, 1, 3)


def test_a_timestamp_is_inferred_between_its_neighbours_in_the_file(tmp_path):
    """Evenly by place; before the first and after the last known time of the case it is not."""
    rows = ["1,a,,x", "1,b,2024-01-01,x", "2,a,2024-06-01,x", "1,c,,x", "1,d,n/k,x", "1,e,2024-01-04,x", "1,f,,x"]
    log = loaded_text(tmp_path, HEADER + "\n".join(rows))
    times = log.rows.filter(case_id="1").select("activity", pl.col("timestamp").dt.day()).rows()
    assert times == [("b", 1), ("c", 2), ("d", 3), ("e", 4)]
    assert log.rejected["record"].to_list() == ["0", "6"]
    assert log.results["inferredTimestamps"] == 2


def test_the_time_window_keeps_the_events_inside_and_counts_the_others(tmp_path):
    """Both days belong to it."""
    rows = [f"{case},a,2024-01-0{day}T23:59:59Z,x" for case in (1, 2) for day in (1, 2, 3, 4)]
    window = {"timeWindow": {"startDate": "2024-01-02", "endDate": "2024-01-03"}}
    results = loaded_text(tmp_path, HEADER + "\n".join(rows), window).results
    assert (results["events"], results["outsideTimeWindow"], results["validRecords"]) == (4, 4, 8)


def test_a_time_window_without_events_says_so(tmp_path):
    """Instead of mining nothing."""
    window = {"timeWindow": {"startDate": "2031-01-01"}}
    with pytest.raises(BadInput, match="widen") as refused:
        loaded_text(tmp_path, HEADER + "1,a,2024-01-01,x\n1,b,2024-01-02,x\n", window)
    assert refused.value.reason == "EMPTY_TIME_WINDOW"


def test_columns_named_by_the_run_go_before_those_of_the_dataset(tmp_path):
    """The dataset says `who` is the activity, the run says `activity`."""
    text = HEADER + "1,a,2024-01-01,x\n1,b,2024-01-02,x\n"
    log = loaded_text(tmp_path, text, {"activityNameColumn": "activity"}, activityNameColumn="who")
    assert log.traces() == {"1": ["a", "b"]}


def test_ids_are_texts(tmp_path):
    """NA, 007, 1.0 and 1e3 are four cases and keep their spelling."""
    rows = [
        f"{case},{step},2024-01-0{day},x" for case in ("NA", "007", "1.0", "1e3") for day, step in ((1, "a"), (2, "b"))
    ]
    assert set(loaded_text(tmp_path, HEADER + "\n".join(rows)).traces()) == {"NA", "007", "1.0", "1e3"}


def test_events_are_ordered_by_instant_and_ties_by_position(tmp_path):
    """Offsets differ: the text that sorts first happened last. A warning says that they do."""
    rows = ["1,c,2024-03-31 03:30:00+02:00,x", "1,b,2024-03-31 00:30:00+00:00,x", "1,d,2024-03-31 03:30:00+02:00,x"]
    log = loaded_text(tmp_path, HEADER + "\n".join(rows))
    assert log.traces() == {"1": ["b", "c", "d"]}
    assert any("offsets" in line.text for line in log.phase.warnings)


def test_a_column_that_is_called_like_a_standard_one_is_kept_under_another_name(tmp_path):
    """Only the mapped column is `activity`."""
    text = "case:concept:name,concept:name,time:timestamp,activity,position\n1,a,2024-01-01,x,9\n1,b,2024-01-02,y,9\n"
    rows = loaded_text(tmp_path, text).rows
    assert rows["activity"].to_list() == ["a", "b"]
    assert rows["activity (source)"].to_list() == ["x", "y"]
    assert rows["position (source)"].to_list() == [9, 9]


def test_a_full_disk_is_named_as_one(tmp_path, monkeypatch):
    """Whichever writer meets it."""
    path = tmp_path / "log.csv"
    path.write_text(HEADER + "1,a,2024-01-01,x\n1,b,2024-01-02,x\n")
    phase = rehearsal(path)
    (phase.out / "log").mkdir()
    for number in range(partition.FEWEST):
        (phase.out / "log" / f"bucket-{number:03d}.parquet").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space") as full:
        phase.run(load)
    assert full.value.errno == 28


def test_a_run_without_a_dataset_says_which_parameter_is_missing(tmp_path: Path):
    """datasetId."""
    with pytest.raises(BadInput, match="datasetId"):
        Rehearsal(tmp_path).run(load)
