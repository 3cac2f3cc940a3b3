"""A run's events read like a story, and its phases like bars."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from lodestream.cli.follow import about
from lodestream.cli.results import flat
from lodestream.cli.story import Bar, Story, log_text
from lodestream.cli.texts import details_text, of_text, span_text
from lodestream.v1 import common_pb2 as words
from lodestream.v1.common_pb2 import LogEntry, RunError
from lodestream.v1.event_pb2 import RunEvent

Noted = RunEvent.Noted
NOON = Timestamp(seconds=1769860800)  # 2026-01-31T12:00:00Z


def event(percentage: float | None = None, state: int | None = None, **body) -> RunEvent:
    """An event with this body."""
    return RunEvent(sequence=1, percentage=percentage, state=state, **body)  # type: ignore[arg-type]  # a number is a value


def told(story: Story, *events: RunEvent) -> list[str]:
    """The texts of everything said."""
    return [line.text for given in events for line in story.tell(given)]


def test_a_run_is_told_from_its_submission_to_its_end():
    """Each kind of event has its line, and the bars follow."""
    story = Story()
    submitted = RunEvent.Submitted(
        name="Loans", type="ProcessMining", submitted_by="ci", priority=words.PRIORITY_HIGH, phases=["Load", "Report"]
    )
    done = RunEvent.PhaseCompleted(phase="Load", records_processed=1200)
    done.duration.FromMilliseconds(2340)
    completed = RunEvent.Completed(records_processed=1200)
    completed.duration.FromSeconds(185)
    moved = RunEvent.Progressed(
        phase="Load", phase_percentage=50, records_processed=600, total_records=1200, records_per_second=300.4
    )
    assert told(
        story,
        event(submitted=submitted),
        event(started=RunEvent.Started(worker_node="worker-01", attempt=2)),
        event(phase_started=RunEvent.PhaseStarted(phase="Load")),
        event(progressed=moved),
        event(noted=Noted(kind=Noted.KIND_WARNING, description="12 rows rejected")),
        event(phase_completed=done),
        event(100.0, words.RUN_STATE_COMPLETED, completed=completed),
    ) == [
        "ProcessMining “Loans” was submitted by ci, priority High",
        "Started on worker-01, attempt 2",
        "▶ Load",
        "  Load 50 %, 600 of 1,200 records, 300/s",
        "! 12 rows rejected",
        "✔ Load: 2.3 s, 1,200 records",
        "Completed in 3 min 05 s, 1,200 records",
    ]
    assert story.succeeded
    assert story.percent == 100
    assert [(bar.name, bar.status) for bar in story.bars.values()] == [("Load", "done"), ("Report", "waiting")]


def test_a_phase_that_ends_with_its_run_runs_no_more():
    """What was done stays done, what waited goes on waiting."""
    story = Story()
    phases = RunEvent.Submitted(phases=["Load", "Discover", "Report"])
    load, discover = RunEvent.PhaseStarted(phase="Load"), RunEvent.PhaseStarted(phase="Discover")
    done = RunEvent.PhaseCompleted(phase="Load")
    told(story, event(submitted=phases), event(phase_started=load), event(phase_completed=done))
    told(story, event(phase_started=discover), event(failed=RunError(message="oops", stage="Discover")))
    assert [bar.status for bar in story.bars.values()] == ["done", "ended", "waiting"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"failed": RunError(message="no case column", stage="Load")}, "Failed in Load: no case column"),
        ({"failed": RunError(message="oops", error_id="e7")}, "Failed: oops (error id e7)"),
        ({"cancelled": RunEvent.Cancelled(cancelled_by="ci", reason="wrong log")}, "Cancelled by ci: wrong log"),
        ({"timed_out": RunEvent.TimedOut()}, "Stopped at its time limit"),
        ({"timed_out": RunEvent.TimedOut(timeout_at=NOON)}, "Stopped at its time limit, 2026-01-31T12:00:00Z"),
        ({"waiting": RunEvent.Waiting(reason="DEPENDENCY")}, "Waits for other runs"),
        ({"waiting": RunEvent.Waiting(reason="SCHEDULED", until=NOON)}, "Waits for its time, 2026-01-31T12:00:00Z"),
        ({"waiting": RunEvent.Waiting(reason="RETRY", until=NOON)}, "Waits for its next attempt, 2026-01-31T12:00:00Z"),
        ({"queued": RunEvent.Queued(reason="WORKER_DIED")}, "Waits for a worker again: its worker died"),
        ({"queued": RunEvent.Queued()}, "Waits for a worker"),
        (
            {"cancel_requested": RunEvent.CancelRequested(requested_by="ci", force=True)},
            "ci asked for it to be stopped at once",
        ),
        ({"phase_completed": RunEvent.PhaseCompleted(phase="Load", kept=True)}, "✔ Load: kept from before"),
    ],
)
def test_what_goes_wrong_is_said_plainly(body, text):
    """Who, what, why, as far as the event tells."""
    assert told(Story(), event(state=words.RUN_STATE_FAILED, **body)) == [text]


def test_log_lines_below_the_level_are_not_told():
    """The level is a threshold."""
    story = Story(level=words.LOG_LEVEL_WARN)
    lines = [event(logged=LogEntry(level=level, message=f"level {level}")) for level in (1, 2, 3, 4)]  # type: ignore[arg-type]  # numbers are values
    assert told(story, *lines) == ["! level 3", "✘ level 4"]


def test_only_a_completed_run_succeeded():
    """The exit code hangs on it."""
    for state in (
        words.RUN_STATE_FAILED,
        words.RUN_STATE_CANCELLED,
        words.RUN_STATE_TIMED_OUT,
        words.RUN_STATE_RUNNING,
    ):
        story = Story()
        story.tell(event(state=state, queued=RunEvent.Queued()))
        assert not story.succeeded


def test_a_log_line_shows_its_facts():
    """Level, component, message, then what belongs to it."""
    entry = LogEntry(level=words.LOG_LEVEL_INFO, component="Loader", message="read")
    entry.details.update({"rows": 12, "file": "a b.csv"})
    assert log_text(entry) == 'INFO  Loader: read  file="a b.csv" rows=12'


@pytest.mark.parametrize(
    ("amount_s", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (3599.7, "1 h 00 min"), (86400 * 3 + 3600, "3 d 01 h")],
)
def test_durations_stay_short(amount_s, text):
    """Two units at most; nothing reads "60 s"."""
    assert span_text(amount_s) == text


def test_amounts_without_a_whole_stand_alone():
    """Nobody reads "12 of 0"."""
    assert [of_text(12, 0), of_text(12, 3000)] == ["12", "12 of 3,000"]


def test_a_bar_says_how_fast_and_then_how_long():
    """While it runs its speed, afterwards its time."""
    running = Bar("Load", "running", 50, 600, 1200, 300.0, "reading")
    assert about(running) == "600 of 1,200  300/s  reading"
    assert about(Bar("Load", "done", 100, 1200, 1200, took_s=2.0)) == "2.0 s, 1,200 records"


def test_nested_facts_are_written_as_json():
    """One line stays one line."""
    assert details_text({"a": {"b": [1]}, "c": ""}) == 'a={"b":[1]} c=""'


def test_results_show_what_sums_a_phase_up_and_leave_the_rest_to_json():
    """Briefly figures alone; for one phase also what is nested, and how long its lists are."""
    results = {
        "cases": 3,
        "cycleTimes": {"averageSeconds": 7200},
        "rework": {"cases": 1, "deeper": {"x": 1}},
        "definitions": {"cases": "what a case is"},
        "variants": [{"cases": 2}, {"cases": 1}],
        "names": ["a", "b"],
        "absent": None,
    }
    assert dict(flat(results, brief=True)) == {"Cases": 3, "Cycle times / Average": "2 h 00 min"}
    assert dict(flat(results, brief=False)) == {
        "Cases": 3,
        "Cycle times / Average": "2 h 00 min",
        "Rework / Cases": 1,
        "Variants": "2 entries",
        "Names": ["a", "b"],
    }
