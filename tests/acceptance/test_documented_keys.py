"""After a real run every documented endpoint answers with the documented keys, types and words.

What the real server leaves out about these runs is listed here with its reason, never skipped: a key that is missing
and not listed fails.
"""

import json
from typing import Any

import httpx
import pytest
from google.protobuf.descriptor import Descriptor

from lodestream import documented
from lodestream.wire import words
from lodestream.wire.fields import is_map, ordered
from lodestream.wire.styles import style_of
from tests.support.served import served
from tests.support.server import PROJECT, TENANT
from tests.unit.contract_methods import message_type

pytestmark = pytest.mark.acceptance

SCOPE = f"/api/{TENANT}/{PROJECT}"
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
_PRICE = "no prices are configured"
_ENDED = "the run has ended: nothing is left to estimate"
_NETWORK = "the network is not measured per worker"
_SMALL = "so small a run is over before two samples could tell"
_NOTHING = "this run has none"
_LATER = "comes with the kinds of work that compute it"
_HISTORY = "there is too little history"
#: Documented key -> why the real server's answer about these runs has none.
ABSENT: dict[str, dict[str, str]] = {
    "start-operation": {
        "resourcesAllocated.estimatedCost": _PRICE,
        "estimatedDuration": _HISTORY,
    },
    "get-operation": {
        "execution.resourceUsage.networkIO": _NETWORK,
        "execution.processingRate": _SMALL,
        "callbacks.lastProgressCallback": _NOTHING,
        "progress.estimatedRemaining": _ENDED,
    },
    "cancel-operation": {
        "partialResults.downloadUrls[]": _NOTHING,
        "resourcesReleased.costSaved": _PRICE,
    },
    "get-operation-results": {
        "summary.overallConfidenceScore": _LATER,
        "performance.resourceUtilization.totalCost": _PRICE,
    },
    "retry-operation": {
        "estimatedDuration": _HISTORY,
        "estimatedCompletion": _HISTORY,
        "preservedResults": _NOTHING,
        "resumeFromPhase": _NOTHING,
        "resourcesAllocated.estimatedCost": _PRICE,
    },
    "submit-batch": {"estimatedBatchDuration": _HISTORY, "estimatedBatchCompletion": _HISTORY},
    "get-job": {"resource": "the job names its dataset in its parameters"},
    "list-jobs": {"jobs[].resourceName": "the job names its dataset in its parameters"},
    "submit-job": {"estimatedDuration": _HISTORY},
    "get-job-results": {
        "qualityMetrics.warnings[]": _NOTHING,
        "executionMetrics.networkDataTransfer": _NETWORK,
        "executionMetrics.peakMemoryUsage": _SMALL,
        "executionMetrics.averageCpuUsage": _SMALL,
    },
    "get-system-status": {
        "performanceMetrics.successRate": _HISTORY,
        "performanceMetrics.averageJobDuration": _HISTORY,
        "performanceMetrics.throughputPerHour": _HISTORY,
        "queueStatistics.estimatedProcessingTime": _HISTORY,
    },
    "get-job-logs": {
        "logs[].details": "not every line has facts",
        "executionMetrics.estimatedCompletion": _ENDED,
        "executionMetrics.processingRate": _SMALL,
    },
    "get-job-progress": {
        "qualityMetrics.validationsFailed": _LATER,
        "qualityMetrics.validationsPassed": _LATER,
        "overallProgress.estimatedCompletion": _ENDED,
        "overallProgress.estimatedRemaining": _ENDED,
        "resourceUsage.networkIO": _NETWORK,
        "currentActivity": _ENDED,
    },
    "get-job-timeline": {
        "timeline[].details": "not every entry has facts",
        "upcomingEvents[]": _ENDED,
    },
    "get-job-metrics": {
        "currentMetrics.resourceUtilization.disk.latency": "the disk's latency is not measured per worker",
        "currentMetrics.resourceUtilization.network": _NETWORK,
        "currentMetrics.stages.stageEfficiency": _SMALL,
        "performanceTrends.predictionAccuracy": _HISTORY,
        "benchmarks": _HISTORY,
        "historicalMetrics[]": _SMALL,
    },
    "track-jobs": {"jobs[].estimatedCompletion": _ENDED},
    "get-job-dependencies": {
        "dependencyGraph.edges[]": _NOTHING,
        "dependencies.dependentJobs[]": _NOTHING,
        "dependencies.prerequisiteJobs[]": _NOTHING,
    },
}


def log() -> bytes:
    """A log of a few hundred cases."""
    rows = ["case,activity,time,who"]
    for case in range(300):
        for hour, activity in enumerate(("register", "check", "decide", "close" if case % 4 else "reopen")):
            when = f"2024-01-{1 + case % 28:02d}T{8 + hour:02d}:{case % 60:02d}:00Z"
            rows.append(f"{case},{activity},{when},clerk {case % 5}")
    return "\n".join(rows).encode()


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
    """A server on which one job and one operation have run, and another of each was cancelled."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        form = {"datasetName": "Log"}
        uploaded = client.post(f"{SCOPE}/datasets", data=form, files={"file": ("log.csv", log())}).json()
        self.parameters = {"datasetId": uploaded["datasetId"]}
        self.answers: dict[str, httpx.Response] = {}
        self.ids = {
            "tenantId": TENANT,
            "projectId": PROJECT,
            "operationId": self.start_operation(),
            "jobId": self.job(),
        }
        for path in (f"/async/operation/{self.ids['operationId']}", f"/execution/job/{self.ids['jobId']}"):
            with client.stream("GET", SCOPE + path, headers={"accept": "text/event-stream"}) as response:
                for _ in response.iter_lines():
                    pass
        self.cancelled = {**self.ids, "operationId": self.start_operation(), "jobId": self.job()}
        self.cancel("cancel-operation", f"/async/operation/{self.cancelled['operationId']}")
        self.cancel("cancel-job", f"/execution/job/{self.cancelled['jobId']}")

    def start_operation(self) -> str:
        body = documented.example("start-operation.request") | {"parameters": self.parameters}
        self.answers["start-operation"] = self.client.post(f"{SCOPE}/async/operation", json=body)
        return str(self.answers["start-operation"].json()["operationId"])

    def job(self) -> str:
        body = documented.example("submit-job.request") | {"parameters": self.parameters}
        body.pop("resource")
        self.answers["submit-job"] = self.client.post(f"{SCOPE}/execution/job", json=body)
        return str(self.answers["submit-job"].json()["jobId"])

    def cancel(self, name: str, path: str) -> None:
        body = documented.example(f"{name}.request")
        self.answers[name] = self.client.request("DELETE", SCOPE + path, json=body)

    def answer(self, endpoint: dict[str, Any]) -> httpx.Response:
        """What the server answers to a documented endpoint."""
        name = endpoint["id"]
        if name not in self.answers:
            path = endpoint["path"].format_map(self.cancelled if name.startswith("retry") else self.ids)
            body = documented.example(f"{name}.request") if endpoint["request_example"] else None
            if name == "submit-batch":
                body = json.loads(json.dumps(body).replace("dataset-1", self.parameters["datasetId"]))
            self.answers[name] = self.client.request(endpoint["method"], path, params=SHOWING.get(name), json=body)
        return self.answers[name]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One server for all endpoints."""
    folder = tmp_path_factory.mktemp("keys")
    with served(folder, "--rest", "127.0.0.1:0", "--seats", "1") as server:
        rest = json.loads((folder / "ready.json").read_text())["rest"]
        headers = {"authorization": f"Bearer {server.token}"}
        with httpx.Client(base_url=rest, headers=headers, timeout=60) as client:
            yield World(client)


@pytest.mark.parametrize("endpoint", documented.endpoints()["documented"], ids=lambda endpoint: endpoint["id"])
def test_an_endpoint_answers_as_documented(world, endpoint):
    """Keys, types and words; what is absent is listed."""
    answer = world.answer(endpoint)
    assert answer.status_code == 200, answer.text
    if not endpoint["response_example"]:
        return
    name = endpoint["response_example"].removesuffix(".json")
    missing: set[str] = set()
    wrong: set[str] = set()
    compare(message_type(name).DESCRIPTOR, documented.example(name), answer.json(), "", missing, wrong)
    assert wrong == set()
    assert missing <= ABSENT.get(endpoint["id"], {}).keys()
