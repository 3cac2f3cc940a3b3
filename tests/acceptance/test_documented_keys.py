"""After a real run every documented endpoint answers with the documented keys, types and words.

What the real server leaves out is listed in docs/coverage.md with its reason, never skipped: a key that is missing and
not listed fails, and so does one that is listed as never there and is. Every endpoint is asked during runs and after
them; the keys that were there are the record for tests/docs/test_coverage.py (written anew with RECORD_ANSWERS=1).
"""

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.descriptor import Descriptor

from lodestream import documented
from lodestream.samples.loan_applications import write_log
from lodestream.wire import words
from lodestream.wire.fields import is_map, ordered
from lodestream.wire.styles import style_of
from tests.support.coverage import RECORDED, covers, keys, outputs
from tests.support.served import served
from tests.support.server import PROJECT, TENANT
from tests.unit.contract_methods import message_type

pytestmark = pytest.mark.acceptance

SCOPE = f"/api/{TENANT}/{PROJECT}"
LIVE = {"accept": "text/event-stream"}
ENDPOINTS = documented.endpoints()["documented"]
#: Endpoints about all runs of the project.
ALL = ("list-operations", "list-jobs", "get-system-status", "track-jobs")
#: Runs before the ones that are looked at: what is estimated from history needs some.
HISTORY = 2
#: Query that shows everything that a page shows.
SHOWING = {
    "list-operations": {"includeDetails": "true"},
    "get-operation-results": {"format": "detailed"},
    "get-job-results": {"format": "detailed"},
    "get-job-logs": {"level": "DEBUG"},
    "get-job-timeline": {"includeSubEvents": "true"},
    "get-job-metrics": {"includeHistory": "true"},
    "track-jobs": {"includeMetrics": "true"},
}


def compare(descriptor: Descriptor, shown: Any, answer: Any, path: str, missing: set[str], wrong: set[str]) -> None:
    """Holds an answer against a documented payload of the same message; free-form objects are the run's own."""
    for field in ordered(descriptor):
        key = field.json_name
        if key not in shown:
            continue
        here = f"{path}.{key}".removeprefix(".")
        if key not in answer:
            missing.add(here)
            continue
        pairs = [(shown[key], answer[key])]
        if field.is_repeated and not is_map(field):
            if not isinstance(answer[key], list):
                wrong.add(f"{here}: {answer[key]!r}")
                continue
            here += "[]"
            pairs = [(merged(shown[key]), one) for one in answer[key][:50]]
            if shown[key] and not answer[key]:
                missing.add(here)
        for told, found in pairs:
            one(field, told, found, here, missing, wrong)


def merged(entries: list[Any]) -> Any:
    """All keys that the entries of a documented list have; what every entry has is asked of every entry."""
    if not entries or not isinstance(entries[0], dict):
        return entries[0] if entries else None
    return {key: value for key, value in entries[0].items() if all(key in entry for entry in entries)}


def one(field: Any, told: Any, found: Any, here: str, missing: set[str], wrong: set[str]) -> None:
    """One value: its words, its keys, or its JSON type."""
    if found is None or told is None:
        return
    if field.enum_type:
        if found not in words(field.enum_type, "en").values():
            wrong.add(f"{here}: {found!r}")
    elif field.message_type and not style_of(field) and not is_map(field):
        if field.message_type.full_name.startswith("lodestream."):
            compare(field.message_type, told, found, here, missing, wrong)
    elif kind(told) != kind(found):
        wrong.add(f"{here}: {found!r} for {told!r}")


def kind(value: Any) -> str:
    """JSON's own types: whole or not, a number is a number."""
    return "number" if type(value) in (int, float) else type(value).__name__


class World:
    """A server on which runs have failed, been cancelled, retried and completed, and what it answered meanwhile."""

    def __init__(self, client: httpx.Client, log: Path) -> None:
        self.client = client
        self.answers: dict[str, httpx.Response] = {}
        self.found: dict[str, set[str]] = {}
        form = {"datasetName": "Log"}
        uploaded = client.post(f"{SCOPE}/datasets", data=form, files={"file": ("log.csv", log.read_bytes())}).json()
        self.parameters = {"datasetId": uploaded["datasetId"]}
        pipeline = {"resourceType": "Pipeline", "resourceName": "Weekly", "jobType": "ProcessMining"}
        self.pipeline = client.post(f"{SCOPE}/resources", json=pipeline).json()["resource"]
        self.ids = {"tenantId": TENANT, "projectId": PROJECT}
        self.cancelled = dict(self.ids)
        for _ in range(HISTORY):
            self.watch("jobId", self.job())
        self.watch("operationId", self.start_operation())
        self.cancelled |= {"operationId": self.start_operation()}
        self.watch_until("Performance Analysis", self.cancelled["operationId"])
        self.cancel("cancel-operation", f"/async/operation/{self.cancelled['operationId']}")
        self.watch("jobId", self.job())
        cancelled = self.job()
        self.cancel("cancel-job", f"/execution/job/{cancelled}")
        self.cancelled["jobId"] = cancelled

    def start_operation(self) -> str:
        """A documented operation."""
        body = documented.example("start-operation.request")
        body["parameters"] |= self.parameters
        del body["parameters"]["timeWindow"]
        body["callbacks"] = {"onProgress": "http://127.0.0.1:9/progress"}
        self.keep("start-operation", self.client.post(f"{SCOPE}/async/operation", json=body))
        return str(self.answers["start-operation"].json()["operationId"])

    def job(self) -> str:
        """A documented job."""
        body = documented.example("submit-job.request")
        body["parameters"] |= self.parameters
        del body["parameters"]["timeWindow"]
        body["resource"] = {"resourceType": "Pipeline", "resourceId": self.pipeline["resourceId"]}
        self.keep("submit-job", self.client.post(f"{SCOPE}/execution/job", json=body))
        return str(self.answers["submit-job"].json()["jobId"])

    def watch(self, kind: str, run_id: str) -> None:
        """Asks for everything about a run until it has ended, each time it says something new."""
        self.ids[kind] = run_id
        about = [one for one in ENDPOINTS if one["method"] == "GET" and (kind in one["path"] or one["id"] in ALL)]
        path = "/async/operation/" if kind == "operationId" else "/execution/job/"
        with self.client.stream("GET", f"{SCOPE}{path}{run_id}", headers=LIVE) as response:
            for line in response.iter_lines():
                if line.startswith("event: "):
                    for endpoint in about:
                        if not endpoint["id"].endswith("-results"):
                            self.keep(endpoint["id"], self.ask(endpoint))

    def watch_until(self, phase: str, run_id: str) -> None:
        """Returns when that phase of an operation has begun."""
        with self.client.stream("GET", f"{SCOPE}/async/operation/{run_id}", headers=LIVE) as response:
            for _ in response.iter_lines():
                told = self.client.get(f"{SCOPE}/async/operation/{run_id}").json()
                if told["progress"].get("currentPhase") == phase:
                    return

    def cancel(self, name: str, path: str) -> None:
        """As documented."""
        body = documented.example(f"{name}.request")
        self.keep(name, self.client.request("DELETE", SCOPE + path, json=body))

    def keep(self, name: str, answer: httpx.Response) -> None:
        """Takes note of an answer and of the keys it has."""
        self.answers[name] = answer
        self.found.setdefault(name, set()).update(keys(answer.json()))

    def ask(self, endpoint: dict[str, Any]) -> httpx.Response:
        """One request as documented."""
        name = endpoint["id"]
        path = endpoint["path"].format_map(self.cancelled if name.startswith("retry") else self.ids)
        body = documented.example(f"{name}.request") if endpoint["request_example"] else None
        if name == "submit-batch":
            body = json.loads(json.dumps(body).replace("dataset-1", self.parameters["datasetId"]))
        return self.client.request(endpoint["method"], path, params=SHOWING.get(name), json=body)

    def answer(self, endpoint: dict[str, Any]) -> httpx.Response:
        """What the server answers to a documented endpoint."""
        name = endpoint["id"]
        if endpoint["method"] == "GET" or name not in self.answers:
            self.keep(name, self.ask(endpoint))
        return self.answers[name]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One server for all endpoints; it has prices."""
    folder = tmp_path_factory.mktemp("keys")
    write_log(folder / "loans.csv", cases=1_500)
    prices = ("env", "LODESTREAM_PRICE_CPU_HOUR=0.05", "LODESTREAM_PRICE_GB_HOUR=0.01")
    with served(folder, "--rest", "127.0.0.1:0", "--seats", "1", wrapper=prices) as server:
        rest = json.loads((folder / "ready.json").read_text())["rest"]
        headers = {"authorization": f"Bearer {server.token}"}
        with httpx.Client(base_url=rest, headers=headers, timeout=60) as client:
            yield World(client, folder / "loans.csv")


@pytest.fixture(scope="module")
def record():
    """Collects the keys of all endpoints; kept when the environment asks for it."""
    found: dict[str, list[str]] = {}
    yield found
    if os.environ.get("RECORD_ANSWERS"):
        RECORDED.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint["id"])
def test_an_endpoint_answers_as_documented(world, record, endpoint):
    """Keys, types and words; what is absent is listed."""
    answer = world.answer(endpoint)
    assert answer.status_code == 200, answer.text
    if not endpoint["response_example"]:
        return
    name = endpoint["response_example"].removesuffix(".json")
    wrong: set[str] = set()
    compare(message_type(name).DESCRIPTOR, documented.example(name), answer.json(), "", set(), wrong)
    assert wrong == set()
    told, found = keys(documented.example(name)), world.found[endpoint["id"]]
    record[endpoint["id"]] = sorted(told & found)
    known = outputs(endpoint["id"])
    assert {key for key in told - found if not any(covers(one, key) for one in known)} == set()
    never = [one for one, when in known.items() if when == "never"]
    assert {key for key in told & found if any(covers(one, key) for one in never)} == set()
