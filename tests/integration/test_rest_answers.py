"""What a servicer answers reaches the REST caller as the documented JSON, with the headers that pollers need."""

import json
import re

import pytest

from lodestream import documented
from lodestream.errors import DiskFull, Internal, RunNotFinished, RunNotFound, ServerDraining, Unauthenticated
from lodestream.rest.links import Links
from lodestream.rest.settings import RestSettings
from lodestream.v1 import common_pb2, operation_pb2
from tests.integration.rest_world import ASYNC, EXECUTION, Server, asking


@pytest.fixture
async def server():
    """A fresh one for every test."""
    return Server()


@pytest.fixture
async def client(server):
    """A caller of the facade in front of it."""
    async with asking(server) as client:
        yield client


async def test_an_answer_is_the_documented_payload(client):
    """Keys in order, texts and words as on the page."""
    answer = await client.get(f"{ASYNC}/operation/op-1")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert list(answer.json().items()) == list(documented.example("get-operation.response").items())


async def test_texts_follow_the_language_and_the_answer_says_so(client):
    """Caches must not mix them."""
    answer = await client.get(f"{ASYNC}/operation/op-1", headers={"accept-language": "tr"})
    assert answer.json()["progress"]["elapsedTime"] == "23 dakika 15 saniye"
    assert answer.headers["content-language"] == "tr"
    assert "accept-language" in answer.headers["vary"]
    german = await client.get(f"{ASYNC}/operation/op-1", headers={"accept-language": "de"})
    assert german.headers["content-language"] == "en"


async def test_a_poller_is_told_to_wait_while_a_run_goes_on(server, client):
    """Not any more when it has ended."""
    assert int((await client.get(f"{ASYNC}/operation/op-1")).headers["retry-after"]) > 0
    server.answers["GetOperation"] = operation_pb2.GetOperationResponse(status=common_pb2.OPERATION_STATUS_COMPLETED)
    assert "retry-after" not in (await client.get(f"{ASYNC}/operation/op-1")).headers


async def test_an_unchanged_answer_is_not_sent_again(client):
    """ETag and If-None-Match; 304 has no body."""
    first = await client.get(f"{ASYNC}/operation/op-1")
    again = await client.get(f"{ASYNC}/operation/op-1", headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    other = await client.get(f"{ASYNC}/operation/op-1", headers={"if-none-match": '"other"'})
    assert other.status_code == 200
    turkish = await client.get(
        f"{ASYNC}/operation/op-1", headers={"if-none-match": first.headers["etag"], "accept-language": "tr"}
    )
    assert turkish.status_code == 200


@pytest.mark.parametrize("how", [{"params": {"format": "raw"}}, {"headers": {"accept": "text/plain"}}])
async def test_raw_logs_are_lines_of_plain_text(client, how):
    """A line an entry, oldest first, whether asked for by the parameter or by media type."""
    answer = await client.get(f"{EXECUTION}/job/j-1/logs", **how)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = answer.text.splitlines()
    entries = documented.example("get-job-logs.response")["logs"]
    assert len(lines) == len(entries)
    assert lines[0].startswith("2024-01-20T10:30:15Z INFO  [Initialization] DataLoader: Starting data load")
    assert all(re.match(r"\S+Z (DEBUG|INFO |WARN |ERROR) ", line) for line in lines)


async def test_head_gives_the_headers_of_get(client):
    """ASGI servers leave the body out; the length is that of GET."""
    got = await client.get(f"{ASYNC}/operation/op-1")
    head = await client.head(f"{ASYNC}/operation/op-1")
    assert head.status_code == 200
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_results_name_files_by_links_that_are_signed_and_absolute(server):
    """The caller's own scheme and host; addresses elsewhere are left alone."""
    async with asking(server, RestSettings(link_key=b"key")) as client:
        first, second, *_ = (await client.get(f"{ASYNC}/operation/op-1/results")).json()["artifacts"]
    link = re.fullmatch(r"http://localhost(/api/\S+)\?expires=(\d+)&signature=(\S+)", first["downloadUrl"])
    assert link
    path, expires, signature = link.groups()
    Links(b"key", 0, clock=lambda: 0.0).check(path, expires, signature)
    assert second["downloadUrl"].startswith("https://api.mindzie.com/")


async def test_behind_a_proxy_links_carry_the_public_address(server):
    """Which the facade cannot know by itself."""
    settings = RestSettings(public_url="https://mining.example.org/")
    async with asking(server, settings) as client:
        artifacts = (await client.get(f"{ASYNC}/operation/op-1/results")).json()["artifacts"]
    assert re.fullmatch(r"https://mining\.example\.org/api/[^?]+", artifacts[0]["downloadUrl"])


@pytest.mark.parametrize(
    ("error", "code"),
    [(RunNotFound(), 404), (RunNotFinished(), 409), (Unauthenticated(), 401), (DiskFull(), 507)],
)
async def test_errors_of_the_contract_are_problems_with_their_reason(server, client, error, code):
    """RFC 9457, every time."""
    server.error = error
    answer = await client.get(f"{ASYNC}/operation/op-1")
    document = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (code, "application/problem+json")
    assert document["type"] == f"urn:lodestream:problem:{error.reason.lower().replace('_', '-')}"
    assert (document["status"], document["reason"], document["detail"]) == (code, error.reason, error.message)
    assert document["instance"].endswith(answer.headers["x-request-id"])
    assert ("www-authenticate" in answer.headers) == (code == 401)


async def test_a_server_that_drains_says_when_to_come_back(server, client):
    """Retry-After, in whole seconds."""
    server.error = ServerDraining(retry_after_s=0.3)
    answer = await client.get(f"{ASYNC}/operation/op-1")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_an_internal_error_keeps_the_servers_error_id(server, client):
    """So that caller and log meet."""
    server.error = Internal(details={"error_id": "e-1"})
    assert (await client.get(f"{ASYNC}/operation/op-1")).json()["errorId"] == "e-1"


async def test_an_unexpected_fault_shows_nothing_of_itself(server, client, caplog):
    """500 with an id that stands in the log; no text, no path, no trace."""
    server.error = ValueError("secret /path")
    answer = await client.get(f"{ASYNC}/operation/op-1")
    assert answer.status_code == 500
    assert b"secret" not in answer.content
    assert b"Traceback" not in answer.content
    assert answer.json()["errorId"] in caplog.text


async def test_what_a_server_does_not_have_is_not_built(client):
    """UNIMPLEMENTED is a documented 501."""
    answer = await client.get(f"{EXECUTION}/job/j-1")
    assert (answer.status_code, answer.json()["reason"]) == (501, "NOT_BUILT")


async def test_health_document_and_pages_need_no_key_and_no_network(client):
    """Probes, machines and people."""
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ready"}
    assert (await client.get("/openapi.yaml")).text.startswith("# Generated")
    page = await client.get("/docs")
    parts = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert len(parts) == 4
    for part in parts:
        assert part.startswith("/docs/")
        assert (await client.get(part)).status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]


async def test_browsers_of_other_origins_are_let_in_by_setting_only(server):
    """Off by default."""
    asked = {"origin": "https://app.example.org", "access-control-request-method": "POST"}
    async with asking(server) as client:
        assert (await client.options(f"{ASYNC}/operation", headers=asked)).status_code == 405
        answer = await client.get(f"{ASYNC}/operation/op-1", headers=asked)
        assert "access-control-allow-origin" not in answer.headers
    async with asking(server, RestSettings(origins=["https://app.example.org"])) as client:
        allowed = await client.options(f"{ASYNC}/operation", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example.org"
        answer = await client.get(f"{ASYNC}/nothing", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://app.example.org"
        assert json.loads(answer.content)["status"] == 404
