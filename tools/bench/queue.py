"""From submission to a worker's first line, and jobs a second, against celery on Redis and huey on SQLite.

`python -m tools.bench.queue [--json] [--rounds N] [--jobs N]`. All three keep submission, start and end of a job
durably before they go on: celery acknowledges late and Redis syncs every write, huey's SQLite and ours sync every
commit. Each has two worker processes and is called by a process of its own, ours over gRPC with a key that is checked.
They take turns, so that a machine that slows down slows all of them. What cannot be installed is named and left out.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools.bench import _queue_anchors
from tools.bench._queue_anchors import Missing, Program, environment

SUBMITTERS = 8
_WARM_UP = 20

CONTENDERS: dict[str, Callable[[Path], AbstractContextManager[Program]]] = {
    "lodestream": _queue_anchors.ours,
    "celery": _queue_anchors.celery,
    "huey": _queue_anchors.huey,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A contender's median over the rounds."""

    contender: str
    start_p50_us: float
    jobs_per_second: float


class Client:
    """A contender's client process."""

    def __init__(self, program: Program, folder: Path) -> None:
        self._process = subprocess.Popen(
            program.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(program, folder),
            cwd=_queue_anchors.ROOT,
        )
        self._answer()

    def ask(self, *words: object) -> Any:
        """Sends a command and gives the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate(timeout=30)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return json.loads(line)
        raise RuntimeError(f"the client ended with {self._process.wait()}")


def once(name: str, jobs: int) -> tuple[float, float]:
    """One round of a contender: median microseconds to the start, and jobs a second. Raises Missing."""
    with tempfile.TemporaryDirectory(prefix="lodestream-bench-") as place, CONTENDERS[name](Path(place)) as program:
        client = Client(program, Path(place))
        try:
            client.ask("latency", _WARM_UP)
            return statistics.median(client.ask("latency", jobs // 4)), client.ask("rate", jobs, SUBMITTERS)
        finally:
            client.close()


def measure(rounds: int, jobs: int) -> tuple[list[Row], dict[str, str]]:
    """The rows, and the anchors that are missing with the reason."""
    seen: dict[str, list[tuple[float, float]]] = {}
    missing: dict[str, str] = {}
    for _ in range(rounds):
        for name in [one for one in CONTENDERS if one not in missing]:
            try:
                seen.setdefault(name, []).append(once(name, jobs))
            except Missing as fault:
                missing[name] = str(fault)
    rows = [
        Row(
            name,
            round(statistics.median(one[0] for one in seen[name])),
            round(statistics.median(one[1] for one in seen[name])),
        )
        for name in CONTENDERS
        if seen.get(name)
    ]
    return rows, missing


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description="Queue latency and rate against celery and huey.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=3, help="how often each takes its turn")
    parser.add_argument("--jobs", type=int, default=800, help="jobs of a round; a quarter of them for the latency")
    options = parser.parse_args(arguments)
    rows, missing = measure(options.rounds, options.jobs)
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "missing": missing}))
        return
    ours = rows[0]
    print(f"{'':12}{'start p50':>12}{'ours/theirs':>13}{'jobs/s':>9}{'ours/theirs':>13}")
    for row in rows:
        faster, more = ours.start_p50_us / row.start_p50_us, ours.jobs_per_second / row.jobs_per_second
        print(f"{row.contender:12}{row.start_p50_us:>9,.0f} us{faster:>13.2f}{row.jobs_per_second:>9,.0f}{more:>13.2f}")
    for name, reason in missing.items():
        print(f"{name} is missing: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
