"""Sizes, rates, shares, money and counts read as the documentation writes them and survive the way there and back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodestream.wire import Refused, amounts

LANGUAGES = st.sampled_from(["en", "tr"])
RATES = st.floats(0, 1e15, allow_nan=False)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (999, "999 B"),
        (1_000, "1.0 KB"),
        (890_000, "890 KB"),
        (2_300_000, "2.3 MB"),
        (12_400_000, "12.4 MB"),
        (45_700_000, "45.7 MB"),
        (67_000_000, "67 MB"),
        (4_000_000_000, "4.0 GB"),
        (38_400_000_000, "38.4 GB"),
        (64_000_000_000, "64 GB"),
        (2_300_000_000_000, "2.3 TB"),
        (9_960_000, "10 MB"),
        (999_960_000, "1.0 GB"),
        (999_940_000, "999.9 MB"),
        (12_345_000_000_000_000, "12345 TB"),
    ],
)
def test_a_size_keeps_one_decimal_below_ten_and_no_idle_zero_above(size, text):
    """The documented texts and the edges where rounding reaches the next number of digits or the next unit."""
    assert amounts.size_text(size) == text


@given(st.integers(0, amounts.MAX_INT64))
def test_a_size_reads_back_to_a_tenth_of_its_unit(size):
    """Half a tenth of the printed unit is the most that is lost, and bytes below 1 KB lose nothing."""
    text = amounts.size_text(size)
    back = amounts.size_bytes(text)
    assert abs(back - size) <= {"B": 0, "KB": 50, "MB": 50_000, "GB": 50 * 10**6, "TB": 50 * 10**9}[text.split()[1]]
    assert amounts.size_text(back) == text


@pytest.mark.parametrize(
    ("number", "size"), [(0.8, 800_000_000), (3.2, 3_200_000_000), (4, 4 * 10**9), (0.004, 4_000_000)]
)
def test_gigabytes_are_bare_numbers_of_whole_megabytes(number, size):
    """0.8 in the documented history is 800 MB; integral numbers carry no point."""
    assert amounts.gigabytes(size) == number
    assert amounts.gigabytes_bytes(number) == size


@given(st.integers(0, amounts.MAX_SAFE))
def test_gigabytes_read_back_to_the_megabyte(size):
    """Half a megabyte is the most that is lost."""
    assert abs(amounts.gigabytes_bytes(amounts.gigabytes(size)) - size) <= 500_000


@pytest.mark.parametrize(
    ("rate", "language", "text"),
    [
        (1250, "en", "1250 records/second"),
        (1250, "tr", "1250 kayıt/saniye"),
        (0, "en", "0 records/second"),
        (12.34, "en", "12.3 records/second"),
        (1e16, "en", "10000000000000000 records/second"),
    ],
)
def test_a_rate_per_second_keeps_one_decimal(rate, language, text):
    """The documented texts; an exponent never shows."""
    assert amounts.per_second_text(rate, language) == text


@pytest.mark.parametrize(("language", "text"), [("en", "1890 records/minute"), ("tr", "dakikada 1890 kayıt")])
def test_a_rate_per_minute_turns_round_in_turkish(language, text):
    """The documented texts; the other order is read as well."""
    assert amounts.per_minute_text(1890, language) == text
    assert amounts.per_minute(text) == amounts.per_minute("1890 kayıt/dakika") == 1890


@given(RATES, LANGUAGES)
def test_rates_and_percents_read_back_to_one_decimal(value, language):
    """What is read is what was written, rounded to a tenth."""
    tenth = float(f"{value:.1f}")
    assert amounts.per_second(amounts.per_second_text(value, language)) == tenth
    assert amounts.per_minute(amounts.per_minute_text(value, language)) == tenth
    assert amounts.percent(amounts.percent_text(value, language)) == tenth


@pytest.mark.parametrize(
    ("share", "text"), [(45, "45%"), (99.5, "99.5%"), (-3.25, "-3.2%"), (-0.01, "0%"), (100, "100%")]
)
def test_a_percent_shows_its_sign(share, text):
    """The documented "45%", a decimal where there is one, and no minus before zero."""
    assert amounts.percent_text(share) == text


@pytest.mark.parametrize(
    ("units", "nanos", "text"),
    [
        (2, 450_000_000, "$2.45"),
        (1, 200_000_000, "$1.20"),
        (0, 0, "$0.00"),
        (0, 5_000_000, "$0.01"),
        (9, 999_999_999, "$10.00"),
        (-2, -450_000_000, "-$2.45"),
        (0, -1, "$0.00"),
    ],
)
def test_money_has_two_decimals(units, nanos, text):
    """The documented texts; half a cent rounds away from zero and carries."""
    assert amounts.money_text(units, nanos) == text


@given(st.integers(-(10**17), 10**17))
def test_money_reads_back_to_the_cent(cents):
    """Every whole number of cents is itself again."""
    sign = -1 if cents < 0 else 1
    units, rest = divmod(abs(cents), 100)
    pair = (sign * units, sign * rest * 10_000_000)
    assert amounts.money(amounts.money_text(*pair)) == pair


@pytest.mark.parametrize(
    ("rank", "text"),
    [
        (1, "1st percentile"),
        (2, "2nd percentile"),
        (3, "3rd percentile"),
        (4, "4th percentile"),
        (11, "11th percentile"),
        (12, "12th percentile"),
        (13, "13th percentile"),
        (21, "21st percentile"),
        (85, "85th percentile"),
        (111, "111th percentile"),
        (0, "0th percentile"),
    ],
)
def test_percentiles_are_ordinals(rank, text):
    """English has four endings, Turkish a point."""
    assert amounts.percentile_text(rank, "en") == text
    assert amounts.percentile_text(rank, "tr") == f"{rank}. persentil"


@given(st.integers(0, 2**31 - 1), LANGUAGES)
def test_counts_read_back_exactly(count, language):
    """Percentiles and numbers of further jobs lose nothing."""
    assert amounts.percentile(amounts.percentile_text(count, language)) == count
    assert amounts.more_jobs(amounts.more_jobs_text(count, language)) == count


def test_further_jobs_are_counted_in_both_languages():
    """The documented texts, and the singular."""
    assert [amounts.more_jobs_text(n, "en") for n in (0, 1, 6)] == [
        "0 additional jobs",
        "1 additional job",
        "6 additional jobs",
    ]
    assert amounts.more_jobs_text(6, "tr") == "6 ek iş"


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (amounts.size_bytes, "4 GiB"),
        (amounts.size_bytes, "-4 GB"),
        (amounts.size_bytes, "4e9 B"),
        (amounts.size_bytes, "9999999999999999999 TB"),
        (amounts.per_second, "fast"),
        (amounts.per_second, "1890 records/minute"),
        (amounts.per_minute, "dakikada kayıt"),
        (amounts.percent, "45"),
        (amounts.percent, "NaN%"),
        (amounts.percent, f"{'9' * 310}%"),
        (amounts.money, "2.45"),
        (amounts.money, "$2.455"),
        (amounts.percentile, "85"),
        (amounts.percentile, "9999999999th percentile"),
        (amounts.more_jobs, "six additional jobs"),
        (amounts.gigabytes_bytes, math.inf),
        (amounts.gigabytes_bytes, -0.5),
    ],
)
def test_what_is_no_amount_is_refused(read, text):
    """Nothing is guessed, and nothing overflows the field it goes into."""
    with pytest.raises(Refused):
        read(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_have_no_text(value):
    """They are bugs of whoever computed them."""
    for write in (amounts.plain, amounts.percent_text, lambda v: amounts.per_second_text(v, "en"), amounts.finite):
        with pytest.raises(Refused):
            write(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(78.0, "78"), (94.7, "94.7"), (0.001, "0.001"), (-0.0, "0"), (2.0**53, "9007199254740992.0"), (1e300, "1e+300")],
)
def test_a_plain_number_loses_its_point_only_below_two_to_the_53(value, shown):
    """1e300 must not become an integer of 301 digits."""
    assert repr(amounts.plain(value)) == shown
