"""Runs as messages: every state and every event has its place, and what is not known stays unset."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lodestream_server.runs.bodies import (
    Cancelled,
    CancelRequested,
    Completed,
    Failed,
    PhaseCompleted,
    PhaseStarted,
    Progressed,
    Queued,
    Range,
    Receipt,
    Resources,
    Sampled,
    Started,
    TimedOut,
)
from lodestream_server.runs.entries import Moment
from lodestream_server.runs.events import Event
from lodestream_server.runs.progress import progress
from lodestream_server.runs.shapes import values, words
from lodestream_server.runs.shapes.as_events import as_event
from lodestream_server.runs.shapes.as_job import as_cancelled_job, as_job, as_job_summary
from lodestream_server.runs.shapes.as_operation import (
    as_cancelled_operation,
    as_operation,
    as_operation_summary,
    as_started_operation,
)
from lodestream_server.runs.shapes.as_tracking import PROGRESS_KINDS, as_progress
from lodestream_server.runs.shapes.common import completion
from lodestream_server.runs.states import ENDED, State

from lodestream import wire
from lodestream.v1 import common_pb2, event_pb2
from tests.unit.runs_world import BODIES, after, at, bodies, story, submitted

BEGUN = (submitted(estimate=Range(60, 120)), Queued(), Started(1, "node", 1, "exec-1", Resources(2, 10**9)))
AT_WORK = (*BEGUN, PhaseStarted("Loading", 1), Progressed("Loading", 50, 100, 50.0, "reading", 25.0))
SAMPLED = (*AT_WORK, Sampled(80.0, 10**8, cpu_s=3.0))
STOPPED = (*SAMPLED, CancelRequested("Ada", "enough"), Cancelled(Receipt("flag", 0.25, (), Resources(2, 10**9))))
LIVES: dict[str, tuple[Any, ...]] = {
    "waiting": (submitted(), Queued()),
    "begun": BEGUN,
    "at work": AT_WORK,
    "sampled": SAMPLED,
    "completed": (*SAMPLED, *(PhaseCompleted(name, 1.0) for name in ("Loading", "Mining", "Report")), Completed()),
    "failed": (*SAMPLED, Failed("BAD_INPUT", "column X is missing", "Loading", details={"column": "X"})),
    "cancelled": STOPPED,
    "timed out": (*SAMPLED, TimedOut(7200, "Loading")),
}


@pytest.mark.parametrize("life", LIVES)
def test_every_shape_of_every_life_keeps_the_contract(life):
    """Valid by its own rules, and writable as the documented JSON in both languages."""
    run = after(*LIVES[life])
    view = progress(run, at(60))
    shown = [
        as_operation(run, view),
        as_operation_summary(run, view, details=True),
        as_started_operation(run, at(90), 0.5, 2),
        as_job(run, view, 1, at(70), at(90)),
        as_job_summary(run, view),
        as_progress(run, view, "Loader"),
    ]
    if run.state is State.CANCELLED:
        shown += [as_cancelled_job(run, ["/a"]), as_cancelled_operation(run, ["/a"])]
    for message in shown:
        assert wire.check(message) == []
        for language in ("en", "tr"):
            assert wire.to_json(message, language)


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_word_in_every_shape(state):
    """And statuses stand for the states they came from."""
    assert state in words.job_states(words.JOB_STATUSES[state])
    assert state in words.operation_states(words.OPERATION_STATUSES[state])
    assert words.RUN_STATES[state]


def test_statuses_split_the_states_among_them():
    """No state is in two, none is left out."""
    for states_of, count in ((words.job_states, 5), (words.operation_states, 7)):
        parts = [states_of(status) for status in range(1, count + 1)]
        assert sorted(state for part in parts for state in part) == sorted(State)
        assert states_of(0) == frozenset()


def test_a_time_limit_is_a_failure_to_a_job_and_a_word_of_its_own_to_an_operation():
    """Documented: Failed (TIMEOUT), and Timeout."""
    run = after(*LIVES["timed out"])
    view = progress(run, at(60))
    assert as_job(run, view).status == common_pb2.JOB_STATUS_FAILED
    assert as_operation(run, view).status == common_pb2.OPERATION_STATUS_TIMEOUT
    assert as_job(run, view).error.reason == as_operation(run, view).error.reason == "TIMEOUT"


def test_what_is_not_known_stays_unset():
    """A run that waits has no start, no worker, no rate and no error."""
    run = after(*LIVES["waiting"])
    job, operation = as_job(run, progress(run, at(60))), as_operation(run, progress(run, at(60)))
    assert not any(job.HasField(name) for name in ("execution", "metrics", "error", "completion_time", "attempt"))
    assert not any(operation.HasField(name) for name in ("execution", "error", "completion_time", "attempt"))
    assert not job.progress.HasField("estimated_completion")
    assert operation.progress.elapsed.seconds == 0


def test_a_receipt_says_what_stopped_the_work():
    """Who, why, which rung, how long it took, what was given back."""
    run = after(*STOPPED)
    for receipt in (as_cancelled_job(run, []), as_cancelled_operation(run, [])):
        assert (receipt.cancelled_by, receipt.reason, receipt.stopped_by) == ("Ada", "enough", "FLAG")
        assert (receipt.took.nanos, receipt.resources_released.cpu_units) == (250_000_000, 2)
        assert not receipt.partial_results.available


@pytest.mark.parametrize("kind", BODIES)
@settings(max_examples=15)
@given(data=st.data())
def test_every_kind_of_event_has_its_place_in_the_contract(kind, data):
    """Whatever its fields hold; a new kind without a place fails here."""
    real = {"phase": st.just("Loading"), "order": st.integers(1, 100), "attempt": st.integers(1, 100)}
    body = data.draw(bodies(kind, **{f.name: real[f.name] for f in fields(kind) if f.name in real}))
    run = after(*AT_WORK)
    shown = as_event(Event("run", 7, 107, at(7), body), run)
    assert shown.WhichOneof("body")
    assert (shown.sequence, shown.state) == (7, words.RUN_STATES[run.state])


def test_events_that_move_the_percentage_or_the_status_are_progress():
    """Or watchers of the progress would miss a change."""
    for life in LIVES.values():
        told = story(*life)
        for event in told[1:]:
            before, run = (after(*life[: event.sequence - less]) for less in (1, 0))
            moved = (before.percent, words.JOB_STATUSES[before.state]) != (run.percent, words.JOB_STATUSES[run.state])
            assert event.kind in PROGRESS_KINDS or not moved


def test_every_moment_of_the_timeline_has_a_number():
    """By its name."""
    from lodestream.v1 import tracking_pb2

    for moment in Moment:
        assert tracking_pb2.TimelineEventType.Value(f"TIMELINE_EVENT_TYPE_{moment}")


@given(st.datetimes(min_value=at(0).replace(tzinfo=None), max_value=at(10**8).replace(tzinfo=None)))
def test_instants_read_back(naive):
    """To the microsecond."""
    when = naive.replace(tzinfo=at(0).tzinfo)
    stamp: Any = values.timestamp(when)
    assert values.instant(stamp) == when


@given(st.floats(0, 10**7))
def test_durations_read_back(seconds):
    """To the nanosecond, and never negative."""
    there: Any = values.duration(seconds)
    below: Any = values.duration(-seconds)
    assert values.seconds(there) == pytest.approx(seconds, abs=1e-6)
    assert values.seconds(below) == 0


@pytest.mark.parametrize(("usd", "units", "nanos"), [(0.0, 0, 0), (2.45, 2, 450_000_000), (0.0001, 0, 100_000)])
def test_money_keeps_its_fractions(usd, units, nanos):
    """To the hundredth of a cent."""
    made: Any = values.money(usd)
    assert (made.currency_code, made.units, made.nanos) == ("USD", units, nanos)


def test_ended_runs_show_their_end():
    """In every ending."""
    for life in ("completed", "failed", "cancelled", "timed out"):
        run = after(*LIVES[life])
        assert run.state in ENDED
        assert as_job(run, progress(run, at(60))).HasField("completion_time")
        assert isinstance(as_event(story(*LIVES[life])[-1], run), event_pb2.RunEvent)


def test_an_estimate_beyond_all_time_promises_no_end():
    """Stored by an earlier version; the run is shown all the same."""
    assert completion(at(0), Range(0.0, 4e25)) is None
    assert completion(at(0), Range(10.0, 20.0)) == at(15)
