"""The fold keeps its promises whatever comes: order, transitions, one ending, a percent that never falls."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lodestream_server.runs.bodies import (
    Cancelled,
    CancelRequested,
    Completed,
    ErrorNoted,
    Failed,
    Logged,
    MetricsChanged,
    PhaseCompleted,
    PhaseStarted,
    Progressed,
    Queued,
    Receipt,
    Requeued,
    RetryPlanned,
    Sampled,
    Scheduled,
    Started,
    TimedOut,
    Warned,
)
from lodestream_server.runs.codec import decode, encode
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import BrokenSequence, IllegalTransition, apply, replay
from lodestream_server.runs.states import ENDED, TRANSITIONS, PhaseStatus, State

from tests.unit.runs_world import BODIES, PHASES, after, at, bodies, story, submitted

STARTED = Started(1, "worker-node-01", 4711, "exec-1")


def _any_body():
    phase = st.sampled_from(PHASES)
    percent = st.none() | st.floats(0, 100)
    special: dict[str, dict[str, Any]] = {
        "phase-started": {"phase": phase},
        "progressed": {"phase": phase, "percent": percent},
        "metrics-changed": {"phase": phase},
        "phase-completed": {"phase": phase},
    }
    return st.sampled_from(BODIES).flatmap(lambda kind: bodies(kind, **special.get(kind.KIND, {})))


# Weighted towards what lets a story go on; the rest comes from everything there is.
_USUAL = st.sampled_from(
    [
        Queued(),
        STARTED,
        PhaseStarted("Loading", 1),
        Progressed("Loading", 5, 10, 50.0),
        PhaseCompleted("Loading", 1.0),
        PhaseStarted("Mining", 2),
        Progressed("Mining", 1, 10, 10.0),
        Requeued("SERVER_RESTARTED"),
        Requeued("WORKER_KILLED", worker_died=True),
        CancelRequested(),
    ]
)


@settings(max_examples=300)
@given(st.lists(_USUAL | _USUAL | _any_body(), max_size=25))
def test_whatever_comes_the_promises_hold(told):
    """Legal events are applied, illegal ones refused without a trace; then the log alone gives the same state."""
    log = story(submitted())
    state = apply(None, log[0])
    for body in told:
        event = Event("run", state.last_sequence + 1, 101 + state.last_sequence, at(state.last_sequence), body)
        try:
            new = apply(state, event)
        except IllegalTransition:
            continue
        assert new.percent >= state.percent
        assert new.last_sequence == state.last_sequence + 1
        assert new.state is state.state or new.state in TRANSITIONS[state.state]
        assert (new.percent == 100) == (new.state is State.COMPLETED)
        log.append(event)
        state = new
    assert [event.sequence for event in log] == list(range(1, len(log) + 1))
    assert sum(event.ends_run for event in log) == (state.state in ENDED)
    written = [Event(e.run_id, e.sequence, e.position, e.time, decode(*encode(e.body))) for e in log]
    assert replay(written) == state


@pytest.mark.parametrize("ending", [Completed(), Failed("X", "x"), TimedOut(), Queued(), Logged("INFO", "late")])
def test_nothing_follows_an_ending(ending):
    """A run that was cancelled stays cancelled."""
    ended = after(submitted(), Queued(), CancelRequested(), Cancelled(Receipt("none")))
    with pytest.raises(IllegalTransition, match="ended as CANCELLED"):
        apply(ended, Event("run", 5, 105, at(9), ending))


def test_a_hole_in_the_sequence_is_refused():
    """Event 4 cannot follow event 2."""
    with pytest.raises(BrokenSequence, match="4 does not follow 2"):
        apply(after(submitted(), Queued()), Event("run", 4, 104, at(3), STARTED))


def test_a_run_begins_with_its_submission():
    """Without the first event there is nothing to apply the others to."""
    with pytest.raises(BrokenSequence):
        apply(None, Event("run", 1, 101, at(0), Queued()))


def test_the_table_of_states_is_the_designs():
    """A few rows that people rely on, and that endings lead nowhere."""
    assert TRANSITIONS[State.CANCELLING] == {State.CANCELLED}
    assert State.QUEUED in TRANSITIONS[State.RUNNING]
    assert State.FAILED not in TRANSITIONS[State.QUEUED]
    assert all(not TRANSITIONS[state] for state in ENDED)


def test_the_percent_follows_the_weights():
    """One of three phases done and half of the heavy one: 1/4 + 1/2 x 2/4."""
    state = after(
        submitted(),
        Queued(),
        STARTED,
        PhaseStarted("Loading", 1),
        PhaseCompleted("Loading", 2.0, records=10),
        PhaseStarted("Mining", 2),
        Progressed("Mining", 50, 100, 50.0),
    )
    assert state.percent == 50.0
    assert state.phase("Mining").total == 100


def test_the_percent_is_held_when_a_phase_begins_again():
    """After a crash the phase shows its own fresh start, the run keeps what it showed."""
    half = (submitted(), Queued(), STARTED, PhaseStarted("Mining", 2), Progressed("Mining", 80, 100, 80.0))
    state = after(*half, Requeued("SERVER_RESTARTED"), STARTED, PhaseStarted("Mining", 2))
    assert state.percent == 40.0
    assert state.phase("Mining").percent == 0.0
    assert state.phase("Mining").status is PhaseStatus.RUNNING


def test_all_phases_done_is_not_the_end_yet():
    """100 % is for the run that completed."""
    phases = [body for name in PHASES for body in (PhaseStarted(name, 1), PhaseCompleted(name, 1.0))]
    before = (submitted(), Queued(), STARTED, *phases)
    assert after(*before).percent == 99.0
    assert after(*before, Completed()).percent == 100.0


def test_the_epoch_rises_whenever_the_run_changes_hands():
    """What an earlier holder says can be told by its epoch."""
    begun = (submitted(), Queued(), STARTED)
    assert after(*begun).epoch == 1
    assert after(*begun, Requeued("SERVER_DRAINING")).epoch == 2
    assert after(*begun, RetryPlanned(at(99), "X")).epoch == 2


def test_only_a_fault_costs_an_attempt():
    """Being handed back by a server that stops is free; a dead worker is not."""
    begun = (submitted(), Queued(), STARTED)
    assert after(*begun, Requeued("SERVER_DRAINING")).attempts_spent == 0
    died = after(*begun, Requeued("WORKER_KILLED", worker_died=True))
    assert (died.attempts_spent, died.worker_deaths) == (1, 1)


def test_a_finished_phase_stays_finished_over_attempts():
    """What a checkpoint keeps is not shown as lost."""
    state = after(
        submitted(),
        Queued(),
        STARTED,
        PhaseStarted("Loading", 1),
        PhaseCompleted("Loading", 2.0),
        Requeued("SERVER_RESTARTED"),
    )
    assert state.finished == ("Loading",)


def test_cancelling_a_waiting_run_needs_no_worker():
    """A request alone leaves it queued; the ending comes in the same breath."""
    assert after(submitted(), Queued(), CancelRequested("me")).state is State.QUEUED
    state = after(submitted(), Scheduled(at(99)), CancelRequested("me"), Cancelled(Receipt("none")))
    assert state.state is State.CANCELLED
    assert state.cancel is not None
    assert state.cancel.by == "me"


def test_a_cancelled_run_says_which_phase_it_was_in():
    """The phase that was running is the cancelled one, not a failed one."""
    state = after(
        submitted(), Queued(), STARTED, PhaseStarted("Mining", 2), CancelRequested(), Cancelled(Receipt("flag", 0.2))
    )
    assert state.current is not None
    assert (state.current.name, state.current.status) == ("Mining", PhaseStatus.CANCELLED)


def test_lines_warnings_and_errors_are_counted():
    """Warnings and errors of the timeline are lines of the log too."""
    state = after(
        submitted(), Queued(), STARTED, Logged("DEBUG", "d"), Logged("INFO", "i"), Warned("w"), ErrorNoted("e")
    )
    counts = state.logs
    assert (counts.debug, counts.info, counts.warn, counts.error, counts.total) == (1, 1, 1, 1, 4)
    assert (state.warnings, state.errors) == (1, 1)
    assert (counts.first, counts.last) == (at(3), at(6))


def test_later_figures_replace_earlier_ones_by_key():
    """Figures of a phase are as they stand now."""
    state = after(
        submitted(),
        Queued(),
        STARTED,
        PhaseStarted("Mining", 2),
        MetricsChanged("Mining", {"variants": 1, "paths": 5}),
        MetricsChanged("Mining", {"variants": 9}),
    )
    assert state.phase("Mining").metrics == {"variants": 9, "paths": 5}


def test_cpu_seconds_add_up_over_attempts():
    """A second attempt does not forget what the first one cost; the peak stays the peak."""
    state = after(
        submitted(),
        Queued(),
        STARTED,
        Sampled(50.0, 900, cpu_s=7.0),
        Requeued("SERVER_RESTARTED"),
        STARTED,
        Sampled(50.0, 300, cpu_s=2.0),
    )
    assert state.cpu_s == 9.0
    assert state.peak_rss_bytes == 900
