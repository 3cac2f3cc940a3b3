"""Progress, logs, timeline and metrics say what the events say, and nothing that nobody knows."""

from datetime import timedelta

import pytest
from lodestream_server.runs.bodies import (
    Completed,
    Failed,
    Milestone,
    PhaseCompleted,
    PhaseStarted,
    Progressed,
    Queued,
    Range,
    Requeued,
    Sampled,
    Started,
    TimedOut,
)
from lodestream_server.runs.entries import Moment, entry
from lodestream_server.runs.metrics import Meter, metrics, trend
from lodestream_server.runs.progress import progress
from lodestream_server.runs.timeline import timeline, upcoming

from tests.unit.runs_world import after, at, story, submitted

STARTED = Started(1, "worker-node-01", 4711, "exec-1")
BEGUN = (submitted(), Queued(), STARTED, PhaseStarted("Loading", 1))


def test_a_queued_run_has_no_elapsed_time_and_no_promise():
    """Nothing was measured and there is no history: nothing is said."""
    view = progress(after(submitted(), Queued()), at(60))
    assert (view.elapsed_s, view.remaining_s, view.estimated_completion) == (0.0, None, None)


def test_the_runs_own_pace_tells_when_it_ends():
    """A quarter took ten seconds, so three quarters take thirty."""
    run = after(*BEGUN, PhaseCompleted("Loading", 8.0))
    view = progress(run, at(12))
    assert view.percent == 25.0
    assert (view.elapsed_s, view.remaining_s) == (10.0, 30.0)
    assert view.estimated_completion == at(42)


def test_history_tells_while_the_run_is_young():
    """Before a tenth is done, the estimate of earlier runs less the time spent."""
    run = after(submitted(estimate=Range(50, 70)), Queued(), STARTED, PhaseStarted("Loading", 1))
    assert progress(run, at(12)).remaining_s == 50.0


def test_stages_to_come_share_the_remaining_time_by_weight():
    """Thirty seconds for weights two and one: twenty and ten."""
    view = progress(after(*BEGUN, PhaseCompleted("Loading", 8.0)), at(12))
    _, mining, report = view.stages
    assert (mining.estimated_start, mining.estimated_end) == (at(12), at(32))
    assert (report.estimated_start, report.estimated_end) == (at(32), at(42))


def test_an_ended_run_promises_nothing():
    """Elapsed time stops at the end."""
    view = progress(after(*BEGUN, Failed("X", "x")), at(999))
    assert (view.elapsed_s, view.remaining_s) == (2.0, None)
    assert upcoming(at(999), view) == ()


def test_what_should_come_is_told_soonest_first():
    """The running stage's end, the next one's start, the end of it all."""
    view = progress(after(*BEGUN, Progressed("Loading", 8, 10, 80.0)), at(12))
    assert [item.moment for item in upcoming(at(12), view)] == [
        Moment.STAGE_COMPLETION,
        Moment.STAGE_START,
        Moment.STAGE_START,
        Moment.JOB_COMPLETION,
    ]


BUSY = story(
    *BEGUN,
    *(Progressed("Loading", n, 100, float(n)) for n in range(1, 7)),
    Milestone("half"),
    PhaseCompleted("Loading", 120.0, records=100),
    Completed(),
    seconds=20,
)


def _moments(**options):
    return [entry.moment.value for entry in timeline(BUSY, **options)]


def test_sub_events_are_told_on_request():
    """Without them, progress is left to the progress view."""
    assert "PROGRESS" not in _moments(granularity="seconds")
    assert _moments(granularity="seconds", sub_events=True).count("PROGRESS") == 6


def test_minutes_tell_one_progress_a_stage_and_minute():
    """Six reports twenty seconds apart lie in three minutes: 1:20–1:40, 2:00–2:40, 3:00."""
    assert _moments(granularity="minutes", sub_events=True).count("PROGRESS") == 3


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (TimedOut(60.0, "Loading"), "Job reached its time limit"),
        (TimedOut(60.0, reason="QUEUE_LIMIT"), "Job waited in the queue for too long"),
    ],
)
def test_running_too_long_is_not_waiting_too_long(end, told):
    """The limit in the queue is the server's, the other one the run's own."""
    (event,) = story(end)
    shown = entry(event)
    assert shown is not None
    assert shown.description == told


def test_major_events_are_edges_and_findings():
    """Nothing else, whatever is asked for."""
    assert _moments(granularity="major_events", sub_events=True) == [
        "JOB_SUBMITTED",
        "JOB_QUEUED",
        "JOB_STARTED",
        "STAGE_STARTED",
        "MILESTONE",
        "STAGE_COMPLETED",
        "JOB_COMPLETED",
    ]


def test_metrics_sum_up_per_interval():
    """Means of the samples, and the records done in the interval over its length."""
    events = story(
        *BEGUN,
        Sampled(50.0, 100, phase="Loading"),
        Progressed("Loading", 60),
        Sampled(100.0, 300, phase="Loading"),
        Progressed("Loading", 180),
        seconds=20,
    )
    view = metrics(events, interval=timedelta(minutes=1))
    first, second = view.history[-2:]
    assert (first.begin, first.cpu_percent, first.memory_bytes, first.rate) == (at(60), 50.0, 100, 1.0)
    assert (second.begin, second.cpu_percent, second.rate, second.phase) == (at(120), 100.0, 2.0, "Loading")
    assert (view.peak_rss_bytes, view.mean_cpu_percent) == (300, 75.0)


def test_what_comes_in_pieces_is_measured_as_if_it_came_at_once():
    """A stream adds only what is new; figures that span two pieces count what lies between them."""
    samples = (Sampled(n, n, elapsed_s=n, io_operations=n * n, phase="Loading") for n in range(1, 13))
    progress_made = (Progressed("Loading", n, rate=n) for n in range(12))
    events = story(*BEGUN, *(body for pair in zip(samples, progress_made, strict=True) for body in pair), seconds=20)
    meter = Meter(timedelta(minutes=1))
    for event in events:
        meter.add([event])
    assert meter.read() == metrics(events, interval=timedelta(minutes=1))
    assert (meter.last, meter.read().iops, meter.read().trends.cpu) == (events[-1].sequence, 23.0, "Increasing")


def test_a_phase_that_begins_again_counts_its_records_again():
    """Two attempts at ten records are twenty records of work, not a negative pace."""
    events = story(
        *BEGUN,
        Progressed("Loading", 10),
        Requeued("SERVER_RESTARTED"),
        STARTED,
        PhaseStarted("Loading", 1),
        Progressed("Loading", 10),
    )
    (first,) = metrics(events, interval=timedelta(seconds=10)).history
    assert first.rate == 2.0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], None),
        ([10, 10, 10, 10, 10, 10], "Stable"),
        ([10, 10, 10, 20, 20, 20], "Increasing"),
        ([20, 20, 20, 10, 10, 10], "Decreasing"),
    ],
)
def test_a_trend_needs_enough_samples(values, expected):
    """Two values are no trend."""
    assert trend(values) == expected
