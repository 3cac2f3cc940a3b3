"""schemathesis reads the document and calls the real server with what it allows and what it forbids: no server error,
and no answer that breaks the document.

A few examples an operation here; LODESTREAM_EXAMPLES=400 makes about 20,000 cases of it.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

import lodestream.rest

EXAMPLES = int(os.environ.get("LODESTREAM_EXAMPLES", "3"))
#: Refusals of what no schema can state: references that lead nowhere, tokens that nobody issued, states that pass.
BEYOND_SCHEMAS = {
    "BAD_PAGE_TOKEN",
    "PAGE_BEYOND_WINDOW",
    "UNKNOWN_DATASET",
    "UNKNOWN_RESOURCE",
    "UNKNOWN_RUN",
    "DEPENDENCY_PROBLEM",
    "BAD_DATASET",
    "IDEMPOTENCY_KEY_REUSED",
}
#: How refusals begin that come of two fields together.
BETWEEN_FIELDS = ("lies before", "give either", "excludes", "is required", "names no type", "belong")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real server with both doors: what its ready file says."""
    folder = tmp_path_factory.mktemp("server")
    ready = folder / "ready.json"
    doors = ("--grpc", "127.0.0.1:0", "--rest", "127.0.0.1:0", "--drain-s", "0")
    command = (sys.executable, "-m", "lodestream", "serve", "--data-dir", str(folder / "data"), *doors)
    with subprocess.Popen([*command, "--ready-file", str(ready)], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert process.poll() is None, "the server did not start"
            assert time.monotonic() < deadline, "the server is not ready"
        yield json.loads(ready.read_text())
        process.terminate()


DOCUMENT = Path(lodestream.rest.__file__).with_name("openapi.yaml")
api = schemathesis.openapi.from_path(DOCUMENT)


def refusal_of(response) -> dict:
    """The problem document of an answer; empty for another one."""
    is_problem = response.headers.get("content-type", [""])[0] == "application/problem+json"
    return response.json() if is_problem else {}


def no_unexpected_fault(ctx, response, case):
    """What is documented and not built yet answers 501 with its reason; every other 5xx is a fault."""
    if refusal_of(response).get("reason") != "NOT_BUILT":
        not_a_server_error(ctx, response, case)


def violations_are_refused(ctx, response, case):
    """Where they were sent: what is empty leaves no trace in the address, and a list of texts takes any text there."""
    sent = case.query or {}
    if not any(value in ([], {}) for value in sent.values()) and not isinstance(sent.get("jobIds"), bool):
        negative_data_rejection(ctx, response, case)


def beyond_schemas(fault) -> bool:
    """Whether OpenAPI 3.0 cannot state it: free-form parameters mean something to the type of work that they are for,
    two fields may be good but not beside, or without, each other, keys of maps are names, addresses are called, a file
    has a form."""
    pointer = fault.get("pointer", "")
    return (
        re.search(r"/(updatedP|p)arameters(/|$)", pointer) is not None
        or fault["detail"].startswith(BETWEEN_FIELDS)
        or pointer.startswith(("/headers", "/webhookUrl", "/authentication", "/content"))
    )


def valid_requests_are_taken(ctx, response, case):
    """Unless they are refused for something that no schema can state."""
    problem = refusal_of(response)
    faults = problem.get("errors", [])
    if problem.get("reason") in BEYOND_SCHEMAS or (faults and all(map(beyond_schemas, faults))):
        return
    if case.media_type == "application/octet-stream" and [fault.get("parameter") for fault in faults] == [
        "datasetName"
    ]:
        return  # the query has to name the dataset, unless a form does
    positive_data_acceptance(ctx, response, case)


@api.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 10,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.timeout(3600)
def test_the_server_keeps_to_its_document(case, server):
    """Statuses, media types, headers and schemas; and what is forbidden is refused."""
    case.call_and_validate(
        base_url=server["rest"],
        headers={"Authorization": f"Bearer {server['token']}"},
        additional_checks=[no_unexpected_fault, valid_requests_are_taken, violations_are_refused],
        excluded_checks=[not_a_server_error, positive_data_acceptance, negative_data_rejection],
        timeout=30,
    )
