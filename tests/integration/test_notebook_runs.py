"""Notebook jobs through the whole real server: registered, submitted, followed, failed, cancelled."""

import json
import time

import httpx
import nbformat
import pytest
import pytest_asyncio
from lodestream_server.workloads.built_in import offered
from lodestream_server.workloads.catalogue import Catalogue

from lodestream.client import Client
from lodestream.v1 import resource_pb2, resource_pb2_grpc
from tests.integration.test_notebooks import ENDLESS, gone
from tests.support.server import PROJECT, TENANT, running_server
from tests.unit.notebook_world import notebook

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOG = b"case,activity,time\n1,A,2024-01-01\n1,B,2024-01-02\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory):
    """A server for notebooks alone, whose worker is ready sooner."""
    catalogue = Catalogue([spec for spec in offered(notebooks=True) if spec.type == "Notebook"])
    folder = tmp_path_factory.mktemp("data")
    async with running_server(folder, catalogue=catalogue, rest="127.0.0.1:0", seats=1) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def client(server):
    """Somebody who works there."""
    async with Client(server.address, token=server.token, tenant_id=TENANT, project_id=PROJECT) as client:
        yield client


async def registered(server, text):
    """The id of the notebook as a resource."""
    request = resource_pb2.RegisterResourceRequest(
        tenant_id=TENANT,
        project_id=PROJECT,
        resource_type=resource_pb2.RESOURCE_TYPE_NOTEBOOK,
        resource_name="waiting.ipynb",
        content=text.encode(),
    )
    stub = resource_pb2_grpc.ResourceServiceStub(server.channel)
    return (await stub.RegisterResource(request, metadata=server.metadata)).resource_id


async def content(server, artifact):
    """What is in a file of a run."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {server.token}"}) as http:
        return (await http.get(f"{server.running.rest}{artifact.download_url}")).text


async def test_a_registered_notebook_runs_as_a_job(server, client, tmp_path):
    """Named by `resource` over REST; cells as progress, lines in the log, notebook, page and saved file to download."""
    text = notebook(
        "from lodestream import notebook\nrun = notebook.current()\nprint(run.dataset.read().height * times, 'events')",
        "open('a.csv', 'w').write('x')\nrun.save('a.csv', name='Waiting times')",
        defaults="times = 1",
    )
    (tmp_path / "log.csv").write_bytes(LOG)
    uploaded = await client.upload_dataset(tmp_path / "log.csv")
    body = {
        "jobName": "May",
        "jobType": "Notebook",
        "resource": {"resourceType": "Notebook", "resourceId": await registered(server, text)},
        "parameters": {"datasetId": uploaded.dataset_id, "times": 3},
    }
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {server.token}"}) as http:
        base = f"{server.running.rest}/api/{TENANT}/{PROJECT}/execution/job"
        job = client.job((await http.post(base, json=body)).json()["jobId"])
        await job.wait()
        logs = (await http.get(f"{base}/{job.id}/logs")).text
    results = await job.results()
    outputs = [results.results.primary_output, *results.results.additional_outputs]
    page = await content(server, next(one for one in outputs if one.type == "NotebookPage"))
    assert results.success, results.error
    assert [one.type for one in outputs] == ["ExecutedNotebook", "NotebookOutput", "NotebookPage"]
    assert "6 events" in logs
    assert "6 events" in page
    assert results.stage_results["Notebook Execution"]["cells"] == 4


async def test_a_failed_notebook_says_where_and_keeps_what_it_has(server, client):
    """Reason, cell, exception; the traceback is in the file alone."""
    given = {"notebookId": await registered(server, notebook("print('first')", "def deep():\n    1 / 0\ndeep()"))}
    job = await client.submit_job("Failing", type="Notebook", parameters=given)
    await job.wait()
    shown, results = await job.get(), await job.results()
    left = await content(server, results.results.primary_output)
    assert (shown.error.reason, shown.error.details["cell"]) == ("CELL_FAILED", 2)
    assert "ZeroDivisionError: division by zero" in shown.error.message
    assert "Traceback" not in str(shown) + str(results)
    assert not results.success
    cells = nbformat.reads(left, as_version=4).cells
    assert cells[0].outputs[0].text == "first\n"
    assert "Traceback" in json.dumps(cells[1].outputs)


@pytest.mark.parametrize("force", [False, True])
async def test_a_cancelled_notebook_stops_within_a_second_with_all_it_started(server, client, tmp_path, force):
    """By the flag it leaves the notebook as far as it came; by force nothing, but sooner."""
    begun = tmp_path / "begun"
    given = {"notebookId": await registered(server, notebook(ENDLESS)), "begun": str(begun)}
    job = await client.submit_job("Endless", type="Notebook", parameters=given)
    async for _ in job.watch(replay=True):
        if begun.exists():
            break
    asked = time.monotonic()
    await job.cancel(force=force)
    took_s = time.monotonic() - asked
    results = await job.results()
    kernel, child, daemon = (int(pid) for pid in begun.read_text().split())
    assert gone(kernel)
    assert gone(child)
    assert took_s < 2.0  # a fraction of a second on an idle machine
    assert gone(daemon)
    if not force:
        assert "begun" in await content(server, results.results.primary_output)
