"""Bad input is refused with a problem that says what to do, before a parser or a servicer meets it."""

import json

import pytest

from lodestream import documented
from lodestream.rest.settings import RestSettings
from tests.integration.rest_world import ASYNC, EXECUTION, Server, asking

JSON = {"content-type": "application/json"}


@pytest.fixture
async def server():
    """A fresh one for every test."""
    return Server()


@pytest.fixture
async def client(server):
    """A caller of the facade in front of it."""
    async with asking(server) as client:
        yield client


def told(answer, code):
    """The problem document of an answer, checked for its form."""
    assert answer.status_code == code, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == code
    assert {"type", "title", "detail", "reason", "instance"} <= document.keys()
    return document


@pytest.mark.parametrize(
    "body",
    [
        b'{"operationName": "\xff"}',
        b'{"operationName": "a", "operationName": "b"}',
        b'{"timeout": ' + b"9" * 5000 + b"}",
        b'{"parameters": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b"[" * 100_000,
        b'{"operationName": NaN}',
        b"{",
        b'"text"x',
    ],
    ids=["UTF-8", "duplicate keys", "5,000 digits", "depth", "open depth", "NaN", "broken", "rest"],
)
async def test_bodies_that_no_parser_should_meet_are_malformed(server, client, body):
    """400, and the server never hears of it."""
    document = told(await client.post(f"{ASYNC}/operation", content=body, headers=JSON), 400)
    assert document["reason"] == "MALFORMED"
    assert document["errors"][0]["detail"] == document["detail"]
    assert server.asked is None


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"1", b"true", b"0", b'""'])
async def test_a_body_that_is_no_object_is_refused(client, body):
    """Empty ones and false ones too: they are not absent."""
    document = told(await client.request("DELETE", f"{ASYNC}/operation/op-1", content=body, headers=JSON), 400)
    assert document["errors"] == [{"in": "body", "pointer": "", "detail": document["errors"][0]["detail"]}]
    assert "must be an object" in document["detail"]


@pytest.mark.parametrize("page_size", ["0", "101", "-1", "x", "", "1.5", "1e1", "9" * 30])
async def test_a_page_size_out_of_range_or_no_number_is_refused(client, page_size):
    """The answer names the parameter and the range."""
    document = told(await client.get(f"{ASYNC}/operations", params={"pageSize": page_size}), 400)
    assert document["errors"][0]["parameter"] == "pageSize"
    assert document["errors"][0]["in"] == "query"


async def test_a_wrong_word_is_answered_with_the_allowed_ones(client):
    """And with the nearest."""
    document = told(await client.get(f"{ASYNC}/operations", params={"status": "Runing"}), 400)
    fault = document["errors"][0]
    assert fault["allowed"] == ["Initiated", "Pending", "Running", "Completed", "Failed", "Cancelled", "Timeout"]
    assert "did you mean Running?" in fault["detail"]


@pytest.mark.parametrize("date", ["yesterday", "2024-13-01", "2024-02-30", "2024-01-01T25:00:00", "1705746600"])
async def test_dates_that_are_no_dates_are_refused(client, date):
    """The fault names the form."""
    document = told(await client.get(f"{ASYNC}/operations", params={"dateFrom": date}), 400)
    assert document["errors"][0]["parameter"] == "dateFrom"


async def test_a_range_upside_down_is_refused(client):
    """Nothing can lie in it, so it is a slip of the pen."""
    params = {"dateFrom": "2024-02-01", "dateTo": "2024-01-31T23:59:59.999999"}
    fault = told(await client.get(f"{ASYNC}/operations", params=params), 400)["errors"][0]
    assert (fault["parameter"], "before dateFrom" in fault["detail"]) == ("dateTo", True)
    same = {"dateFrom": "2024-02-01", "dateTo": "2024-02-01"}
    assert (await client.get(f"{ASYNC}/operations", params=same)).status_code == 200


async def test_an_unknown_query_parameter_is_refused_with_the_nearest_known_one(client):
    """A filter with a slip of the pen would show too much."""
    document = told(await client.get(f"{ASYNC}/operations", params={"pagesize": "5"}), 400)
    assert "did you mean pageSize?" in document["detail"]
    assert "status" in document["errors"][0]["allowed"]


async def test_a_query_beside_a_body_is_refused(client):
    """What belongs into the body is not looked for in the query."""
    answer = await client.post(f"{ASYNC}/operation?priority=High", json=documented.example("start-operation.request"))
    assert "priority" in told(answer, 400)["detail"]


async def test_a_parameter_given_twice_is_refused(client):
    """Which one would have counted is nobody's guess."""
    assert "2 times" in told(await client.get(f"{ASYNC}/operations?page=1&page=2"), 400)["detail"]


async def test_a_query_that_is_not_utf8_is_refused(client):
    """As a body would be."""
    assert told(await client.get(f"{ASYNC}/operations?submittedBy=%FF"), 400)["reason"] == "MALFORMED"


async def test_every_fault_of_a_body_is_listed_with_its_pointer(client):
    """One round trip mends the request."""
    body = {"operationType": "Mining", "retryPolicy": {"maxRetries": "3"}, "notifications": {"email": "a@b.c"}, "x": 1}
    document = told(await client.post(f"{ASYNC}/operation", json=body), 400)
    assert [fault["pointer"] for fault in document["errors"]] == [
        "/operationType",
        "/retryPolicy/maxRetries",
        "/notifications/email",
        "/x",
        "/operationName",
    ]


async def test_what_is_missing_or_beyond_a_limit_is_listed_too(client):
    """By the rules of the contract."""
    body = {"operationType": "ProcessMiningAnalysis", "timeout": 0, "callbacks": {"onError": "ftp://x"}}
    document = told(await client.post(f"{ASYNC}/operation", json=body), 400)
    assert {fault["pointer"] for fault in document["errors"]} == {"/operationName", "/timeout", "/callbacks/onError"}


async def test_an_id_in_the_path_that_is_no_guid_is_refused_where_it_stands(client):
    """Tenant and project are GUIDs."""
    fault = told(await client.get("/api/t/770e8400-e29b-41d4-a716-446655440000/async/operations"), 400)["errors"][0]
    assert (fault["in"], fault["parameter"]) == ("path", "tenantId")


async def test_unknown_addresses_and_methods_are_problems(client):
    """Never HTML."""
    assert told(await client.get("/api/x"), 404)["reason"] == "ROUTE_NOT_FOUND"
    assert told(await client.get("/docs/../../pyproject.toml"), 404)["reason"] == "ROUTE_NOT_FOUND"
    answer = await client.put(f"{ASYNC}/operations")
    assert told(answer, 405)["reason"] == "METHOD_NOT_ALLOWED"
    assert answer.headers["allow"] == "GET, HEAD"
    told(await client.post("/healthz"), 405)


async def test_media_types_that_nobody_has_or_takes_are_problems(client):
    """406 and 415 name those that there are."""
    answer = await client.get(f"{ASYNC}/operations", headers={"accept": "text/html"})
    assert "application/json" in told(answer, 406)["detail"]
    answer = await client.post(f"{ASYNC}/operation", data={"operationName": "x"})
    assert "application/json" in told(answer, 415)["detail"]
    answer = await client.get(f"{ASYNC}/operations", headers={"accept": "text/event-stream"})
    assert told(answer, 406)["reason"] == "NOT_ACCEPTABLE"


async def test_a_foreign_host_is_refused(server):
    """A page that rebound its name to this address gets nothing; names we answer for are a setting."""
    async with asking(server, RestSettings(hosts=["mining.example.org"])) as client:
        for good in ("localhost:8080", "127.0.0.1:1", "[::1]:80", "10.1.2.3", "MINING.example.org:443"):
            assert (await client.get("/healthz", headers={"host": good})).status_code == 200, good
        for bad in ("evil.example.org", "localhost.evil.org", "127.0.0.1.evil.org", "[::1].evil.org:80"):
            assert told(await client.get("/healthz", headers={"host": bad}), 421)["reason"] == "FOREIGN_HOST", bad


@pytest.mark.parametrize("flag", ["maybe", "1", ""])
async def test_a_flag_is_true_or_false(client, flag):
    """Also the one that only streams look at."""
    document = told(await client.get(f"{ASYNC}/operation/op-1", params={"replay": flag}), 400)
    assert document["errors"][0]["parameter"] == "replay"


async def test_what_was_sent_is_never_repeated_whole(client):
    """An answer does not grow with the size of a broken request."""
    body = json.dumps({"operationType": "x" * 100_000, "y" * 100_000: 1})
    answer = await client.post(f"{ASYNC}/operation", content=body, headers=JSON)
    assert len(told(answer, 400)["detail"]) < 1000
    assert len(answer.content) < 5000


async def test_half_a_surrogate_pair_is_refused_without_being_repeated(client):
    """Valid JSON, no valid text."""
    answer = await client.post(f"{ASYNC}/operation", content=rb'{"operationName": "\ud800", "\udc00": 1}', headers=JSON)
    told(answer, 400)


async def test_logs_take_at_most_ten_thousand_lines(client):
    """As the page says."""
    assert "10000" in told(await client.get(f"{EXECUTION}/job/j/logs", params={"limit": "10001"}), 400)["detail"]
