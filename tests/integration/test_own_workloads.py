"""Own workloads: the example package installed and run through the real server on both doors, and packages that cannot
be used."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
import pytest_asyncio
from lodestream_server.app import running
from lodestream_server.engine.intake import check
from lodestream_server.runs.states import RunKind
from lodestream_server.settings import ServerSettings
from lodestream_server.workloads.built_in import offered
from lodestream_server.workloads.plugins import GROUP

from lodestream.client import Client
from lodestream.errors import InvalidField, NotBuilt
from tests.integration.engine_world import job
from tests.support.installing import install_module, install_project
from tests.support.server import PROJECT, ROOT, TENANT

EXAMPLE = ROOT / "examples" / "custom-workload"
LOG = b"case,activity,time\n1,A,2024-01-01\n1,B,2024-01-02\n2,B,2024-01-01\n2,,2024-01-02\n"
USABLE = """
from lodestream_server.workloads.own import PhaseSpec, Workload
WORKLOAD = Workload("{name}", [PhaseSpec("Only", "{module}:run")], {schema}, kinds=["job"])
"""
#: What is wrong with a package, and what is said of it.
FAULTS = {
    "Broken": ("import surely_not_there", "ModuleNotFoundError: No module named 'surely_not_there'"),
    "Leaving": ("raise SystemExit(3)", "SystemExit: 3"),
    "Nonsense": ("WORKLOAD = 5", "names int, not a lodestream_server.workloads.own.Workload"),
    "Elsewhere": (USABLE.format(name="Elsewhere", module="no_such_module", schema={}), "no module no_such_module"),
    "Misnamed": (USABLE.format(name="Other", module="json", schema={}), 'its type is "Other"'),
    "BadSchema": (USABLE.format(name="BadSchema", module="json", schema={"type": "nonsense"}), '"nonsense"'),
}


@contextmanager
def importable(folder):
    """What is installed into the folder is found by this process."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder
    for name in [name for name in sys.modules if name.startswith(("top_activities", "own_"))]:
        del sys.modules[name]


@pytest.fixture
def site(tmp_path):
    """A folder that packages are installed into and found in."""
    with importable(tmp_path / "site") as folder:
        yield folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory):
    """One with both doors and the example package, whose workers find it too."""
    folder = tmp_path_factory.mktemp("served")
    with importable(folder / "site") as site:
        install_project(EXAMPLE, site)
        catalogue = offered()
    chosen = ServerSettings(data_dir=folder / "data", grpc="127.0.0.1:0", rest="127.0.0.1:0", seats=1)
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(site)])}
    engine = replace(chosen.engine(), worker_environment=paths)
    async with running(chosen, catalogue=catalogue, engine_settings=engine) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def client(server):
    """Somebody who works in the project."""
    async with Client(server.address, token=server.token, tenant_id=TENANT, project_id=PROJECT) as client:
        yield client


@pytest.mark.asyncio(loop_scope="module")
async def test_the_example_package_runs_on_both_doors(server, client, tmp_path):
    """Found through its entry point; as a job over gRPC and as an operation over REST; shown, listed, with its log,
    warning, results and artifact."""
    path = tmp_path / "log.csv"
    path.write_bytes(LOG)
    uploaded = await client.upload_dataset(path)
    given = {"activityColumn": "activity", "top": 1}
    mine = await client.submit_job("By gRPC", type="TopActivities", dataset=uploaded, parameters=given)
    await mine.wait()
    shown, results = await mine.get(), await mine.results()
    assert shown.custom_type == "TopActivities"
    assert results.success, results.error
    assert results.results.primary_output.type == "TopActivities"
    assert [one.job_id async for one in client.jobs(type="TopActivities")] == [mine.id]
    assert [one.job_id async for one in client.jobs(type="ProcessMining")] == []

    base = f"{server.rest}/api/{TENANT}/{PROJECT}"
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {server.token}"}) as http:
        common = {"customType": "TopActivities", "parameters": {"datasetId": uploaded.dataset_id, **given}}
        body_of_a_job = {"jobType": "Custom", "jobName": "Later", **common}
        body = {"operationType": "Custom", "operationName": "By REST", **common}
        started = (await http.post(f"{base}/async/operation", json=body)).json()
        assert (started["operationType"], started["customType"]) == ("Custom", "TopActivities")
        await client.operation(started["operationId"]).wait()
        at = f"{base}/async/operation/{started['operationId']}"
        told = (await http.get(f"{at}/results", params={"format": "detailed"})).json()
        later = body_of_a_job | {"scheduling": {"executeImmediately": False, "scheduledTime": "2099-01-01"}}
        waiting = (await http.post(f"{base}/execution/job", json=later)).json()["jobId"]
        await http.delete(f"{base}/execution/job/{waiting}")
        again = (await http.post(f"{base}/execution/job/{waiting}/retry", json={})).json()
        logs = (await http.get(f"{base}/execution/job/{mine.id}/logs")).text
    assert told["phaseResults"][1]["results"] == {"top": [{"activity": "B", "rows": 2}]}
    assert [one["name"] for one in told["artifacts"]] == ["Top activities"]
    assert (told["operationType"], told["customType"]) == ("Custom", "TopActivities")
    assert (again["jobType"], again["customType"]) == ("Custom", "TopActivities")
    assert "1 rows have no activity" in logs


@pytest.mark.asyncio(loop_scope="module")
async def test_parameters_are_checked_against_the_schema_on_both_doors(server, client):
    """Every fault at once, each with its field."""
    bad = {"datasetId": "d", "top": 0, "tip": 1}
    with pytest.raises(InvalidField) as raised:
        await client.submit_job("Bad", type="TopActivities", parameters=bad)
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {server.token}"}) as http:
        body = {"jobType": "Custom", "customType": "TopActivities", "jobName": "Bad", "parameters": bad}
        answer = await http.post(f"{server.rest}/api/{TENANT}/{PROJECT}/execution/job", json=body)
        del body["customType"]
        unnamed = await http.post(f"{server.rest}/api/{TENANT}/{PROJECT}/execution/job", json=body)
        body |= {"jobType": "ProcessMining", "customType": "TopActivities"}
        contrary = await http.post(f"{server.rest}/api/{TENANT}/{PROJECT}/execution/job", json=body)
    with pytest.raises(InvalidField, match="TopActivities"):
        await client.submit_job("Unknown", type="BottomActivities")
    assert {one.field: one.description for one in raised.value.violations} == {
        "parameters.activityColumn": "is required",
        "parameters.top": "0 is less than the minimum of 1",
        "parameters": "Additional properties are not allowed ('tip' was unexpected)",
    }
    assert answer.status_code == unnamed.status_code == contrary.status_code == 400
    assert "excludes a documented type" in contrary.text
    assert "/parameters/activityColumn" in answer.text
    assert "/customType" in unnamed.text


def test_packages_that_cannot_be_used_are_refused_with_the_reason(site, caplog):
    """They are named in the log, and nobody else suffers; a documented name is not theirs to take."""
    for number, (name, (source, _)) in enumerate(FAULTS.items()):
        module = f"own_{number}"
        install_module(site, module, source, {GROUP: {name: f"{module}:WORKLOAD"}})
    install_module(site, "own_thief", "WORKLOAD = 1", {GROUP: {"ProcessMining": "own_thief:WORKLOAD"}})
    install_project(EXAMPLE, site)
    catalogue = offered()
    for name, (_, said) in FAULTS.items():
        with pytest.raises(NotBuilt, match=f"workload {name} .package own.\\d. cannot be used") as raised:
            catalogue.find(RunKind.JOB, name)
        assert said in str(raised.value)
        assert f"the own workload {name} of" in caplog.text
    assert catalogue.find(RunKind.JOB, "TopActivities").phases
    assert catalogue.find(RunKind.JOB, "ProcessMining").phases[0].name == "Data Loading"


def test_the_doctor_names_what_cannot_be_used(tmp_path, site):
    """Exit 1, and what can be used is named as well."""
    install_module(site, "own_broken", "import surely_not_there", {GROUP: {"Broken": "own_broken:WORKLOAD"}})
    install_project(EXAMPLE, site)
    environment = {**os.environ, "PYTHONPATH": str(site), "LODESTREAM_DATA_DIR": str(tmp_path / "data")}
    words = [sys.executable, "-m", "lodestream", "doctor", "--json"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
    told = [one for one in json.loads(done.stdout)["findings"] if one["check"] == "workloads"]
    assert done.returncode == 1
    assert [(one["level"], "surely_not_there" in one["message"]) for one in told] == [
        ("problem", True),
        ("good", False),
    ]


def test_what_every_run_may_ask_for_needs_no_place_in_a_schema(site):
    """resourceAllocation passes even where additional properties do not; a schema that names it decides itself."""
    strict = {"properties": {"a": {}}, "additionalProperties": False}
    install_module(
        site, "own_s", USABLE.format(name="Strict", module="json", schema=strict), {GROUP: {"Strict": "own_s:WORKLOAD"}}
    )
    spec = offered().find(RunKind.JOB, "Strict")
    check(job("Strict", resourceAllocation={"cpuUnits": 1}), spec)
    with pytest.raises(InvalidField, match="other"):
        check(job("Strict", other="1"), spec)


@pytest.mark.asyncio(loop_scope="module")
async def test_notebook_jobs_are_off_until_a_setting_turns_them_on(client):
    """The refusal names the setting."""
    with pytest.raises(NotBuilt, match="LODESTREAM_NOTEBOOKS=true"):
        await client.submit_job("A notebook", type="Notebook", parameters={"notebookId": "n"})
    assert offered(notebooks=True).find(RunKind.JOB, "Notebook").phases
