"""How fast the REST door is: GET and POST of one operation against connexion as it comes and against bare Starlette.

`python -m tools.bench rest [--json]`. Each contender is a server process of its own; they take turns in short rounds at
eight connections, and medians are compared. Processor time of the server per request is given beside the rate, because
on two cores the load generator shares the machine.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import psutil

from lodestream import documented
from tools.bench._http_load import load
from tools.bench._rest_servers import CONTENDERS

CONNECTIONS = 8
_TENANT, _PROJECT = "660e8400-e29b-41d4-a716-446655440000", "770e8400-e29b-41d4-a716-446655440000"
_PATH = f"/api/{_TENANT}/{_PROJECT}/async/operation"


@dataclass(frozen=True, slots=True)
class Result:
    """Medians over the rounds: answers a second, median latency, the server's processor time for an answer."""

    request: str
    contender: str
    per_second: float
    median_us: float
    cpu_us: float


def get() -> bytes:
    """GET of one operation, with the headers that clients send."""
    return _request("GET", f"{_PATH}/op-1", b"")


def post() -> bytes:
    """POST of one operation, with the documented body."""
    return _request("POST", _PATH, documented.example_bytes("start-operation.request"))


def measure(rounds: int = 7, seconds: float = 1.0) -> list[Result]:
    """Every contender with both requests, in turn."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(_Server(name)) for name in CONTENDERS}
        results = []
        for name, request in (("GET", get()), ("POST", post())):
            seen: dict[str, list[tuple[float, float, float]]] = {contender: [] for contender in servers}
            for turn in range(rounds + 1):
                for contender, server in servers.items():
                    figures = server.round(request, seconds)
                    if turn:  # the first round warms caches up
                        seen[contender].append(figures)
            results += [Result(name, contender, *_medians(figures)) for contender, figures in seen.items()]
        return results


class _Server:
    """One contender's process."""

    def __init__(self, name: str) -> None:
        self._command = [sys.executable, "-m", "tools.bench._rest_servers", name]

    def __enter__(self) -> "_Server":
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def round(self, request: bytes, seconds: float) -> tuple[float, float, float]:
        """(answers a second, median microseconds, processor microseconds an answer)."""
        watched = psutil.Process(self._process.pid)
        before = watched.cpu_times()
        done = asyncio.run(load("127.0.0.1", self._port, request, connections=CONNECTIONS, seconds=seconds))
        after = watched.cpu_times()
        spent = after.user + after.system - before.user - before.system
        return done.per_second, done.median_us, spent / (done.per_second * seconds) * 1e6


def _medians(figures: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    first, second, third = (round(statistics.median(column), 1) for column in zip(*figures, strict=True))
    return first, second, third


def _request(method: str, path: str, body: bytes) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nAccept-Language: en\r\n"
    head += "Authorization: Bearer lode_0123456789\r\nUser-Agent: bench\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table, and the ratios that are promised."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.rest", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    results = measure(options.rounds)
    if options.json:
        print(json.dumps([asdict(result) for result in results]))
        return 0
    print(f"{'':6}{'':12}{'answers/s':>10}{'median us':>11}{'server us':>11}{'x connexion':>13}{'x bare':>8}")
    for one in results:
        base = {other.contender: other.per_second for other in results if other.request == one.request}
        ratios = f"{one.per_second / base['connexion']:13.2f}{one.per_second / base['bare']:8.2f}"
        print(f"{one.request:6}{one.contender:12}{one.per_second:10.0f}{one.median_us:11.0f}{one.cpu_us:11.0f}{ratios}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
