"""Files that cannot be used, each refused with its fault and its fix; and extreme ones that can."""

import gzip

import polars as pl
import pytest
from lodestream_server.workloads.phase import BadInput

from tests.integration.loading_world import loaded, loaded_text

HEADER = "case,activity,time\n"
ROWS = "".join(f"{n % 7},step {n % 3},2024-01-{n % 28 + 1:02}T08:00:00Z\n" for n in range(100))
EVENT = '<event><string key="concept:name" value="a"/><date key="time:timestamp" value="2024-01-01T00:00:00Z"/></event>'
XES = f'<?xml version="1.0"?><log><trace><string key="concept:name" value="1"/>{EVENT * 500}</trace></log>'.encode()


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (b"", "EMPTY_FILE", "empty"),
        (HEADER, "NO_ROWS", "no rows"),
        (HEADER.strip(), "NO_ROWS", "no rows"),
        ("\n\n", "NO_HEADER", "names of the columns"),
        (ROWS, "NO_HEADER", "not a header"),
        ("a,b\n1,2\n3,4\n", "MISSING_COLUMN", 'caseIdColumn.*"a", "b"'),
        (HEADER + "1,a,soon\n1,b,later\n", "UNREADABLE_TIMESTAMPS", '"time".*"soon", "later".*timestampFormat'),
        (HEADER + ",a,2024-01-01\n,b,2024-01-02\n", "MISSING_COLUMN", "caseIdColumn"),
        (HEADER + ROWS + "1,a\0b,2024-01-01\n", "NUL_BYTE", r"byte \d+"),
        (HEADER + ROWS + '1,"never closed,2024-01-01\n' + ROWS, "UNCLOSED_QUOTE", "never closed"),
        (",".join(f"c{n}" for n in range(1_000_000)) + "\n1\n", "TOO_MANY_COLUMNS", "columns"),
        (",".join("c" * 6_000) + "\n1\n", "TOO_MANY_COLUMNS", "6,000 columns"),
        (bytes(range(256)) * 64, "NUL_BYTE", "no text"),
        (gzip.compress(XES)[:-20], "TRUNCATED", "cut off"),
        (gzip.compress(XES)[:200], "TRUNCATED", "cut off"),
        (gzip.compress(XES)[:40] + b"\0\1\2\3" * 40, "BAD_GZIP", "damaged"),
        (XES[:-20], "TRUNCATED", "cut off"),
        (XES[: len(XES) // 2], "TRUNCATED", "cut off"),
        (XES.replace(b"</event>", b"</evnet>", 3), "BAD_XML", "line 1"),
        (b'<!DOCTYPE l [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><log>&b;</log>', "DTD_REFUSED", "DOCTYPE"),
        (b"<?xml version='1.0'?><rss/>", "NOT_XES", "<rss>"),
        (b"<?xml version='1.0'?><log/>", "NO_ROWS", "no events"),
        (b"PAR1 and nothing of the kind PAR1", "BAD_PARQUET", "damaged"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_fault_and_fix(tmp_path, data, reason, words):
    """Never half-loaded, never with a stack trace."""
    with pytest.raises(BadInput, match=words) as refused:
        loaded_text(tmp_path, data)
    assert refused.value.reason == reason
    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({"encoding": "klingon"}, "UNKNOWN_ENCODING"),
        ({"encoding": "base64"}, "UNKNOWN_ENCODING"),
        ({"encoding": "utf-16"}, "BAD_ENCODING"),
        ({"delimiter": "é"}, "BAD_DELIMITER"),
        ({"delimiter": '"'}, "BAD_DELIMITER"),
        ({"delimiter": ";"}, "MISSING_COLUMN"),
        ({"caseIdColumn": "kase"}, "MISSING_COLUMN"),
        ({"timestampFormat": "dd.MM.yyyy"}, "BAD_TIMESTAMP_FORMAT"),
        ({"timestampFormat": "%d.%m.%Y"}, "UNREADABLE_TIMESTAMPS"),
    ],
)
def test_what_was_given_wrongly_at_upload_is_named(tmp_path, mapping, reason):
    """The text is UTF-8 with an umlaut."""
    with pytest.raises(BadInput) as refused:
        loaded_text(tmp_path, HEADER + ROWS + "1,Prüfung,2024-01-01T08:00:00Z\n", **mapping)
    assert refused.value.reason == reason


def test_when_no_record_is_valid_the_reasons_are_counted(tmp_path):
    """A sample that looked well, and then nothing but faults."""
    text = HEADER + ",a,2024-01-01\n1,,2024-01-02\n"
    with pytest.raises(BadInput, match="1 × Missing Activity, 1 × Missing Case ID") as refused:
        loaded_text(tmp_path, text)
    assert refused.value.reason == "NO_VALID_RECORDS"


@pytest.mark.parametrize(
    ("rows", "cases", "events", "activities"),
    [
        (["1,a,2024-01-01"], 1, 1, 1),
        ([f"{n},a,2024-01-01" for n in range(1_000)], 1_000, 1_000, 1),
        ([f"1,{n % 9},2024-01-01" for n in range(1_000)], 1, 1_000, 9),
        ([f"{n % 50},step {n},2024-01-01" for n in range(100_000)], 50, 100_000, 100_000),
        (["x" * 100_000 + ",a,2024-01-01", "y,b,2024-01-01"], 2, 2, 2),
    ],
)
def test_extreme_logs_are_loaded(tmp_path, rows, cases, events, activities):
    """One event, one activity, one case, 100,000 activities, an id of 100 kB."""
    results = loaded_text(tmp_path, HEADER + "\n".join(rows) + "\n").results
    assert (results["cases"], results["events"], results["activities"]) == (cases, events, activities)


def test_wide_logs_are_loaded(tmp_path):
    """A thousand attributes."""
    names = [f"attribute {n}" for n in range(1_000)]
    text = ",".join(["case", "activity", "time", *names]) + "\n" + f"1,a,2024-01-01{',7' * 1_000}\n" * 3
    log = loaded_text(tmp_path, text)
    assert log.rows.width == 1_004
    assert log.results["duplicateRecords"] == 2


def test_a_parquet_file_that_is_cut_off_is_refused(tmp_path):
    """Its end says where everything is."""
    whole = tmp_path / "whole.parquet"
    pl.DataFrame({"case": ["1"] * 1_000, "activity": ["a"] * 1_000, "time": ["2024-01-01"] * 1_000}).write_parquet(
        whole
    )
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-50])
    with pytest.raises(BadInput, match="damaged or cut off"):
        loaded(cut)
