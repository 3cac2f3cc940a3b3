"""The same log as CSV, XES, XES.gz and Parquet is the same log; and what each format adds."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from xml.sax.saxutils import quoteattr

import polars as pl
import pytest
from lodestream_server.workloads.mining import read_parquet, read_xes

from tests.integration.loading_world import Loaded, loaded

CASES = {f"case {n}": [("register", 0), ("check", n % 5), *[("decide", 9)] * (n % 3)] for n in range(40)}


def csv_log(folder: Path) -> Path:
    """The cases one after the other, a cost per event."""
    lines = ["case:concept:name,concept:name,time:timestamp,cost,case:kind"]
    for case, steps in CASES.items():
        for place, (step, cost) in enumerate(steps):
            lines.append(f"{case},{step},2024-01-{min(place, 2) + 1:02}T08:00:00+01:00,{cost},plain & <simple>")
    path = folder / "log.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def xes_log(folder: Path) -> Path:
    """The same as XES."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?><log>']
    for case, steps in CASES.items():
        parts.append(f'<trace><string key="concept:name" value={quoteattr(case)}/>')
        parts.append('<string key="kind" value="plain &amp; &lt;simple&gt;"/>')
        for place, (step, cost) in enumerate(steps):
            time = f"2024-01-{min(place, 2) + 1:02}T08:00:00+01:00"
            parts.append(
                f'<event><string key="concept:name" value="{step}"/><date key="time:timestamp" value="{time}"/>'
            )
            parts.append(f'<int key="cost" value="{cost}"/></event>')
        parts.append("</trace>")
    path = folder / "log.xes"
    path.write_text("".join(parts) + "</log>")
    return path


def shared(log: Loaded) -> pl.DataFrame:
    """The rows in one order of columns."""
    return log.rows.select("case_id", "activity", "timestamp", "position", "cost", "case:kind")


def test_the_format_makes_no_difference(tmp_path, monkeypatch):
    """Rows, order and types; in batches of a few rows as well."""
    plain = loaded(csv_log(tmp_path))
    packed = tmp_path / "log.xes.gz"
    packed.write_bytes(gzip.compress(xes_log(tmp_path).read_bytes()))
    parquet = tmp_path / "log.parquet"
    pl.read_csv(tmp_path / "log.csv", try_parse_dates=True).write_parquet(parquet)
    monkeypatch.setattr(read_xes, "BATCH", 7)
    monkeypatch.setattr(read_xes, "CHUNK", 100)
    monkeypatch.setattr(read_parquet, "BATCH", 7)
    wide = tmp_path / "wide.xes"
    wide.write_bytes((tmp_path / "log.xes").read_text().replace("UTF-8", "UTF-16").encode("utf-16"))
    for path in (tmp_path / "log.xes", wide, packed, parquet):
        other = loaded(path)
        assert shared(other).equals(shared(plain))
        assert other.results["duplicateRecords"] == plain.results["duplicateRecords"] == 13
        assert other.phase.progressed[1][1] == plain.results["recordsLoaded"]


def test_attributes_that_come_up_late_in_xes_become_columns(tmp_path, monkeypatch):
    """Null before, and in their order of appearance; also one of a later trace."""
    monkeypatch.setattr(read_xes, "BATCH", 2)
    attributes = '<string key="concept:name" value="a"/><date key="time:timestamp" value="2024-01-01T00:00:00Z"/>'
    event = f"<event>{attributes}{{}}</event>"
    plain, special = (
        event.format(""),
        event.format('<boolean key="urgent" value="true"/><float key="cost" value="2.5"/>'),
    )
    path = tmp_path / "log.xes"
    path.write_text(
        f'<log><trace>{plain * 5}</trace><trace><string key="vip" value="yes"/>{plain}{special}</trace></log>'
    )
    log = loaded(path)
    assert log.results["cases"] == 2
    assert set(log.traces()) == {"trace 1", "trace 2"}
    assert log.summary.attributes == {"urgent": "boolean", "cost": "number", "case:vip": "string"}
    assert log.rows["urgent"].sum() == 1
    assert log.rows["case:vip"].drop_nulls().to_list() == ["yes", "yes"]


def test_xes_speaks_of_lifecycle_and_resource(tmp_path):
    """Under the standard names."""
    keys = {"concept:name": "a", "lifecycle:transition": "start", "org:resource": "anna"}
    texts = "".join(f'<string key="{key}" value="{value}"/>' for key, value in keys.items())
    date_ = '<date key="time:timestamp" value="2024-01-01T00:00:00Z"/>'
    path = tmp_path / "log.xes"
    path.write_text(f'<log><trace><string key="concept:name" value="1"/><event>{texts}{date_}</event></trace></log>')
    row = loaded(path).rows.row(0, named=True)
    assert (row["activity"], row["lifecycle"], row["resource"]) == ("a", "start", "anna")


def test_parquet_keeps_its_types_and_leaves_nested_columns_out(tmp_path):
    """Categories become texts, decimals numbers, instants UTC; numbers may be ids."""
    path = tmp_path / "log.parquet"
    pl.DataFrame(
        {
            "order_id": [7, 7, 8],
            "activity": pl.Series(["a", "b", "a"], dtype=pl.Categorical),
            "timestamp": pl.Series(
                [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3)], dtype=pl.Datetime("ns", "UTC")
            ),
            "paid": [True, False, None],
            "due": [date(2024, 1, 1), None, None],
            "price": pl.Series(["1.10", "2.20", None]).cast(pl.Decimal(10, 2)),
            "items": [["x"], [], None],
        }
    ).write_parquet(path)
    log = loaded(path)
    assert log.traces() == {"7": ["a", "b"], "8": ["a"]}
    assert log.rows.schema["timestamp"] == pl.Datetime("us", "UTC")
    assert log.summary.attributes == {"paid": "boolean", "due": "timestamp", "price": "number"}
    assert log.rows["price"].sum() == pytest.approx(3.3)
    assert any("items" in line.text for line in log.phase.warnings)


def test_parquet_rows_with_missing_values_are_sorted_out_like_others(tmp_path):
    """No case, no activity, no time."""
    path = tmp_path / "log.parquet"
    times = [datetime.fromisoformat(f"2024-01-0{day}") if day else None for day in (1, 2, 3, 0, 5, 0)]
    frame = {"case": ["1", None, "1", "1", "1", "1"], "activity": ["a", "b", None, "d", "e", "f"], "time": times}
    pl.DataFrame(frame).write_parquet(path)
    log = loaded(path)
    assert log.traces() == {"1": ["a", "d", "e"]}
    assert log.rejected.select("record", "reason").rows() == [
        ("1", "Missing Case ID"),
        ("2", "Missing Activity"),
        ("5", "Missing Timestamp"),
    ]
