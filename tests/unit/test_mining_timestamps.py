"""Timestamps as text: told apart, read as instants, and never guessed into something else."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lodestream_server.workloads.mining.timestamps import detect, epoch_unit, offsets, parse, patterns
from lodestream_server.workloads.phase import BadInput

NOON = datetime(2024, 1, 31, 12, 5, 9, tzinfo=UTC)


def read(texts: Sequence[str | None], pattern: str) -> list[datetime | None]:
    """The instants of some texts."""
    return parse(pl.Series(texts, dtype=pl.String), pattern).to_list()


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31T12:05:09Z",
        "2024-01-31 12:05:09",
        "2024-01-31T12:05:09+00:00",
        "2024-01-31 14:05:09+02:00",
        "2024-01-31T14:05:09.000+0200",
        "2024-01-31T14:05:09.0000000+02:00",
        "2024-01-31T14:05:09,000+02",
        "2024-01-31 12:05:09 UTC",
        " 2024-01-31T12:05:09z ",
        "31.01.2024 12:05:09",
        "31/01/2024 12:05:09",
        "01/31/2024 12:05:09",
        "1/31/2024 12:05:09 PM",
        "2024/01/31 12:05:09.000",
        "31-Jan-2024 12:05:09",
        "31 January 2024 12:05:09",
        "Jan 31, 2024 12:05:09 PM",
        "Wed, 31 Jan 2024 14:05:09 +0200",
        "20240131T120509",
        "20240131120509",
        "1706702709",
        "1706702709000",
        "1706702709000000",
        "1706702709000000000",
    ],
)
def test_one_instant_is_recognised_in_many_spellings(text):
    """Detected from the text alone and read as the same instant."""
    found = detect(pl.Series([text]))
    assert found is not None
    assert read([text], found.pattern) == [NOON]


#: Wall clocks, without an offset.
FIRST, LAST = datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2199-01-01")


@given(st.datetimes(min_value=FIRST, max_value=LAST), st.integers(-14 * 60, 14 * 60))
def test_any_iso_instant_is_read_exactly(naive, minutes):
    """Microseconds and offset included, next to other offsets and to rubbish in the same column."""
    sign, distance = ("-" if minutes < 0 else "+"), abs(minutes)
    text = f"{naive.isoformat(timespec='microseconds')}{sign}{distance // 60:02}:{distance % 60:02}"
    expected = (naive - timedelta(minutes=minutes)).replace(tzinfo=UTC)
    assert read([text], "iso8601") == [expected]
    assert read(["rubbish", None, text, "2024-01-31 12:05:09"], "iso8601") == [None, None, expected, NOON]


def test_impossible_dates_are_null_and_their_neighbours_are_read():
    """30 February, month 13, hour 25."""
    texts = ["2024-02-30T00:00:00Z", "2024-13-01", "2024-01-01T25:00:00Z", "2024-01-31T12:05:09Z"]
    assert read(texts, "iso8601") == [None, None, None, NOON]


@pytest.mark.parametrize(
    ("texts", "pattern"),
    [
        (["03/04/2024", "25/04/2024"], "%d/%m/%Y"),
        (["03/04/2024", "04/25/2024"], "%m/%d/%Y"),
        (["3.4.24 9:05", "25.4.24 10:00"], "%d.%m.%y %H:%M"),
    ],
)
def test_day_and_month_are_told_apart_by_the_data(texts, pattern):
    """One value above twelve decides for the column."""
    found = detect(pl.Series(texts))
    assert found is not None
    assert (found.pattern, found.ambiguous) == (pattern, False)


def test_when_nothing_tells_day_from_month_the_narrower_range_is_taken_and_said_to_be_a_guess():
    """Events of one log lie close together: 3, 4 and 5 April rather than 4 March, 4 April and 4 May."""
    found = detect(pl.Series(["03/04/2024", "04/04/2024", "05/04/2024"]))
    assert found is not None
    assert (found.pattern, found.ambiguous) == ("%d/%m/%Y", True)


@pytest.mark.parametrize("texts", [["a", "b"], ["1", "2", "3"], ["12.5", "13.5"], ["R2D2", "C3PO"], [], [None]])
def test_other_columns_are_no_timestamps(texts):
    """Words, small numbers, nothing."""
    assert detect(pl.Series(texts, dtype=pl.String)) is None


def test_words_for_absence_do_not_spoil_the_detection():
    """As other tools export them."""
    found = detect(pl.Series(["NULL", "", "NaT", "NA", "2024-01-31T12:05:09Z", None]))
    assert found is not None
    assert found.share == 1.0


def test_typed_columns_are_taken_as_they_are():
    """Dates, instants of any unit and zone, and epoch numbers."""
    zoned = pl.Series([NOON]).dt.convert_time_zone("Europe/Istanbul").cast(pl.Datetime("ns", "Europe/Istanbul"))
    assert parse(zoned, "iso8601").to_list() == [NOON]
    assert parse(pl.Series([NOON.date()]), "iso8601").to_list() == [datetime(2024, 1, 31, tzinfo=UTC)]
    assert parse(pl.Series([1_706_702_709]), "iso8601").to_list() == [NOON]
    assert parse(pl.Series([1_706_702_709.0]), "epoch-s").to_list() == [NOON]
    assert parse(pl.Series([1e300, None]), "epoch-s").to_list() == [None, None]


def test_an_epoch_needs_a_plausible_year_for_every_value():
    """One number from another century and it is no epoch."""
    assert epoch_unit(pl.Series([1_706_702_709])) == "epoch-s"
    assert epoch_unit(pl.Series([1_706_702_709, 5])) is None


@pytest.mark.parametrize("pattern", ["yyyy-MM-dd", "%H:%M", "%Q", "%Y-%m-%d %H"])
def test_a_pattern_that_cannot_be_used_is_refused_with_an_example(pattern):
    """Whoever gave it learns which one and what would do."""
    with pytest.raises(BadInput, match="timestampFormat") as refused:
        read(["2024-01-31"], pattern)
    assert refused.value.reason == "BAD_TIMESTAMP_FORMAT"


def test_offsets_are_listed_as_they_stand():
    """The empty one stands for times without an offset; plain dates have none to speak of."""
    texts = ["2024-01-01T10:00:00+02:00", "2024-01-01T10:00:00Z", "2024-01-01 10:00:00", "2024-01-01", None]
    assert offsets(pl.Series(texts)) == ["", "+02:00", "Z"]


@pytest.mark.parametrize("text", ["", "2024-01-01-01", "1/2", "12:30", "31.01.2024 noon", "Order 7"])
def test_a_text_that_is_no_date_suggests_no_pattern(text):
    """Nothing is made of half a date."""
    assert patterns(text) == []
