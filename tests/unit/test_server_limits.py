"""Limits of keys and tenants: so many calls per span, so many streams at once, and when to come back."""

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lodestream_server.grpc_door.limits import Allowance, Limits, Rate
from lodestream_server.settings import ServerSettings
from lodestream_server.store.keys import ApiKey
from lodestream_server.store.reading import Scope

from lodestream.errors import QuotaExceeded

ADA = ApiKey("key-1", "lode_12345678", "Ada", "write", datetime(2026, 3, 1, tzinfo=UTC))
BOB = ApiKey("key-2", "lode_87654321", "Bob", "write", datetime(2026, 3, 1, tzinfo=UTC))
HERE, THERE = Scope("tenant 1", "project"), Scope("tenant 2", "project")


class Clock:
    """Stands still until told otherwise."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def refusal(call, *given):
    """The refusal of a call."""
    with pytest.raises(QuotaExceeded) as caught:
        call(*given)
    return caught.value


def test_a_key_is_told_when_to_come_back():
    """After exactly that time the call passes; another key never noticed."""
    clock = Clock()
    limits = Limits(key=Allowance(calls_per_second=4), clock=clock)
    for _ in range(4):
        limits.call_of_key(ADA)
    refused = refusal(limits.call_of_key, ADA)
    assert refused.retry_after_s == pytest.approx(0.25)
    assert refused.message == "This API key may make 4 calls per second."
    limits.call_of_key(BOB)
    clock.now += refused.retry_after_s
    limits.call_of_key(ADA)
    assert refusal(limits.call_of_key, ADA).reason == "QUOTA_EXCEEDED"


def test_the_minute_counts_beside_the_second():
    """Slow and steady comes to its end too; a refused call costs nothing."""
    clock = Clock()
    limits = Limits(key=Allowance(calls_per_second=2, calls_per_minute=6), clock=clock)
    for _ in range(6):
        limits.call_of_key(ADA)
        clock.now += 0.5
    for _ in range(100):
        refused = refusal(limits.call_of_key, ADA)
        assert refused.retry_after_s == pytest.approx(7.0)
    assert "6 calls per minute" in refused.message


def test_a_tenant_has_one_allowance_for_all_its_keys():
    """Another tenant has its own; calls without a tenant count for the key's."""
    limits = Limits(tenant=Allowance(calls_per_second=2), clock=Clock())
    limits.call_of_tenant(ADA, HERE)
    limits.call_of_tenant(BOB, HERE)
    assert "This tenant" in refusal(limits.call_of_tenant, ADA, HERE).message
    limits.call_of_tenant(ADA, THERE)
    limits.call_of_tenant(ADA, Scope("", ""))


def test_streams_count_until_they_end():
    """A refused one does not; neither does one that falls over."""
    limits = Limits(key=Allowance(streams=2), tenant=Allowance(streams=3), clock=Clock())
    with ExitStack() as streams:
        streams.enter_context(limits.stream(ADA, HERE))
        streams.enter_context(limits.stream(ADA, HERE))
        assert "This API key may hold 2 streams" in refusal(streams.enter_context, limits.stream(ADA, HERE)).message
        streams.enter_context(limits.stream(BOB, HERE))
        assert "This tenant may hold 3 streams" in refusal(streams.enter_context, limits.stream(BOB, HERE)).message
        streams.enter_context(limits.stream(BOB, THERE))
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), limits.stream(ADA, HERE):
            raise ZeroDivisionError


def test_zero_is_no_limit_and_limits_go_off_together():
    """Ten thousand calls at one instant."""
    limits = Limits(*ServerSettings(limits=False).allowances(), clock=Clock())
    for _ in range(10_000):
        limits.call_of_key(ADA)
        limits.call_of_tenant(ADA, HERE)
    assert all(ServerSettings().allowances())


@given(st.integers(1, 50), st.sampled_from([1.0, 60.0]), st.lists(st.floats(0.0, 90.0), max_size=200))
def test_no_party_gets_more_than_its_share(calls, span_s, pauses):
    """At most `calls` at once, and over any longer time at most what the rate allows on top."""
    rate, now, passed = Rate(calls, span_s), 0.0, []
    for pause in pauses:
        now += pause / calls
        for _ in range(3):
            if rate.wait_s("who", now) == 0.0:
                rate.take("who", now)
                passed.append(now)
    for index, begin in enumerate(passed):
        within = sum(begin <= instant <= begin + span_s for instant in passed[index:])
        assert within <= 2 * calls + 1


def test_the_quiet_are_forgotten():
    """A key of every tenant may name any number of them; memory stays bounded, and the busy stay known."""
    rate = Rate(1, 1.0)
    for number in range(50_000):
        rate.take(number, number * 1.0)
    assert len(vars(rate)["_spent_until"]) <= 10_000
    assert rate.wait_s(49_999, 49_999.0) == pytest.approx(1.0)
