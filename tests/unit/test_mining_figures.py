"""Statistics over rows that are read part by part: the same figures, however small the parts are."""

import polars as pl
import pytest
from lodestream_server.workloads.mining import figures
from lodestream_server.workloads.phase import Cancelled


def kept(folder):
    """Three buckets with a thousand values of nine keys; the first key has most of them."""
    for number in range(3):
        keys = [min(place % 40, 9) % 9 for place in range(number, 1_000)]
        values = [(place * 7_919) % 1_000 for place in range(number, 1_000)]
        rows = pl.DataFrame({"key": keys, "value": values}, schema={"key": pl.UInt64, "value": pl.Int64})
        figures.keep(folder, "steps", number, rows)


def test_figures_do_not_depend_on_how_the_rows_are_parted(tmp_path, monkeypatch):
    """Medians cannot be merged: all values of a key are looked at together, also in the smallest parts."""
    kept(tmp_path)
    whole = figures.summarise(tmp_path, "steps", lambda: None)
    assert whole["count"].sum() == 2_997
    for at_once, between in ((10**6, 1), (500, 100), (1, 1)):
        monkeypatch.setattr(figures, "ROWS_AT_ONCE", at_once)
        monkeypatch.setattr(figures, "_BETWEEN", between)
        assert figures.summarise(tmp_path, "steps", lambda: None).equals(whole)


def test_a_part_that_fits_into_memory_can_be_left_in_its_midst(tmp_path, monkeypatch):
    """Between two keys of what was read at once."""
    kept(tmp_path)
    monkeypatch.setattr(figures, "_BETWEEN", 1)
    seen: list[None] = []

    def check():
        seen.append(None)
        if len(seen) == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        figures.summarise(tmp_path, "steps", check)
