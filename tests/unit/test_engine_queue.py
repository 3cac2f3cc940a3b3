"""Who is next, when that will be, and how long things take: pure figures."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lodestream_server.engine.estimates import cost_usd, duration, middle_s
from lodestream_server.engine.ids import RandomIds, uuid7
from lodestream_server.engine.models import EngineSettings
from lodestream_server.engine.queue import Capacity, Waiting, choose, expected_starts, in_order
from lodestream_server.runs.bodies import Range, Resources
from lodestream_server.runs.states import Priority
from lodestream_server.store.reading import Past

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def _waiting(run_id: str, priority: Priority = Priority.NORMAL, second: int = 0) -> Waiting:
    return Waiting(run_id, "t", priority, NOON + timedelta(seconds=second), Resources())


_QUEUES = st.lists(
    st.builds(_waiting, st.uuids().map(str), st.sampled_from(Priority), st.integers(0, 5)),
    unique_by=lambda waiting: waiting.run_id,
)


@given(_QUEUES)
def test_choosing_one_after_the_other_is_the_order_shown(queue):
    """Positions are not a second opinion."""
    shown, taken, left = in_order(queue, NOON), [], list(queue)
    while (chosen := choose(left, Capacity(1), NOON)) is not None:
        taken.append(chosen)
        left.remove(chosen)
    assert taken == shown
    keys = [(-waiting.priority, waiting.queued_at) for waiting in shown]
    assert keys == sorted(keys)


def test_without_a_free_seat_nobody_is_chosen():
    """However urgent."""
    assert choose([_waiting("a", Priority.CRITICAL)], Capacity(0), NOON) is None


def test_starts_follow_the_seats_as_they_become_free():
    """Two seats, free in 10 and 30 s; runs of 15, 5 and 1 s: at 10, 25 and 30."""
    order = [_waiting("a"), _waiting("b"), _waiting("c")]
    starts = expected_starts(order, {"a": 15.0, "b": 5.0, "c": 1.0}, [30.0, 10.0], 2, NOON)
    assert [(starts[run_id] - NOON).total_seconds() for run_id in "abc"] == [10.0, 25.0, 30.0]


def test_behind_an_unknown_nothing_is_promised():
    """A run of unknown length has a start, those after it have none; neither has anybody behind unknown running
    work."""
    order = [_waiting("a"), _waiting("b")]
    assert set(expected_starts(order, {"a": None, "b": 1.0}, [5.0], 1, NOON)) == {"a"}
    assert expected_starts(order, {"a": 1.0, "b": 1.0}, [None], 1, NOON) == {}


def test_an_estimate_comes_from_runs_of_the_same_size():
    """Three of a similar size count alone; the tenth to the ninetieth percentile of them."""
    similar = [Past(100, 10.0), Past(110, 20.0), Past(90, 30.0)]
    assert duration([*similar, Past(10_000, 999.0)], 100) == Range(12.0, 28.0)


def test_other_sizes_count_in_proportion():
    """Ten times the data, ten times the time, until there is something better to go by."""
    assert duration([Past(100, 3.0)], 1000) == Range(30.0, 30.0)


def test_without_history_there_is_no_estimate():
    """And no cost; nor without prices."""
    assert duration([], 100) is None
    assert duration([Past(None, 5.0)], 100) is None
    assert middle_s(None) is None
    priced = EngineSettings(price_cpu_hour=0.1, price_gb_hour=0.01)
    assert cost_usd(priced, Resources(4, 8 * 10**9), None) is None
    assert cost_usd(EngineSettings(), Resources(4, 8 * 10**9), 3600) is None
    assert cost_usd(priced, Resources(4, 8 * 10**9), 3600) == pytest.approx(0.48)


@given(st.integers(0, 2**74 - 1))
def test_ids_are_version_7_and_carry_their_time(random):
    """Whatever the random part."""
    made = uuid7(NOON, random)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(NOON.timestamp() * 1000)


def test_ids_sort_by_time_and_do_not_repeat():
    """Lists and folders stay in order."""
    ids = RandomIds()
    early, late = ids.new(NOON, "op-"), ids.new(NOON + timedelta(milliseconds=1), "op-")
    assert early < late
    assert len({ids.new(NOON) for _ in range(1000)}) == 1000
