"""The pytest plugin: fixtures `lodestream_server` (a mock for the whole run) and `lodestream` (a session for one test).

Loaded in every project that installs the client, so at import it needs pytest and the standard library alone. The mock
runs as a process of its own; every worker of pytest-xdist has one.
"""

import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lodestream_mock.testing import Lodestream, LodestreamServer

_START_S = 30.0
_TRANSPORTS = ("grpc", "rest", "both")
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://lodestream.dev/pytest")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --lodestream-transport."""
    parser.getgroup("lodestream").addoption(
        "--lodestream-transport",
        choices=_TRANSPORTS,
        default="both",
        help="the doors that tests use: grpc, rest, or both (tests that take `lodestream_transport` run once a door)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker."""
    config.addinivalue_line(
        "markers",
        "lodestream(scenario=..., clock=..., language=..., seed=...): what the test's session of the mock plays",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that take `lodestream_transport` run over each door in use."""
    if "lodestream_transport" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--lodestream-transport")
        metafunc.parametrize("lodestream_transport", ["grpc", "rest"] if chosen == "both" else [chosen])


@pytest.fixture(scope="session")
def lodestream_server(request: pytest.FixtureRequest) -> Iterator["LodestreamServer"]:
    """A running mock on free ports: `grpc_target`, `rest_url` ("" when only gRPC is used)."""
    from lodestream_mock.testing import LodestreamServer

    with tempfile.TemporaryDirectory(prefix="lodestream-mock-") as folder:
        ready = Path(folder, "ready.json")
        rest = "none" if request.config.getoption("--lodestream-transport") == "grpc" else "127.0.0.1:0"
        command = [sys.executable, "-m", "lodestream_mock", "serve", "--grpc", "127.0.0.1:0", "--rest", rest]
        with Path(folder, "log.txt").open("w+") as log:
            process = subprocess.Popen([*command, "--ready-file", str(ready)], stdout=log, stderr=log)
            try:
                doors = _wait(process, ready, Path(folder, "log.txt"))
                yield LodestreamServer(doors["grpc"], doors.get("rest", ""))
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _wait(process: subprocess.Popen[bytes], ready: Path, log: Path) -> dict[str, str]:
    end = time.monotonic() + _START_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"the Lodestream mock did not start:\n{log.read_text()}", pytrace=False)
        time.sleep(0.01)  # noqa: TID251  # another process writes the file, and cannot tell us
    doors: dict[str, str] = json.loads(ready.read_text())
    return doors


@pytest.fixture
def lodestream(request: pytest.FixtureRequest, lodestream_server: "LodestreamServer") -> Iterator["Lodestream"]:
    """A session of its own for the test. Fails it at the end for faults that did not fire and for calls to what the
    contract does not have."""
    from lodestream_mock.testing import Lodestream

    marker = request.node.get_closest_marker("lodestream")
    # From the test's name, so that a run of the suite gives the same ids as the one before.
    tenant = str(uuid.uuid5(_NAMESPACE, request.node.nodeid))
    with Lodestream(lodestream_server, tenant, **(marker.kwargs if marker else {})) as session:
        yield session
        problems = session.problems()
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
