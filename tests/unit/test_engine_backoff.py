"""Whether and when a run is tried again by itself: pure figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lodestream_server.engine.backoff import HEALABLE, RetryPolicy, policy_of, retry_after_s

DOCUMENTED = {"retryPolicy": {"maxRetries": 3, "retryDelay": 300, "backoffMultiplier": 2.0}}


def middle() -> float:
    """No jitter."""
    return 0.5


def test_the_documented_policy_waits_five_ten_and_twenty_minutes_then_no_more():
    """Three further attempts, each wait twice the one before."""
    policy = policy_of(DOCUMENTED)
    waits = [retry_after_s(policy, "INTERNAL", spent, middle) for spent in range(4)]
    assert waits == [300.0, 600.0, 1200.0, None]


def test_no_wait_is_longer_than_the_cap():
    """However often it is multiplied."""
    policy = RetryPolicy(20, 10.0, 10.0, 60.0)
    assert [retry_after_s(policy, "INTERNAL", spent, middle) for spent in (0, 1, 19)] == [10.0, 60.0, 60.0]


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 4))
def test_the_jitter_is_a_fifth_at_most_and_goes_both_ways(chance, spent):
    """Runs that failed together come back apart."""
    policy = RetryPolicy(5, 100.0, 2.0)
    exact = 100.0 * 2.0**spent
    wait = retry_after_s(policy, "DISK_FULL", spent, lambda: chance)
    assert wait is not None
    assert 0.8 * exact <= wait <= 1.2 * exact
    assert (wait < exact) == (chance < 0.5) or wait == pytest.approx(exact)


@pytest.mark.parametrize("reason", ["BAD_INPUT", "MISSING_COLUMN", "NO_VALID_RECORDS", "DEPENDENCY"])
def test_what_cannot_heal_is_not_tried_again(reason):
    """The same input fails the same way."""
    assert retry_after_s(policy_of(DOCUMENTED), reason, 0, middle) is None


def test_without_a_policy_there_is_one_attempt():
    """Whatever happened."""
    assert {retry_after_s(policy_of({}), reason, 0, middle) for reason in HEALABLE} == {None}
