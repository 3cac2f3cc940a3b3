"""Resources through the whole real server: registered, listed, shown, used by jobs, deleted; over gRPC and REST."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.catalogue import Catalogue, PhaseSpec, WorkloadSpec
from lodestream_server.workloads.parameters import Parameter

from tests.integration.engine_world import PHASES, appears
from tests.support.server import PROJECT, TENANT, running_server

SCOPE = f"/api/{TENANT}/{PROJECT}"
BOOK = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}).encode()
MODEL = b"<pnml><net/></pnml>"
_KNOWN = (
    Parameter("records", "whole", at_least=1),
    Parameter("modelResourceId", "resource", of="Model"),
    Parameter("gate"),
)
CATALOGUE = Catalogue(
    (
        WorkloadSpec(RunKind.JOB, "ProcessMining", (PhaseSpec("Count", f"{PHASES}:count"),), _KNOWN),
        WorkloadSpec(RunKind.JOB, "DataEnrichment", (PhaseSpec("Wait", f"{PHASES}:wait"),), _KNOWN),
        WorkloadSpec(RunKind.JOB, "Analysis", (PhaseSpec("Look", f"{PHASES}:look"),), _KNOWN),
    )
)


class Caller:
    """Somebody who talks JSON with the server."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def __call__(self, method: str, path: str, code: int = 200, **said: Any) -> Any:
        answer = await self.http.request(method, SCOPE + path, **said)
        assert answer.status_code == code, answer.text
        return answer.json()

    async def register(self, type_: str, code: int = 200, content: bytes = b"", **fields: Any) -> Any:
        """The answer to a registration."""
        body = {"resourceType": type_, "resourceName": f"A {type_}", **fields}
        if content:
            body["content"] = base64.b64encode(content).decode()
        return await self("POST", "/resources", code, json=body)

    async def submit(self, type_: str, code: int = 200, **fields: Any) -> Any:
        """The answer to a submission."""
        return await self("POST", "/execution/job", code, json={"jobName": "A job", "jobType": type_, **fields})

    async def ended(self, job_id: str) -> Any:
        """The job after its end."""
        accept = {"accept": "text/event-stream"}
        async with self.http.stream("GET", f"{SCOPE}/execution/job/{job_id}", headers=accept) as stream:
            async for _ in stream.aiter_lines():
                pass
        return await self("GET", f"/execution/job/{job_id}")


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    """Of a server of its own."""
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, rest="127.0.0.1:0") as server:
        headers = {"Authorization": f"Bearer {server.token}"}
        async with httpx.AsyncClient(base_url=str(server.running.rest), headers=headers, timeout=30) as http:
            yield Caller(http)


async def test_resources_are_listed_newest_first_and_gone_when_deleted(caller):
    """By type where one is named, page by page; a file shows its size, a pipeline its parameters."""
    pipeline = await caller.register("Pipeline", jobType="ProcessMining", parameters={"records": 7})
    book, model = [await caller.register(kind, content=of) for kind, of in (("Notebook", BOOK), ("Model", MODEL))]
    ids = [one["resourceId"] for one in (model, book, pipeline)]
    assert pipeline["resource"]["parameters"] == {"records": 7}
    assert pipeline["resource"]["jobType"] == "ProcessMining"
    assert "size" in book["resource"]
    assert "parameters" not in book["resource"]
    first = await caller("GET", "/resources", params={"pageSize": 2})
    rest = await caller("GET", "/resources", params={"pageSize": 2, "pageToken": first["nextPageToken"]})
    assert [one["resourceId"] for one in (*first["resources"], *rest["resources"])] == ids
    only = await caller("GET", "/resources", params={"resourceType": "Notebook"})
    assert [one["resourceId"] for one in only["resources"]] == [ids[1]]
    assert (await caller("GET", f"/resources/{ids[0]}"))["resource"] == model["resource"]
    await caller("DELETE", f"/resources/{ids[0]}")
    for method in ("GET", "DELETE"):
        assert (await caller(method, f"/resources/{ids[0]}", 404))["reason"] == "RESOURCE_NOT_FOUND"


async def test_a_pipeline_gives_what_the_job_does_not(caller):
    """Under the job's own parameters; its name is shown; it fits jobs of its type alone."""
    made = await caller.register("Pipeline", jobType="ProcessMining", parameters={"records": 7, "note": {"a": 1}})
    resource = {"resourceType": "Pipeline", "resourceId": made["resourceId"]}
    job_id = (await caller.submit("ProcessMining", resource=resource, parameters={"note": {"b": 2}}))["jobId"]
    job = await caller.ended(job_id)
    assert job["metrics"]["recordsProcessed"] == 7
    assert job["resource"] == {**resource, "resourceName": "A Pipeline"}
    over = await caller.submit("ProcessMining", resource=resource, parameters={"records": 3})
    assert (await caller.ended(over["jobId"]))["metrics"]["recordsProcessed"] == 3
    refused = await caller.submit("Analysis", 400, resource=resource)
    assert "is for jobs of the type ProcessMining, not Analysis" in json.dumps(refused)


async def test_what_does_not_fit_is_refused_with_its_field(caller):
    """At registration and at submission; nothing of it is kept."""
    for said, body in (
        ("records", {"type_": "Pipeline", "jobType": "ProcessMining", "parameters": {"records": "many"}}),
        ("content", {"type_": "Notebook"}),
        ("is not JSON", {"type_": "Notebook", "content": b"print(1)"}),
        ("document type declaration", {"type_": "Model", "content": b"<!DOCTYPE pnml><pnml><net/></pnml>"}),
        ("is a pickle", {"type_": "Model", "content": b"\x80\x04N."}),
    ):
        assert said in json.dumps(await caller.register(code=400, **body))
    assert (await caller("GET", "/resources"))["resources"] == []
    for type_ in ("Pipeline", "Notebook", "Model", "Folder"):
        refused = await caller.submit("Analysis", 422, resource={"resourceType": type_, "resourceId": "nope"})
        assert (refused["reason"], "nope" in json.dumps(refused)) == ("UNKNOWN_RESOURCE", True)
        assert refused["errors"][0]["pointer"] == "/resource/resourceId"
    for half, missing in (({"resourceId": "x"}, "resourceType"), ({"resourceType": "Pipeline"}, "resourceId")):
        refused = await caller.submit("Analysis", 400, resource=half)
        assert refused["errors"][0]["pointer"] == f"/resource/{missing}"
    book = (await caller.register("Notebook", content=BOOK))["resourceId"]
    line = (await caller.register("Pipeline", jobType="ProcessMining", parameters={}))["resourceId"]
    for named in ("nope", book, line):
        refused = await caller.submit("Analysis", 422, parameters={"modelResourceId": named})
        assert refused["errors"][0]["pointer"] == "/parameters/modelResourceId"
        assert f"there is no model {named} in this project" in json.dumps(refused)


async def test_a_job_reads_the_files_it_refers_to_and_they_stay_until_it_has_ended(caller, tmp_path):
    """Named by `resource` or by a parameter."""
    book, model = [
        (await caller.register(kind, content=of))["resourceId"] for kind, of in (("Notebook", BOOK), ("Model", MODEL))
    ]
    named = {"resourceType": "Notebook", "resourceId": book}
    looks = await caller.submit("Analysis", resource=named, parameters={"modelResourceId": model})
    await caller.ended(looks["jobId"])
    results = await caller("GET", f"/execution/job/{looks['jobId']}/results")
    assert results["success"], results
    gate = {"gate": str(tmp_path / "gate"), "begun": str(tmp_path / "begun"), "modelResourceId": model}
    waits = await caller.submit("DataEnrichment", parameters=gate)
    await appears(tmp_path / "begun")
    assert (await caller("DELETE", f"/resources/{model}", 409))["reason"] == "RESOURCE_IN_USE"
    (tmp_path / "gate").touch()
    await caller.ended(waits["jobId"])
    await caller("DELETE", f"/resources/{model}")
