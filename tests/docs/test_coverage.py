"""Each documented parameter is used and each documented output is there, or docs/coverage.md says why not.

Outputs: the documented payloads against the recorded answers of a real server. Parameters: what the requests show under
`parameters` is declared by the workload and read by its code; every other field of a request is read by the server.
"""

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.built_in import BUILT_IN
from lodestream_server.workloads.declared import notebook
from lodestream_server.workloads.parameters import IDS, Parameter

from lodestream import documented
from tests.support.coverage import covers, keys, listed, outputs, parameters, recorded
from tests.support.server import ROOT
from tests.unit.contract_methods import message_type

ENDPOINTS = documented.endpoints()["documented"]
ANSWERED = [one for one in ENDPOINTS if one["response_example"]]
ASKED = [one for one in ENDPOINTS if one["request_example"]]
SERVER = ROOT / "server" / "lodestream_server"

#: Parameters that only the documentation's programs show (tests/acceptance/documentation), by type of work.
IN_PROGRAMS = {
    "ProcessMining": (
        "includeProcessVariants",
        "generateInsights",
        "performanceMetrics",
        "qualityChecks.validateTimestamps",
        "qualityChecks.checkDuplicates",
        "qualityChecks.validateActivities",
    ),
    "ProcessMiningAnalysis": ("enableML", "generateInsights"),
    "ReportGeneration": ("reportType", "includeVisualizations", "exportFormats"),
}


def told(endpoint: dict[str, Any]) -> set[str]:
    """The keys of a documented answer."""
    return keys(documented.example(endpoint["response_example"].removesuffix(".json")))


@cache
def words(folder: Path, besides: str = "") -> frozenset[str]:
    """Every text constant, attribute and argument name in the code below a folder."""
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        if besides and besides in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Constant(value=str(text)):
                    found.add(text)
                case ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                    found.add(name)
    return frozenset(found)


def declared(known: tuple[Parameter, ...] | list[Parameter], path: str) -> bool:
    """Whether parameters know this path; lists of words and free-form objects end it."""
    name, _, rest = path.partition(".")
    found = next((one for one in known if one.name == name), None)
    return found is not None and (not rest or declared(list(found.inside), rest))


def submitted() -> list[tuple[str, str, RunKind, str]]:
    """Every documented parameter: the request that shows it, the type of work, and its path."""
    found = []
    job, start = documented.example("submit-job.request"), documented.example("start-operation.request")
    for key in keys(job["parameters"]):
        found.append(("submit-job", job["jobType"], RunKind.JOB, key))
    for key in keys(start["parameters"]):
        found.append(("start-operation", start["operationType"], RunKind.OPERATION, key))
    for key in keys(documented.example("retry-operation.request")["updatedParameters"]):
        found.append(("retry-operation", start["operationType"], RunKind.OPERATION, key))
    for step in documented.example("submit-batch.request")["operations"]:
        for key in keys(step["parameters"]):
            found.append(("submit-batch", step["operationType"], RunKind.OPERATION, key))
    for type_, more in IN_PROGRAMS.items():
        kind = RunKind.JOB if type_ == "ProcessMining" else RunKind.OPERATION
        found += [("programs", type_, kind, key) for key in more]
    return sorted(set(found), key=str)


@pytest.mark.parametrize("endpoint", ANSWERED, ids=lambda endpoint: endpoint["id"])
def test_every_documented_output_is_there_or_listed(endpoint):
    """And what is listed as never there is not."""
    shown, found, known = told(endpoint), recorded()[endpoint["id"]], outputs(endpoint["id"])
    assert {key for key in shown - found if not any(covers(one, key) for one in known)} == set()
    never = [one for one, when in known.items() if when == "never"]
    assert {key for key in found if any(covers(one, key) for one in never)} == set()


@pytest.mark.parametrize("endpoint", ANSWERED, ids=lambda endpoint: endpoint["id"])
def test_what_is_listed_is_documented(endpoint):
    """A row about a key that no page shows is a mistake."""
    shown = told(endpoint)
    for one in outputs(endpoint["id"]):
        assert any(covers(one.removesuffix("[]"), key) for key in shown), one


def test_rows_name_endpoints_and_say_why():
    """Every row has a reason of some words, and nothing is listed twice."""
    names = {endpoint["id"] for endpoint in ENDPOINTS} | {"programs"}
    for name, _, when, why in listed("Outputs"):
        assert name in names
        assert when in ("never", "sometimes")
        assert len(why.split()) >= 3
    for name, _, why in listed("Parameters"):
        assert name in names
        assert len(why.split()) >= 3
    rows = [tuple(row[:2]) for heading in ("Outputs", "Parameters") for row in listed(heading)]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize(("request_", "type_", "kind", "path"), submitted(), ids=lambda value: str(value))
def test_every_documented_parameter_is_declared_and_read_or_listed(request_, type_, kind, path):
    """`declared` checks it at submission; the code of a workload or of the engine reads it by its name."""
    spec = BUILT_IN.find(kind, type_)
    # `cleaningRules` of enrichment may hold objects, so `checked` looks at it instead of a declaration.
    known = declared(list(spec.parameters), path) or (type_, path) == ("DataEnrichment", "cleaningRules")
    name = path.rpartition(".")[2]
    read = name in words(SERVER, besides="declared")
    assert (known and read) != (path in parameters(request_))


def test_every_declared_parameter_is_read():
    """Of every type of work, documented or not: what is checked at submission has code that reads it. Ids are
    read by their kind: the engine resolves them all."""

    def names(known: Any) -> set[str]:
        return {name for one in known if one.kind not in IDS for name in {one.name, *names(one.inside)}}

    for spec in (*BUILT_IN, notebook.JOB):
        assert names(spec.parameters) - words(SERVER, besides="declared") == set(), spec.type


def fields(endpoint: dict[str, Any]) -> list[str]:
    """Names in the contract of all fields that a documented request shows, without free-form ones."""
    name = endpoint["request_example"].removesuffix(".json")
    found: set[str] = set()

    def collect(descriptor: Any, shown: Any) -> None:
        for field in descriptor.fields:
            if field.json_name not in shown:
                continue
            found.add(f"{field.json_name} {field.name}")
            value, inner = shown[field.json_name], field.message_type
            if inner and inner.full_name.startswith("lodestream.") and not inner.GetOptions().map_entry:
                for one in value if isinstance(value, list) else [value]:
                    if isinstance(one, dict):
                        collect(inner, one)

    collect(message_type(name).DESCRIPTOR, documented.example(name))
    return sorted(found)


@pytest.mark.parametrize("endpoint", ASKED, ids=lambda endpoint: endpoint["id"])
def test_every_field_of_a_documented_request_is_read_or_listed(endpoint):
    """By its name in the contract, or by the documented one where callbacks and notifications are kept as documents."""
    unread = {shown for shown, name in (pair.split() for pair in fields(endpoint)) if not {shown, name} & words(SERVER)}
    assert unread == parameters(endpoint["id"]) - {path for _, _, _, path in submitted()}


def test_every_documented_query_parameter_is_read():
    """Those of the 22 endpoints."""
    queries = {query["name"] for endpoint in ENDPOINTS for query in endpoint["query"]}
    snake = {name: "".join(f"_{c.lower()}" if c.isupper() else c for c in name) for name in queries}
    assert {name for name in queries if not {name, snake[name]} & words(SERVER)} == set()
