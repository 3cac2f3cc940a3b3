"""What format a file has: its first bytes know better than its name."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from lodestream_server.workloads.phase import BadInput
from lodestream_server.workloads.sniffing import sniff

XES = b'<?xml version="1.0"?><log/>'


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"case,activity,time\n1,a,2024-01-01\n", "log.csv", "csv"),
        (b"case;activity;time\n", "export.txt", "csv"),
        (XES, "log.xes", "xes"),
        (b"\xef\xbb\xbf\n  <log>", "log", "xes"),
        (XES.decode().encode("utf-16"), "log.csv", "xes"),
        (b"<!-- made by a tool --><log>", "log.xml", "xes"),
        (gzip.compress(XES, mtime=0), "log.xes", "xes.gz"),
        (b"PAR1rest", "log.csv", "parquet"),
    ],
)
def test_the_first_bytes_decide(tmp_path: Path, data, name, expected):
    """Whatever the file is called."""
    (tmp_path / "file").write_bytes(data)
    assert sniff(tmp_path / "file", name) == expected


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "log.csv", "empty"),
        (b"PK\x03\x04...", "log.xlsx", "save the sheet as CSV"),
        (b"%PDF-1.7", "log.pdf", "PDF"),
        (gzip.compress(b"case,activity\n", mtime=0), "log.csv.gz", "decompress"),
        (b"\x1f\x8b\x08\x00garbage garbage", "log.xes.gz", "damaged"),
        (b"case,activity", "log.parquet", "Parquet"),
        (b"case,activity", "log.xes", "XES"),
    ],
)
def test_what_cannot_be_an_event_log_is_refused_with_advice(tmp_path: Path, data, name, words):
    """The message says what it is and what to do."""
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(BadInput, match=words):
        sniff(tmp_path / "file", name)


def test_sniffing_loads_no_mining_library():
    """The server calls it."""
    code = "import sys, lodestream_server.workloads.sniffing; print({'polars', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
