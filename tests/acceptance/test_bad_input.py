"""Files that cannot be used, uploads that break off, orders that make no sense, a disk that is full: what a user of the
command line gets to see, and that nothing is kept or lost.
"""

import gzip
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.served import Ran, Served, served

pytestmark = [pytest.mark.acceptance]

HEADER = "case,activity,time\n"
ROWS = "".join(f"{n % 7},step {n % 3},2024-01-{n % 28 + 1:02}T08:00:00Z\n" for n in range(200))
GOOD = HEADER + ROWS + "1,Prüfung,2024-01-01T08:00:00Z\n"
EVENT = '<event><string key="concept:name" value="a"/><date key="time:timestamp" value="2024-01-01T00:00:00Z"/></event>'
XES = f'<?xml version="1.0"?><log><trace><string key="concept:name" value="1"/>{EVENT * 500}</trace></log>'.encode()
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE log [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    '<log><trace><string key="concept:name" value="&b;"/></trace></log>'
)
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for all bad files."""
    with served(tmp_path_factory.mktemp("server")) as running:
        yield running


def refused(ran: Ran, *words: str) -> None:
    """Exit code 1 and a message of at most three lines that says these words; no stack trace, no path of the server."""
    assert (ran.code, ran.out) == (1, ""), ran
    assert ran.err.startswith("Error: ")
    assert len(ran.err.splitlines()) <= 3
    for word in words:
        assert word in ran.err
    assert "/data/" not in ran.err


def kept(server: Served) -> list[str]:
    """Datasets that the server lists, and files it holds for any."""
    listed = [one["datasetId"] for one in server.run("datasets", "list", "--json").json["datasets"]]
    return listed + [path.name for name in ("uploads", "datasets") for path in (server.data / name).iterdir()]


@pytest.mark.parametrize(
    ("name", "data", "options", "words"),
    [
        ("empty.csv", "", (), ("empty",)),
        ("header.csv", HEADER, (), ("no rows", "upload an event log with a row per event")),
        ("columns.csv", "a,b\n1,2\n3,4\n", (), ("caseIdColumn", 'Columns in the file: "a", "b"')),
        ("encoding.csv", GOOD, ("--encoding", "klingon"), ("klingon", "utf-8", "cp1252")),
        ("encoding.csv", GOOD, ("--encoding", "utf-16"), ("not valid utf-16", "give its encoding")),
        ("delimiter.csv", GOOD, ("--delimiter", ";"), ("caseIdColumn", '"case,activity,time"')),
        ("given.csv", GOOD, ("--case", "kase"), ('"kase"', '"case", "activity", "time"')),
        ("format.csv", GOOD, ("--timestamp-format", "%d.%m.%Y"), ('"time"', "%d.%m.%Y", "timestampFormat")),
        ("times.csv", HEADER + "1,a,soon\n1,b,later\n", (), ('"soon", "later"', "timestampFormat")),
        ("cut.xes.gz", gzip.compress(XES)[:-20], (), ("cut off", "upload it again")),
        ("cut.xes", XES[:-20], (), ("cut off", "upload it again")),
        ("bomb.xes", BOMB, (), ("entities", "remove <!DOCTYPE")),
        ("wide.csv", ",".join(f"c{n}" for n in range(1_000_000)) + "\n1\n", (), ("5,000 columns",)),
        ("cut.parquet", b"PAR1" + bytes(400), (), ("Parquet", "upload it again")),
        ("book.xlsx", b"PK\x03\x04" + bytes(400), (), ("spreadsheet", "save the sheet as CSV")),
        ("packed.csv.gz", gzip.compress(GOOD.encode()), (), ("only XES may be compressed", "decompress")),
        ("noise.csv", bytes(range(256)) * 64, (), ("NUL byte", "encoding")),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_at_upload_and_not_kept(server, tmp_path, name, data, options, words):
    """The fault, the fix, exit code 1; the server holds nothing of it."""
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    refused(server.run("datasets", "upload", tmp_path / name, *options), *words)
    assert kept(server) == []


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        ((f"{n % 50},a,2024-01-{n % 28 + 1:02}" for n in range(200)), (50, 200, 1)),
        ((f"1,step {n % 9},2024-01-{n % 28 + 1:02}" for n in range(200)), (1, 200, 9)),
        ((f"{n % 5_000},step {n},2024-01-{n // 5_000 + 1:02}" for n in range(100_000)), (5_000, 100_000, 100_000)),
        (("1,a,2024-01-01",), (1, 1, 1)),
    ],
    ids=["one activity", "one case", "100,000 activities", "one event"],
)
def test_an_extreme_log_is_mined_to_the_end(tmp_path_factory, server, rows, counts):
    """Counted rightly, with map and report; then deleted, so that nothing is left."""
    log = tmp_path_factory.mktemp("log") / "log.csv"
    log.write_text(HEADER + "\n".join(rows) + "\n")
    dataset = server.run("datasets", "upload", log, "--json").json
    assert (dataset["cases"], dataset["events"], dataset["activities"]) == counts
    watched = server.run("submit", "--dataset", dataset["datasetId"], "--watch")
    assert watched.code == 0, watched.out
    results = server.run("results", watched.out.split()[1], "--download", log.parent / "out", "--json")
    found = results.json["stageResults"]["Process Discovery"]
    assert (found["cases"], found["events"], found["activitiesDiscovered"]) == counts
    assert {"process-map.svg", "report.html"} <= {path.name for path in (log.parent / "out").iterdir()}
    assert server.run("datasets", "delete", dataset["datasetId"]).code == 0


def test_an_upload_that_breaks_off_leaves_nothing(server, tmp_path):
    """The command is killed in the middle of a large file."""
    with (tmp_path / "large.csv").open("w") as file:
        file.write(HEADER)
        for _ in range(20_000):
            file.write(ROWS)
    with server.begin("datasets", "upload", str(tmp_path / "large.csv")) as command:
        eventually(lambda: any((server.data / "uploads").iterdir()))
        command.kill()
    eventually(lambda: not any((server.data / "uploads").iterdir()))
    assert kept(server) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("submit", "--dataset", "nonsense"), 1, ("parameters.datasetId", "no dataset nonsense", "datasets list")),
        (("submit", "--operation", "--dataset", "nonsense"), 1, ("parameters.datasetId", "no dataset nonsense")),
        (("submit",), 2, ("parameters.datasetId", "required")),
        (("submit", "--dataset", "DATASET", "--type", "Sorcery"), 2, ("Sorcery", "ProcessMining")),
        (("submit", "--dataset", "DATASET", "--priority", "Huge"), 2, ("Huge", "Low, Normal, High, Critical")),
        (("submit", "--dataset", "DATASET", "--param", "removeDuplicates=maybe"), 2, ("removeDuplicates", "true or")),
        (("submit", "--dataset", "DATASET", "--param", "timeWindow=5"), 2, ("timeWindow", "object", "number")),
        (("submit", "--dataset", "DATASET", "--param", "caseIdColumn=7"), 2, ("caseIdColumn", "text", "number")),
        (("submit", "--dataset", "DATASET", "--timeout", "5 parsecs"), 2, ("5 parsecs", "30m")),
        (("submit", "--dataset", "DATASET", "--at", "tomorrow"), 2, ("tomorrow", "2026-01-31")),
        (("watch", "nonsense"), 1, ("no such run", "lodestream jobs")),
        (("results", "nonsense"), 1, ("no such run",)),
        (("cancel", "nonsense"), 1, ("no such run",)),
        (("datasets", "show", "nonsense"), 1, ("no such dataset", "datasets list")),
        (("datasets", "upload", "/nowhere/log.csv"), 2, ("/nowhere/log.csv", "does not exist")),
        (("datasets", "upload", "log.csv", "--delimiter", "ab"), 2, ("header.delimiter", "at most 1")),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_by_name(orders, words, code, said):
    """The field, its fault, the fix; 1 for what is not there, 2 for what was written wrongly; nothing is started."""
    server, dataset = orders
    ran = server.run(*(dataset if word == "DATASET" else word for word in words))
    assert (ran.code, ran.out) == (code, ""), ran
    for text in said:
        assert text in ran.err
    assert server.run("jobs", "--json").json["jobs"] == []


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    """A server with one good dataset."""
    folder = tmp_path_factory.mktemp("orders")
    (folder / "log.csv").write_text(GOOD)
    with served(folder) as running:
        yield running, running.run("datasets", "upload", "log.csv", "--json").json["datasetId"]


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Served]:
    """A server with a data directory of six megabytes."""
    (tmp_path / "data").mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(tmp_path / "data")]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("a small disk can be mounted by root alone")
    try:
        with served(tmp_path) as running:
            yield running
    finally:
        subprocess.run(["umount", str(tmp_path / "data")], check=True)


def test_an_upload_that_the_disk_cannot_hold_is_refused_and_not_kept(small_disk):
    """Said so; a log that fits is taken afterwards."""
    (small_disk.folder / "big.csv").write_text(HEADER + ROWS * 1_600)
    refused(small_disk.run("datasets", "upload", "big.csv"), "No space is left", "datasets delete")
    assert kept(small_disk) == []
    (small_disk.folder / "small.csv").write_text(GOOD)
    assert small_disk.run("datasets", "upload", "small.csv").code == 0


def test_a_run_that_the_disk_cannot_hold_fails_and_leaves_the_server_at_work(small_disk):
    """It says why, gives back what its last phase took, and everything else goes on."""
    rows = "".join(
        f"{n % 7_000},step {n % 13},2024-01-{n % 28 + 1:02}T08:00:{n % 60:02}Z,R{n % 91}\n" for n in range(60_000)
    )
    (small_disk.folder / "log.csv").write_text("case,activity,time,resource\n" + rows)
    dataset = small_disk.run("datasets", "upload", "log.csv", "--json").json["datasetId"]
    watched = small_disk.run("submit", "--dataset", dataset, "--watch")
    assert watched.code == 1
    assert "No space is left on the server's disk." in watched.out
    assert list((small_disk.data / "runs").rglob("*.partial")) == []
    assert small_disk.run("jobs", "--status", "Failed", "--json").json["jobs"][0]["status"] == "Failed"
    assert small_disk.run("datasets", "delete", dataset).code == 0
    (small_disk.folder / "small.csv").write_text(GOOD)
    assert small_disk.run("datasets", "upload", "small.csv").code == 0


def eventually(fact: Callable[[], bool]) -> None:
    """Returns when it is so."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if fact():
            return
        pause.wait(0.02)
    raise AssertionError(f"still not so after {PATIENCE_S:g} s")
