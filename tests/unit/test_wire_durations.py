"""Durations read as the documentation writes them, in both languages, and survive the way there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodestream.wire import Refused, durations

LANGUAGES = st.sampled_from(["en", "tr"])
SECONDS = st.integers(0, durations.MAX_SECONDS)
MINUTE, HOUR, DAY = 60, 3_600, 86_400


@pytest.mark.parametrize(
    ("seconds", "english", "turkish"),
    [
        (512, "8 minutes 32 seconds", "8 dakika 32 saniye"),
        (1395, "23 minutes 15 seconds", "23 dakika 15 saniye"),
        (420, "7 minutes", "7 dakika"),
        (2700, "45 minutes", "45 dakika"),
        (0, "0 seconds", "0 saniye"),
        (1, "1 second", "1 saniye"),
        (61, "1 minute 1 second", "1 dakika 1 saniye"),
        (HOUR, "1 hour", "1 saat"),
        (HOUR + 5, "1 hour", "1 saat"),
        (2 * HOUR + 30 * MINUTE + 59, "2 hours 30 minutes", "2 saat 30 dakika"),
        (DAY + HOUR + 61, "1 day 1 hour", "1 gün 1 saat"),
        (10 * DAY + MINUTE, "10 days", "10 gün"),
    ],
)
def test_a_compound_duration_shows_its_two_largest_units(seconds, english, turkish):
    """The documented texts, singular and plural, and what is smaller than the second unit cut off."""
    assert durations.compound_text(seconds, "en") == english
    assert durations.compound_text(seconds, "tr") == turkish


@given(SECONDS, LANGUAGES)
def test_a_compound_duration_reads_back_to_its_second_unit(seconds, language):
    """At most one unit of the second place is lost, and the text of what was read is the same text."""
    text = durations.compound_text(seconds, language)
    back = durations.compound_seconds(text)
    size = next((unit for unit in (DAY, HOUR, MINUTE) if seconds >= unit), 1)
    precision = {DAY: HOUR, HOUR: MINUTE, MINUTE: 1, 1: 1}[size]
    assert back == seconds - seconds % precision
    assert durations.compound_text(back, language) == text


def test_a_compound_duration_of_all_units_is_read():
    """Input may be more precise than what we write."""
    assert durations.compound_seconds("1 day 2 saat 3 minutes 4 saniye") == DAY + 2 * HOUR + 3 * MINUTE + 4


@pytest.mark.parametrize(
    ("seconds", "english", "turkish"),
    [
        (252, "4.2 minutes", "4.2 dakika"),
        (1110, "18.5 minutes", "18.5 dakika"),
        (345, "5.75 minutes", "5.75 dakika"),
        (2310, "38.5 minutes", "38.5 dakika"),
        (1380, "23 minutes", "23 dakika"),
        (15_120, "4.2 hours", "4.2 saat"),
        (11_160, "3.1 hours", "3.1 saat"),
        (60, "1 minute", "1 dakika"),
        (1, "1 second", "1 saniye"),
        (0, "0 seconds", "0 saniye"),
        (0.25, "0.25 seconds", "0.25 saniye"),
        (59.999, "1 minute", "1 dakika"),
        (3599.9, "1 hour", "1 saat"),
        (1.5 * DAY, "1.5 days", "1.5 gün"),
    ],
)
def test_a_decimal_duration_takes_the_largest_unit_it_fills(seconds, english, turkish):
    """The documented texts; rounding carries into the next unit instead of printing 60 of the smaller one."""
    assert durations.decimal_text(int(seconds * 10**9), "en") == english
    assert durations.decimal_text(int(seconds * 10**9), "tr") == turkish


@given(st.integers(0, durations.MAX_SECONDS * 10**9 // 2), LANGUAGES)
def test_a_decimal_duration_reads_back_to_a_hundredth_of_its_unit(nanos, language):
    """Half a hundredth of the printed unit is the most that is lost."""
    text = durations.decimal_text(nanos, language)
    back = durations.decimal_nanos(text)
    unit = next((size for size in (DAY, HOUR, MINUTE) if back >= size * 10**9), 1)
    assert abs(back - nanos) <= unit * 10**9 // 200
    assert durations.decimal_text(back, language) == text


@pytest.mark.parametrize(
    ("low", "high", "english", "turkish"),
    [
        (2700, 3600, "45-60 minutes", "45-60 dakika"),
        (480, 600, "8-10 minutes", "8-10 dakika"),
        (1200, 1500, "20-25 minutes", "20-25 dakika"),
        (4500, 5400, "75-90 minutes", "75-90 dakika"),
        (900, 900, "15 minutes", "15 dakika"),
        (90, 120, "90-120 seconds", "90-120 saniye"),
        (3600, 7200, "1-2 hours", "1-2 saat"),
        (60, 60, "1 minute", "1 dakika"),
        (0, 60, "0-1 minute", "0-1 dakika"),
        (0, 0, "0 seconds", "0 saniye"),
        (DAY, 3 * DAY, "1-3 days", "1-3 gün"),
    ],
)
def test_a_range_takes_the_largest_unit_that_holds_both_ends(low, high, english, turkish):
    """The documented texts; equal ends print once and no end loses a second."""
    assert durations.range_text(low, high, "en") == english
    assert durations.range_text(low, high, "tr") == turkish


@given(SECONDS, SECONDS, LANGUAGES)
def test_a_range_reads_back_exactly(one, other, language):
    """Ranges of whole seconds lose nothing."""
    low, high = sorted((one, other))
    assert durations.range_seconds(durations.range_text(low, high, language)) == (low, high)


@given(st.integers(0, 10**12))
def test_milliseconds_read_back_to_the_millisecond(millis):
    """Whole milliseconds lose nothing; the documented latency is 12ms."""
    assert durations.millis_nanos(durations.millis_text(millis * 10**6)) == millis * 10**6
    assert durations.millis_text(12_400_000) == "12ms"


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (durations.compound_seconds, "soon"),
        (durations.compound_seconds, ""),
        (durations.compound_seconds, "5"),
        (durations.compound_seconds, "5 parsecs"),
        (durations.compound_seconds, "-5 seconds"),
        (durations.compound_seconds, "5.5 minutes"),
        (durations.compound_seconds, "5 seconds 3 minutes"),
        (durations.compound_seconds, "5 minutes 3 dakika"),
        (durations.compound_seconds, "٥ seconds"),
        (durations.compound_seconds, "999999999999 days"),
        (durations.decimal_nanos, "4,2 minutes"),
        (durations.decimal_nanos, "1e3 minutes"),
        (durations.decimal_nanos, "999999999999 hours"),
        (durations.range_seconds, "60-45 minutes"),
        (durations.range_seconds, "45-60"),
        (durations.range_seconds, "1-2-3 minutes"),
        (durations.millis_nanos, "12s"),
        (durations.millis_nanos, "999999999999999ms 1"),
    ],
)
def test_what_is_no_duration_is_refused_with_an_example(read, text):
    """Nothing is guessed: every refusal says what the text should look like."""
    with pytest.raises(Refused) as refused:
        read(text)
    assert refused.value.problems[0].reason
    assert refused.value.problems[0].fix


@pytest.mark.parametrize(
    "write",
    [
        lambda: durations.compound_text(-1, "en"),
        lambda: durations.decimal_text(-1, "en"),
        lambda: durations.range_text(-5, 5, "en"),
        lambda: durations.range_text(6, 5, "en"),
        lambda: durations.millis_text(-1),
    ],
)
def test_negative_durations_and_ranges_upside_down_are_never_written(write):
    """They are bugs of whoever computed them, so they surface."""
    with pytest.raises(Refused):
        write()
