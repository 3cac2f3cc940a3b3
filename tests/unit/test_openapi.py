"""The committed OpenAPI document is what the protos give, says what the documentation says, and holds every documented
payload."""

import importlib.resources
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from lodestream import documented
from tools.openapi.comments import summary

ROOT = Path(__file__).resolve().parents[2]
COMPILER = ROOT / ".venv-protos" / "bin" / "python"


@cache
def document() -> dict[str, Any]:
    """The committed document."""
    text = importlib.resources.files("lodestream.rest").joinpath("openapi.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def operations() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """operationId -> (verb, path, operation)."""
    return {
        operation["operationId"]: (verb, path, operation)
        for path, verbs in document()["paths"].items()
        for verb, operation in verbs.items()
    }


def documented_operations() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every endpoint of the documentation with its operation in the document."""
    found = documented.endpoints()
    return [
        (endpoint, document()["paths"][endpoint["path"]][endpoint["method"].lower()])
        for endpoint in found["documented"] + found["implied"]
    ]


def without_nullable(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 in the words of JSON Schema."""
    if isinstance(schema, list):
        return [without_nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: without_nullable(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


def validator(schema: dict[str, Any]) -> Any:
    """A validator of a schema of the document."""
    components = {"schemas": without_nullable(document()["components"]["schemas"])}
    return jsonschema_rs.Draft4Validator({**without_nullable(schema), "components": components}, validate_formats=True)


@pytest.mark.skipif(not COMPILER.exists(), reason="the stub compiler is not installed; `make check` installs it")
def test_the_committed_document_is_what_the_protos_give(tmp_path):
    """`make protos` would leave no diff."""
    image = tmp_path / "protos.binpb"
    subprocess.run([COMPILER, "-m", "tools.protos", "--image", image], cwd=ROOT, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "tools.openapi", "--image", image, "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_documented_endpoint_is_in_the_document():
    """22 documented ones and the two implied, at their paths and verbs."""
    assert len(documented_operations()) == 24


@pytest.mark.parametrize(
    ("endpoint", "operation"), documented_operations(), ids=[e["id"] for e, _ in documented_operations()]
)
def test_query_parameters_have_the_documented_defaults_words_and_limits(endpoint, operation):
    """What a page says about a parameter stands in the document; ours may take more words, never fewer."""
    given = {p["name"]: p for p in operation["parameters"] if p["in"] == "query"}
    for told in endpoint.get("query", ()):
        schema = given[told["name"]]["schema"]
        assert schema.get("default") == told.get("default", schema.get("default")), told["name"]
        assert set(told.get("enum", ())) <= set(schema.get("enum", told.get("enum", ()))), told["name"]
        for limit in ("minimum", "maximum"):
            if limit in told:
                assert schema[limit] == told[limit], told["name"]
        if "comma_separated" in told:
            assert (schema["type"], given[told["name"]]["explode"]) == ("array", False)


@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("name", documented.names())
def test_every_documented_payload_fits_its_schema(name, language):
    """Examples and schemas come from different sources; here they meet."""
    endpoint, side = name.split(".")
    operation = next(found for told, found in documented_operations() if told["id"] == endpoint)
    holder = operation["requestBody"] if side == "request" else operation["responses"]["200"]
    faults = validator(holder["content"]["application/json"]["schema"]).iter_errors(documented.example(name, language))
    assert [f"{fault.instance_path}: {fault.message}" for fault in faults] == []


def test_every_parameter_stands_at_its_operation():
    """connexion validates path-level parameters many times over."""
    assert not [path for path, verbs in document()["paths"].items() if "parameters" in verbs]


def test_every_operation_says_what_it_does_and_how_it_fails():
    """Nobody has to read the protos to use the document."""
    for name, (_, _, operation) in operations().items():
        assert operation["summary"], name
        assert operation["responses"]["default"]["content"].keys() == {"application/problem+json"}, name
        errors = [answer for status, answer in operation["responses"].items() if status >= "4" and status != "default"]
        assert errors, name
        assert all(list(answer["content"]) == ["application/problem+json"] for answer in errors), name


def test_starting_leads_to_following_by_links():
    """The id in an answer opens the operations that take it."""
    _, _, start = operations()["StartOperation"]
    link = start["responses"]["200"]["links"]["GetOperation"]
    assert link["parameters"]["operationId"] == "$response.body#/operationId"
    _, _, retry = operations()["RetryOperation"]
    assert retry["responses"]["200"]["links"]["GetOperation"]["parameters"]["operationId"] == (
        "$response.body#/newOperationId"
    )


def test_every_link_leads_to_an_operation_with_all_its_parameters():
    """A link that nobody can follow would be worse than none."""
    for name, (_, _, operation) in operations().items():
        for link in operation["responses"]["200"].get("links", {}).values():
            _, _, target = operations()[link["operationId"]]
            needed = {p["name"] for p in target["parameters"] if p["in"] == "path"}
            assert link["parameters"].keys() == needed, (name, link["operationId"])


def test_addresses_with_a_live_twin_offer_server_sent_events():
    """The nine of the design, each with the frames that it sends."""
    live = {n for n, (_, _, o) in operations().items() if "text/event-stream" in o["responses"]["200"]["content"]}
    tracked = {"GetJobProgress", "GetJobLogs", "GetJobTimeline", "GetJobMetrics", "TrackJobs"}
    assert live == {"GetOperation", "GetBatch", "GetJob", "GetQueue"} | tracked
    stream = operations()["GetJob"][2]["responses"]["200"]["content"]["text/event-stream"]
    assert set(stream["x-frames"]) == {"snapshot", "events", "bookmark", "reset", "done"}


def test_no_component_is_left_over_and_none_is_missing():
    """Every reference resolves, every schema is referred to."""
    text = importlib.resources.files("lodestream.rest").joinpath("openapi.yaml").read_text(encoding="utf-8")
    names = document()["components"]["schemas"].keys()
    referred = {part.split("'")[0] for part in text.split("#/components/schemas/")[1:]}
    assert referred == names


@pytest.mark.parametrize(
    ("comment", "first"),
    [
        ("Starts an operation. Repeated: again.", "Starts an operation"),
        ("What waits: 2.5 of them", "What waits: 2.5 of them"),
        ("One line.\n\nA paragraph.", "One line"),
    ],
)
def test_a_summary_is_the_first_sentence(comment, first):
    """Without its full stop, and a point inside a number ends nothing."""
    assert summary(comment) == first
