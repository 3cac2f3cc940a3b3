"""`lodestream doctor` as an operator runs it: what it finds, how it says it, and that it changes nothing."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest
from lodestream_server.doctor import place_checks
from lodestream_server.doctor.library_checks import libraries
from lodestream_server.doctor.settings_checks import settings
from lodestream_server.settings import ServerSettings

from tests.support.server import running_server


def examined(*options, **environment):
    """Exit code, standard output, errors."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LODESTREAM_")}
    words = [sys.executable, "-m", "lodestream", "doctor", *map(str, options)]
    done = subprocess.run(words, env={**own, **environment}, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def levels(findings):
    """The level of each check that is not good."""
    return {finding.check: finding.level for finding in findings if finding.level != "good"}


@pytest.fixture
async def data_dir(tmp_path):
    """A data directory that a server has used."""
    async with running_server(tmp_path / "data", seats=1):
        pass
    return tmp_path / "data"


def contents(folder):
    """Every file with its content and its time."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


async def test_a_healthy_server_has_no_findings_and_is_left_alone(data_dir):
    """Exit 0; nothing is created or changed."""
    before = contents(data_dir)
    code, out, _ = examined("--data-dir", data_dir, "--json")
    told = json.loads(out)
    assert (code, told["healthy"]) == (0, True), out
    assert {finding["check"] for finding in told["findings"]} == {"settings", "disk", "files", "store", "libraries"}
    assert contents(data_dir) == before


async def test_it_may_look_while_a_server_is_at_work(tmp_path):
    """Its lock and its store stay its own."""
    async with running_server(tmp_path / "data", seats=1):
        code, out, _ = examined("--data-dir", tmp_path / "data")
    assert code == 0
    assert "✓ store:" in out


async def test_what_others_may_read_is_a_problem(data_dir):
    """With the command that mends it."""
    (data_dir / "admin-token").chmod(0o644)
    code, out, _ = examined("--data-dir", data_dir)
    assert code == 1
    assert f"✗ admin-token: Others than its owner may use {data_dir}/admin-token (mode 644)." in out
    assert f"    chmod go= {data_dir}/admin-token" in out


async def test_a_store_that_cannot_be_used_is_a_problem(data_dir):
    """Newer, cut short, or no store at all."""
    path = data_dir / "lodestream.sqlite"
    whole = path.read_bytes()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    code, out, _ = examined("--data-dir", data_dir)
    assert (code, "The store has version 999" in out) == (1, True)
    for content in (b"nonsense" * 1000, whole[: len(whole) // 2]):
        path.write_bytes(content)
        (finding,) = place_checks.store(path)
        assert (finding.level, finding.check) == ("problem", "store")
        assert path.read_bytes() == content


def test_what_is_not_there_yet_is_no_problem(tmp_path):
    """Before the first start; and nothing is made."""
    code, out, _ = examined("--data-dir", tmp_path / "data")
    assert (code, "the first start makes it" in out) == (0, True)
    assert not (tmp_path / "data").exists()


def test_unsafe_settings_are_found_wherever_they_come_from(tmp_path):
    """The environment counts as for serve; nonsense is a usage error."""
    code, out, _ = examined("--data-dir", tmp_path, LODESTREAM_GRPC="0.0.0.0:50051")
    assert (code, "✗ grpc: 0.0.0.0:50051 is reachable" in out) == (1, True)
    code, _, err = examined("--grpc", "somewhere")
    assert (code, "--grpc: must be HOST:PORT" in err) == (2, True)


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, {}),
        ({"rest": "0.0.0.0:8080"}, {"rest": "problem", "reflection": "warning"}),
        ({"grpc": "unix:/tmp/socket", "rest": "[::1]:80"}, {}),
        ({"limits": False}, {"limits": "warning"}),
        ({"rest_origins": "https://a, *", "rest_hosts": "*"}, {"rest-origins": "warning", "rest-hosts": "warning"}),
        ({"tls_key": "/nowhere/key.pem"}, {"tls": "problem", "--tls-key": "problem"}),
        ({"traces": "http://collector:4318"}, {"traces": "warning"}),
        ({"traces": "http://127.0.0.1:4318"}, {}),
    ],
)
def test_each_unsafe_setting_is_named(chosen, found):
    """Problems are what nobody should run; warnings what somebody may want."""
    assert levels(settings(ServerSettings(**chosen))) == found


@pytest.mark.parametrize(
    ("line", "installed", "bad"),
    [
        ("polars>=1.20; extra == 'mining'", "1.19.5", True),
        ("polars>=1.20; extra == 'mining'", "1.20", False),
        ("polars>=1.20; extra == 'mining'", None, False),
        ("psutil>=6; extra == 'server'", None, True),
        ("grpcio>=1.76", None, True),
        ("graphlay==0.3.1; extra == 'mining'", "0.3.2", True),
        ("connexion<4,>=3.3; extra == 'rest'", "4.0.0", True),
        ("connexion<4,>=3.3; extra == 'rest'", "3.3", False),
    ],
)
def test_libraries_of_other_versions_are_found(line, installed, bad):
    """Pinned, too old, too new, or missing where a server needs them."""

    def version_of(name):
        if installed is None:
            raise PackageNotFoundError(name)
        return installed

    assert ("libraries" in levels(libraries(lambda: [line], version_of))) is bad


def test_little_disk_is_a_problem(tmp_path, monkeypatch):
    """Below a gigabyte; a small share of a large disk is a warning."""
    for free, total, level in ((10**8, 10**12, "problem"), (10**10, 10**12, "warning"), (10**11, 10**12, "good")):
        usage = type("Usage", (), {"free": free, "total": total})
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        assert [finding.level for finding in place_checks.disk(tmp_path)] == [level]
