"""`lodestream mock ...` and `lodestream verify`: what they print, and how they refuse."""

import json
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import typer
from lodestream_mock import cli
from lodestream_mock.scenarios import source
from typer.testing import CliRunner

MOCK = [sys.executable, "-m", "lodestream_mock"]


def invoke(*arguments):
    """The result of a command."""
    app = typer.Typer()
    cli.register(app)
    cli.register_verify(app)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def mock(tmp_path_factory):
    """A mock on free ports: the addresses of its ready file."""
    ready = tmp_path_factory.mktemp("mock") / "ready.json"
    command = [*MOCK, "serve", "--grpc", "127.0.0.1:0", "--rest", "127.0.0.1:0", "--ready-file", str(ready)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        done = invoke("mock", "wait", "--ready-file", str(ready), "--timeout", "30")
        assert done.exit_code == 0, done.output
        yield json.loads(done.stdout)
        process.terminate()
        assert process.wait(10) == 0
    assert not ready.exists()


def test_quirks_lists_where_the_pages_contradict_themselves():
    """Each with its example and place."""
    done = invoke("mock", "quirks")
    assert "get-operation.response  progress/totalPhases\n    says 3 while phases lists 4" in done.stdout


def test_check_tells_good_files_from_bad_ones(tmp_path):
    """Every mistake with line and path, exit code 2."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(source("documented"))
    bad.write_text(source("documented").replace("takes: 2m15s", "takes: 2:15").replace("kind: job", "knd: job", 1))
    assert invoke("mock", "check", str(good)).exit_code == 0
    done = invoke("mock", "check", str(bad))
    assert done.exit_code == 2
    assert "unknown key; did you mean kind?" in done.output
    assert invoke("mock", "check", str(tmp_path / "none.yaml")).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scenario", "job-lifecycel"], "did you mean job-lifecycle?"),
        (["--clock", "fast"], "use one of frozen, step, auto, wall, scaled:RATE"),
        (["--language", "fr"], "use one of en, tr"),
        (["--grpc", "50061"], "must be HOST:PORT"),
        (["--contract-version", "v2"], "this mock replays v1"),
    ],
)
def test_serve_refuses_wrong_options_with_the_fix(arguments, told):
    """Exit code 2, no traceback."""
    done = subprocess.run([*MOCK, "serve", *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("door", ["--grpc", "--rest"])
def test_serve_refuses_a_busy_port(door):
    """And names the free one."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        address = f"127.0.0.1:{busy.getsockname()[1]}"
        other = ["--grpc", "127.0.0.1:0"] if door == "--rest" else ["--rest", "none"]
        command = [*MOCK, "serve", door, address, *other]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert f"{door} 127.0.0.1:0 takes a free port" in done.stderr


def test_explain_answers_offline_and_from_a_running_mock(mock):
    """The same; exit code 1 when the call would be refused."""
    line = "GET /api/11111111-1111-4111-8111-111111111111/execution/system/status"
    offline = invoke("mock", "explain", line)
    online = invoke("mock", "explain", line, "--grpc", mock["grpc"])
    assert json.loads(offline.stdout) == json.loads(online.stdout)
    assert json.loads(offline.stdout)["answer"]["systemStatus"] == "Healthy"
    wrong = invoke("mock", "explain", "GET /api/nothing")
    assert (wrong.exit_code, json.loads(wrong.stdout)["httpStatus"]) == (1, 404)


def test_wait_gives_up_with_the_reason(tmp_path):
    """Exit code 1."""
    done = invoke("mock", "wait", "--ready-file", str(tmp_path / "none.json"), "--timeout", "0.05")
    assert done.exit_code == 1
    assert "did not appear within 0.05 s" in done.output


def test_coverage_is_told_in_three_forms_and_can_fail(mock):
    """Text, JSON, JUnit."""
    assert "items exercised" in invoke("mock", "coverage", "--grpc", mock["grpc"]).stdout
    assert "percent" in json.loads(invoke("mock", "coverage", "--grpc", mock["grpc"], "--format", "json").stdout)
    ET.fromstring(invoke("mock", "coverage", "--grpc", mock["grpc"], "--format", "junit").stdout)
    failed = invoke("mock", "coverage", "--grpc", mock["grpc"], "--fail-under", "100")
    assert (failed.exit_code, "100 % wanted" in failed.output) == (1, True)
    assert invoke("mock", "coverage", "--format", "xml").exit_code == 2


def test_the_contract_is_verified_on_the_mock(mock):
    """No drift over either door."""
    done = invoke("verify", "--grpc", mock["grpc"], "--rest", mock["rest"])
    assert done.exit_code == 0, done.output
    assert ", 0 drift from the contract" in done.stdout


def test_verify_tells_when_nobody_answers():
    """Exit code 3."""
    done = invoke("verify", "--grpc", "127.0.0.1:1")
    assert done.exit_code == 3
    assert "no server answers at 127.0.0.1:1" in done.output


def test_verify_reports_drift():
    """A server that answers with other words, keys and codes."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from lodestream_mock.verifier.checks import _as_document
    from lodestream_mock.verifier.target import Target

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = b'{"systemStatus": "Fine", "node": 1}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    target = Target("127.0.0.1:1", f"http://127.0.0.1:{server.server_port}", "", "t", "p")
    said = target.over_rest("GetSystemStatus", target.request("GetSystemStatus"))
    thread.join()
    server.server_close()
    target.close()
    drift = next(iter(_as_document("GetSystemStatus", said))).drift
    assert "/systemStatus" in drift
    assert "unknown key 'node'" in drift


def test_the_command_needs_no_server_or_mining_library():
    """The mock runs without the extras `server` and `mining`."""
    code = (
        "import sys; import lodestream_mock.app, lodestream.rest.app; "
        "unwanted = ('polars', 'duckdb', 'pyarrow', 'sqlite_utils', 'psutil', 'lodestream_server'); "
        "print([name for name in unwanted if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    assert done.stdout.strip() == "[]"
