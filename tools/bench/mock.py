"""The mock server against Prism and Mockoon, serving the same documented example: cold start, memory, throughput.

`python -m tools.bench mock [--json]`. The anchors are Node programs; `npm install --prefix out/bench/npm
@stoplight/prism-cli @mockoon/cli` brings them. Those that are missing are named and left out. Contenders take turns in
every round, and medians are compared.
"""

import argparse
import asyncio
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
import psutil

from lodestream import documented
from lodestream.v1 import job_pb2, job_pb2_grpc
from tools.bench._http_load import load

CONNECTIONS = 16
ROOT = Path(__file__).resolve().parents[2]
NPM = ROOT / "out" / "bench" / "npm" / "node_modules" / ".bin"
_TENANT, _PROJECT = "11111111-1111-4111-8111-111111111111", "660e8400-e29b-41d4-a716-446655440000"
_JOB = "cc0e8400-e29b-41d4-a716-446655440000"
_PATH = f"/api/{_TENANT}/{_PROJECT}/execution/job/{_JOB}"
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """Medians over the rounds: seconds from the command to the first answer, resident megabytes of all its processes
    then, and answers a second at 16 connections (0 for gRPC alone)."""

    contender: str
    cold_s: float
    resident_mb: float
    per_second: float


def contenders(folder: Path) -> dict[str, Callable[[int], list[str]]]:
    """Name -> the command that serves the example on a port; only those that are installed."""
    found: dict[str, Callable[[int], list[str]]] = {
        "lodestream": lambda port: _own("--grpc", "127.0.0.1:0", "--rest", f"127.0.0.1:{port}"),
        "lodestream (gRPC alone)": lambda port: _own("--grpc", f"127.0.0.1:{port}", "--rest", "none"),
    }
    if (NPM / "prism").exists():
        document = str(ROOT / "src" / "lodestream" / "rest" / "openapi.yaml")
        found["prism"] = lambda port: [str(NPM / "prism"), "mock", "-h", "127.0.0.1", "-p", str(port), document]
    if (NPM / "mockoon-cli").exists():
        found["mockoon"] = lambda port: [str(NPM / "mockoon-cli"), "start", "--data", _mockoon(folder, port)]
    return found


def missing() -> list[str]:
    """Anchors that are not installed."""
    return [name for name in ("prism", "mockoon-cli") if not (NPM / name).exists()]


def measure(rounds: int = 5, seconds: float = 2.0) -> list[Result]:
    """Every contender in turn, a fresh process each round."""
    with tempfile.TemporaryDirectory(prefix="bench-mock-") as name:
        commands = contenders(Path(name))
        seen: dict[str, list[tuple[float, float, float]]] = {contender: [] for contender in commands}
        for _ in range(rounds):
            for contender, command in commands.items():
                seen[contender].append(_round(contender, command, Path(name), seconds))
    return [
        Result(contender, *(round(statistics.median(column), 3) for column in zip(*figures, strict=True)))
        for contender, figures in seen.items()
    ]


def _round(
    contender: str, command: Callable[[int], list[str]], folder: Path, seconds: float
) -> tuple[float, float, float]:
    port, only_grpc = _free_port(), contender.endswith("alone)")
    answers = _answers_grpc if only_grpc else _answers_rest
    # Mockoon keeps a log and settings in the home folder; this one goes with the bench.
    environment = {**os.environ, "HOME": str(folder), "NO_UPDATE_NOTIFIER": "1"}
    begun = time.perf_counter()
    process = subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        while not answers(port):
            if process.poll() is not None or time.perf_counter() - begun > _START_S:
                raise RuntimeError(f"{contender} did not answer (exit code {process.poll()})")
            time.sleep(0.002)  # noqa: TID251  # the port of another process
        cold = time.perf_counter() - begun
        per_second = 0.0
        if not only_grpc:
            done = asyncio.run(load("127.0.0.1", port, _request(), connections=CONNECTIONS, seconds=seconds))
            per_second = done.per_second
        return cold, _resident_mb(process.pid), per_second
    finally:
        process.terminate()
        process.wait(20)


def _answers_rest(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", _PATH, headers={"authorization": "Bearer x"})
        answer = connection.getresponse()
        return answer.status == 200 and json.loads(answer.read())["jobId"] is not None
    except OSError:
        return False
    finally:
        connection.close()


def _answers_grpc(port: int) -> bool:
    with socket.socket() as probe:  # a channel that fails waits before it dials again
        if probe.connect_ex(("127.0.0.1", port)):
            return False
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        request = job_pb2.GetJobRequest(tenant_id=_TENANT, project_id=_PROJECT, job_id=_JOB)
        return bool(job_pb2_grpc.JobServiceStub(channel).GetJob(request, timeout=10).job_id)


def _request() -> bytes:
    return f"GET {_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nAuthorization: Bearer x\r\n\r\n".encode()


def _resident_mb(pid: int) -> float:
    whole = psutil.Process(pid)
    return float(sum(process.memory_info().rss for process in [whole, *whole.children(recursive=True)]) / 1e6)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _own(*options: str) -> list[str]:
    return [sys.executable, "-m", "lodestream_mock", "serve", *options]


def _mockoon(folder: Path, port: int) -> str:
    """An environment file with the one route, in the form that Mockoon's own editor writes."""
    response = {
        "uuid": "r",
        "body": documented.example_bytes("get-job.response").decode(),
        "latency": 0,
        "statusCode": 200,
        "label": "",
        "headers": [{"key": "content-type", "value": "application/json"}],
        "bodyType": "INLINE",
        "filePath": "",
        "databucketID": "",
        "sendFileAsBody": False,
        "rules": [],
        "rulesOperator": "OR",
        "disableTemplating": True,
        "fallbackTo404": False,
        "default": True,
        "crudKey": "id",
        "callbacks": [],
    }
    route = {
        "uuid": "a",
        "type": "http",
        "documentation": "",
        "method": "get",
        "endpoint": "api/:tenant/:project/execution/job/:job",
        "responses": [response],
        "responseMode": None,
        "streamingMode": None,
        "streamingInterval": 0,
    }
    environment = {
        "uuid": "e",
        "lastMigration": 33,
        "name": "bench",
        "port": port,
        "hostname": "127.0.0.1",
        "endpointPrefix": "",
        "latency": 0,
        "folders": [],
        "routes": [route],
        "rootChildren": [{"type": "route", "uuid": "a"}],
        "proxyMode": False,
        "proxyHost": "",
        "proxyRemovePrefix": False,
        "tlsOptions": {"enabled": False},
        "cors": False,
        "headers": [],
        "proxyReqHeaders": [],
        "proxyResHeaders": [],
        "data": [],
        "callbacks": [],
    }
    file = folder / f"mockoon-{port}.json"
    file.write_text(json.dumps(environment))
    return str(file)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table with the ratios to Prism that are promised."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.mock", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    results = measure(options.rounds)
    for name in missing():
        print(f"left out, because it is not installed: {name}", file=sys.stderr)
    if options.json:
        print(json.dumps([asdict(result) for result in results]))
        return 0
    prism = next((result for result in results if result.contender == "prism"), None)
    print(f"{'':26}{'cold s':>8}{'MB':>7}{'GET/s':>8}{'x prism: cold':>16}{'MB':>7}{'GET/s':>8}")
    for one in results:
        line = f"{one.contender:26}{one.cold_s:8.2f}{one.resident_mb:7.0f}{one.per_second:8.0f}"
        if prism:
            ratios = (one.cold_s / prism.cold_s, one.resident_mb / prism.resident_mb)
            line += f"{ratios[0]:16.2f}{ratios[1]:7.2f}{one.per_second / prism.per_second:8.2f}"
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
