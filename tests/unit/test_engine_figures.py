"""How long things take, what they cost, and ids: pure figures."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lodestream_server.engine.estimates import cost_usd, duration, middle_s
from lodestream_server.engine.ids import RandomIds, uuid7
from lodestream_server.engine.models import EngineSettings
from lodestream_server.runs.bodies import Range, Resources
from lodestream_server.runs.rounding import rounded
from lodestream_server.store.reading import Past

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("exact", "shown"),
    [
        (Range(0.2, 0.9), Range(1, 1)),
        (Range(12.3, 27.8), Range(12, 28)),
        (Range(119.4, 119.4), Range(119, 120)),
        (Range(100.0, 130.0), Range(60, 180)),
        (Range(2700.0, 3600.0), Range(2700, 3600)),
        (Range(2710.0, 3599.0), Range(2700, 3600)),
    ],
)
def test_spans_are_shown_in_whole_seconds_or_minutes(exact, shown):
    """Nobody knows the milliseconds of what is to come; the span never loses what was in it, above a second."""
    assert rounded(exact) == shown


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
