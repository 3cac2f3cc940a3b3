"""The pytest plugin, in projects of its own: it costs nothing unused, isolates tests, and fails what hides."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ["-p", "lodestream_mock.pytest_plugin"]


def run(folder, *arguments):
    """Runs pytest in a folder, as a stranger would."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    # Where the package is installed with its entry points, the plugin is there already.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_plugin(), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=110, check=False
    )


def _plugin():
    from importlib.metadata import entry_points

    return [] if any(point.name == "lodestream" for point in entry_points(group="pytest11")) else PLUGIN


def project(tmp_path, tests, conftest=""):
    """A project with one file of tests."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_it.py").write_text(tests)
    return tmp_path


def test_the_plugin_imports_pytest_and_the_standard_library_alone():
    """It is loaded in every project that installs the client."""
    code = (
        "import sys, pytest; before = set(sys.modules); import lodestream_mock.pytest_plugin; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names); "
        "print(sorted(new))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['lodestream_mock']"


def test_the_example_project_passes():
    """As it stands, with the fixtures that `lodestream[mock]` brings."""
    done = run(ROOT / "examples" / "client-ci")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout


def test_a_fault_that_never_fired_fails_its_test(tmp_path):
    """With its words."""
    done = run(
        project(tmp_path, "def test_it(lodestream):\n    lodestream.faults.add('GetJob', code='INTERNAL')\n"),
        "--lodestream-transport=grpc",
    )
    assert done.returncode == 1
    assert "fault fault-1 (status INTERNAL for GetJob) fired 0 of 1 times" in done.stdout


def test_a_call_to_what_the_contract_does_not_have_fails_its_test(tmp_path):
    """Also when the client swallowed the 404."""
    tests = """
import urllib.request, urllib.error
def test_it(lodestream):
    try:
        urllib.request.urlopen(f"{lodestream.rest_url}/api/{lodestream.tenant_id}/execution/jobz")
    except urllib.error.HTTPError:
        pass
"""
    done = run(project(tmp_path, tests))
    assert done.returncode == 1
    assert "is not in the contract: GET /api/" in done.stdout


TWO = """
import pytest
BODY = {"jobName": "a", "jobType": "ProcessMining"}

@pytest.mark.lodestream(seed=5)
@pytest.mark.parametrize("n", range(4))
def test_each_is_alone(lodestream, n):
    from lodestream.v1 import job_pb2, job_pb2_grpc
    stub = job_pb2_grpc.JobServiceStub(lodestream.channel)
    request = job_pb2.SubmitJobRequest(
        tenant_id=lodestream.tenant_id, project_id=lodestream.project_id, job_name="a", job_type=1)
    assert stub.SubmitJob(request).job_id == "ee0e8400-e29b-41d4-a716-446655440000"
    assert lodestream.clock.elapsed == 0
    assert lodestream.clock.advance(90) == 90
    assert len(lodestream.journal.calls("SubmitJob")) == 1

async def over_asyncio(lodestream):
    from lodestream.v1 import job_pb2, job_pb2_grpc
    stub = job_pb2_grpc.JobServiceStub(lodestream.aio_channel)
    request = job_pb2.ListJobsRequest(tenant_id=lodestream.tenant_id, project_id=lodestream.project_id)
    assert len((await stub.ListJobs(request)).jobs) == len(lodestream.examples("list-jobs.response")["jobs"])
    await lodestream.aio_channel.close()

def test_the_doors_are_open_to_asyncio_too(lodestream):
    import asyncio
    asyncio.run(over_asyncio(lodestream))

def test_both_doors(lodestream, lodestream_transport):
    assert lodestream_transport in ("grpc", "rest")
"""


@pytest.mark.parametrize(("transport", "passed"), [("both", "7 passed"), ("grpc", "6 passed")])
def test_tests_are_alone_in_their_sessions_and_run_over_the_doors_in_use(tmp_path, transport, passed):
    """One run a door."""
    done = run(project(tmp_path, TWO), f"--lodestream-transport={transport}")
    assert passed in done.stdout, done.stdout + done.stderr


def test_the_plugin_works_under_xdist(tmp_path):
    """A mock for each worker."""
    pytest.importorskip("xdist")
    done = run(project(tmp_path, TWO), "-n", "2", "--lodestream-transport=grpc")
    assert "6 passed" in done.stdout, done.stdout + done.stderr
