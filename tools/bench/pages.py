"""Whether a page of a list costs the same however long the list is: the first page of 20 operations over REST, with
1,000 and with 1,000,000 runs in the project.

`python -m tools.bench pages [--json]`. Two real servers take turns. Their runs are copies of one that has ended,
written into the stopped store, so that a million take seconds.
"""

import argparse
import asyncio
import json
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from tools.bench._http_load import load

FEW, MANY = 1_000, 1_000_000
_SCOPE = "/api/660e8400-e29b-41d4-a716-446655440000/770e8400-e29b-41d4-a716-446655440000/async"
_COPY = """
WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < :more)
INSERT INTO runs SELECT number + n, run || '-' || n, tenant, project, kind, type, name, priority, state, epoch,
    submitted_by, dataset, size_bytes, created - n, started, ended, last_sequence, folded, along_bytes
    FROM runs, copies
"""


@dataclass(frozen=True, slots=True)
class Result:
    """Medians over the rounds for a project with so many runs."""

    runs: int
    per_second: float
    median_us: float


class _Server:
    """A real server with so many runs."""

    def __init__(self, folder: Path, runs: int) -> None:
        self._folder, self._runs = folder, runs
        self._ready = folder / "ready.json"

    def __enter__(self) -> "_Server":
        self._folder.mkdir()
        self._start()
        try:
            self._run_one()
        finally:
            self._stop()
        self._multiply()
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def address(self) -> str:
        """http://host:port."""
        return str(json.loads(self._ready.read_text())["rest"])

    def round(self, seconds: float) -> tuple[float, float]:
        """(answers a second, median microseconds)."""
        host, _, port = self.address.removeprefix("http://").partition(":")
        key = self._key()["authorization"]
        head = f"GET {_SCOPE}/operations?pageSize=20 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {key}\r\n\r\n"
        done = asyncio.run(load(host, int(port), head.encode(), connections=4, seconds=seconds))
        return done.per_second, done.median_us

    def _run_one(self) -> None:
        log, form = b"case,activity,time\n1,A,2024-01-01T08:00:00Z\n1,B,2024-01-01T09:00:00Z\n", {"datasetName": "Log"}
        with httpx.Client(base_url=self.address, headers=self._key(), timeout=30) as client:
            path = f"{_SCOPE.removesuffix('/async')}/datasets"
            dataset = client.post(path, data=form, files={"file": ("log.csv", log)}).raise_for_status().json()
            body: dict[str, object] = {"operationType": "ProcessMiningAnalysis", "operationName": "A run"}
            body |= {"parameters": {"datasetId": dataset["datasetId"]}}
            run = client.post(f"{_SCOPE}/operation", json=body).raise_for_status().json()["operationId"]
            client.delete(f"{_SCOPE}/operation/{run}")

    def _key(self) -> dict[str, str]:
        return {"authorization": f"Bearer {json.loads(self._ready.read_text())['token']}"}

    def _start(self) -> None:
        doors = ("--grpc", "127.0.0.1:0", "--rest", "127.0.0.1:0", "--ready-file", str(self._ready))
        command = (sys.executable, "-m", "lodestream", "serve", "--data-dir", str(self._folder / "data"), *doors)
        self._process = subprocess.Popen(
            [*command, "--seats", "1", "--drain-s", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not self._ready.exists():
            if self._process.poll() is not None:
                raise RuntimeError("the server did not start")
            time.sleep(0.05)  # noqa: TID251  # another process writes the file

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)

    def _multiply(self) -> None:
        (store,) = (self._folder / "data").glob("*.sqlite")
        with sqlite3.connect(store) as db:
            db.execute(_COPY, {"more": self._runs - 1})
            db.execute("UPDATE counters SET runs = runs + ? WHERE runs > 0", (self._runs - 1,))
        db.close()


def measure(rounds: int = 7, seconds: float = 1.0) -> list[Result]:
    """Both servers in turn."""
    with tempfile.TemporaryDirectory(prefix="lodestream-bench-") as folder, ExitStack() as stack:
        servers = {runs: stack.enter_context(_Server(Path(folder) / str(runs), runs)) for runs in (FEW, MANY)}
        seen: dict[int, list[tuple[float, float]]] = {runs: [] for runs in servers}
        for turn in range(rounds + 1):
            for runs, server in servers.items():
                figures = server.round(seconds)
                if turn:  # the first round warms caches up
                    seen[runs].append(figures)
        return [
            Result(runs, *(round(statistics.median(c), 1) for c in zip(*f, strict=True))) for runs, f in seen.items()
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table, and the ratio that is promised (at most 1.5)."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.pages", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    results = measure(options.rounds)
    if options.json:
        print(json.dumps([asdict(result) for result in results]))
        return 0
    print(f"{'runs':>10}{'pages/s':>10}{'median us':>11}")
    for one in results:
        print(f"{one.runs:10,}{one.per_second:10.0f}{one.median_us:11.0f}")
    print(f"a page with {MANY:,} runs takes {results[1].median_us / results[0].median_us:.2f} x as long")
    return 0


if __name__ == "__main__":
    sys.exit(main())
