"""Times are read in the forms that the documented programs send and written in one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodestream.wire import Refused
from lodestream.wire.instants import MAX_SECONDS, MIN_SECONDS, instant_parts, instant_text

MORNING = int(datetime(2024, 1, 20, 10, 30, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("2024-01-20T10:30:00Z", MORNING, 0),
        ("2024-01-20T10:30:00", MORNING, 0),
        ("2024-01-20T10:30", MORNING, 0),
        ("2024-01-20 10:30:00+00:00", MORNING, 0),
        ("2024-01-20t10:30:00z", MORNING, 0),
        ("2024-01-20T13:30:00+03:00", MORNING, 0),
        ("2024-01-20T04:30:00.5-06:00", MORNING, 500_000_000),
        ("2024-01-20T10:30:00.123456", MORNING, 123_456_000),
        ("2024-01-20T10:30:00.123456789Z", MORNING, 123_456_789),
        ("2024-01-20", MORNING - 37_800, 0),
        ("1969-12-31T23:59:59.25Z", -1, 250_000_000),
    ],
)
def test_times_are_read_with_and_without_offset_and_fraction(text, seconds, nanos):
    """Without an offset a time is UTC; a plain date is its midnight."""
    assert instant_parts(text) == (seconds, nanos)


@given(st.integers(MIN_SECONDS, MAX_SECONDS))
def test_a_written_time_reads_back_to_the_second(seconds):
    """From the year 1 to 9999, written with a Z and nothing finer."""
    text = instant_text(seconds)
    assert len(text) == 20
    assert text.endswith("Z")
    assert instant_parts(text) == (seconds, 0)


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)),  # noqa: DTZ001  # hypothesis wants naive bounds
    st.integers(-23 * 60, 23 * 60),
)
def test_what_python_programs_send_is_read(moment, offset):
    """isoformat() of an aware time, at any offset, is the same instant here."""
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    seconds, nanos = instant_parts(aware.isoformat())
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=nanos // 1000) == aware


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2024-13-01",
        "2024-02-30T00:00:00Z",
        "2024-W03-6",
        "20240120",
        "2024-01-20T10",
        "2024-01-20T24:00:00Z",
        "2024-01-20T10:30:60Z",
        "2024-01-20T10:30:00+0300",
        "2024-01-20T10:30:00 +03:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "２０２４-01-20",
        "2024-01-20T10:30:00Z\n",
        "1705746600",
    ],
)
def test_what_is_no_time_is_refused_with_an_example(text):
    """Week dates, basic forms, leap seconds and other digits are not guessed at."""
    with pytest.raises(Refused, match="RFC 3339"):
        instant_parts(text)


@pytest.mark.parametrize("seconds", [MIN_SECONDS - 1, MAX_SECONDS + 1, 2**62])
def test_times_beyond_the_calendar_are_not_written(seconds):
    """A timestamp outside the years 1 to 9999 is a bug of whoever computed it."""
    with pytest.raises(Refused):
        instant_text(seconds)
