"""What a REST caller writes reaches the servicer as the contract's message, and nothing of it is lost."""

import pytest

from lodestream import documented
from lodestream.v1 import common_pb2, operation_pb2
from lodestream.wire import from_json
from tests.integration.rest_world import ASYNC, EXECUTION, PROJECT, TENANT, Server, asking


@pytest.fixture
async def server():
    """A fresh one for every test."""
    return Server()


@pytest.fixture
async def client(server):
    """A caller of the facade in front of it."""
    async with asking(server) as client:
        yield client


async def test_path_and_query_become_fields(server, client):
    """Words, dates and numbers mean what they mean in a body; the pages' client writes naive ISO dates."""
    await client.get(
        f"{ASYNC}/operations",
        params={
            "status": "Running",
            "priority": "Yüksek",
            "dateFrom": "2024-01-20T10:30:00.123456",
            "dateTo": "2024-01-31",
            "includeDetails": "True",
            "page": "2",
        },
    )
    asked = server.asked
    assert (asked.tenant_id, asked.project_id) == (TENANT, PROJECT)
    assert asked.status == common_pb2.OPERATION_STATUS_RUNNING
    assert asked.priority == common_pb2.PRIORITY_HIGH
    assert asked.date_from.ToJsonString() == "2024-01-20T10:30:00.123456Z"
    assert asked.date_to.ToJsonString() == "2024-01-31T00:00:00Z"
    assert (asked.include_details, asked.page) == (True, 2)


async def test_the_body_becomes_the_rest_of_the_message(server, client):
    """The documented request, to the last key."""
    body = documented.example("start-operation.request")
    answer = await client.post(f"{ASYNC}/operation", json=body)
    assert answer.status_code == 200
    expected = from_json(body, operation_pb2.StartOperationRequest)
    expected.tenant_id, expected.project_id = TENANT, PROJECT
    assert server.asked == expected


async def test_credential_language_and_request_id_travel_beside_the_message(server, client):
    """As metadata, so that authentication is the server's affair alone."""
    answer = await client.get(
        f"{ASYNC}/operation/op-1", headers={"authorization": "Bearer secret", "accept-language": "tr-TR, en;q=0.5"}
    )
    assert server.metadata["authorization"] == "Bearer secret"
    assert server.metadata["accept-language"] == "tr"
    assert server.metadata["x-request-id"] == answer.headers["x-request-id"]


async def test_a_credential_that_grpc_cannot_carry_is_none(server, client):
    """It must not break the call."""
    answer = await client.get(f"{ASYNC}/operation/op-1", headers={"authorization": b"Bearer \xe9"})
    assert answer.status_code == 200
    assert "authorization" not in server.metadata


async def test_the_idempotency_key_is_the_request_id_of_the_contract(server, client):
    """The header's name is HTTP's, the field's name is ours."""
    body = documented.example("start-operation.request")
    await client.post(f"{ASYNC}/operation", json=body, headers={"idempotency-key": "once"})
    assert server.asked.request_id == "once"


async def test_the_idempotency_key_counts_before_the_id_in_the_body(server, client):
    """The header is the later word: proxies and libraries add it."""
    body = documented.example("start-operation.request") | {"requestId": "mine"}
    await client.post(f"{ASYNC}/operation", json=body)
    assert server.asked.request_id == "mine"
    await client.post(f"{ASYNC}/operation", json=body, headers={"idempotency-key": "theirs"})
    assert server.asked.request_id == "theirs"


@pytest.mark.parametrize("key", ["", " ", "x" * 201])
async def test_an_idempotency_key_that_cannot_count_is_refused(client, key):
    """An empty one, an endless one."""
    body = documented.example("start-operation.request")
    answer = await client.post(f"{ASYNC}/operation", json=body, headers={"idempotency-key": key})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"content": b""},
        {"content": b"", "headers": {"content-type": "application/json"}},
        {"content": b"null", "headers": {"content-type": "application/json"}},
        {"content": b"{}"},
        {"json": {"reason": "enough"}},
    ],
    ids=["none", "empty", "empty json", "null", "empty object", "object"],
)
async def test_delete_works_with_without_and_with_an_empty_body(server, client, options):
    """Both documented DELETEs have an optional one."""
    answer = await client.request("DELETE", f"{ASYNC}/operation/op-1", **options)
    assert answer.status_code == 200
    assert server.asked.operation_id == "op-1"
    assert server.asked.reason == options.get("json", {}).get("reason", "")


async def test_lists_are_separated_by_commas_and_empty_ones_are_empty(server, client):
    """jobIds=a,b and jobIds= ."""
    await client.get(f"{EXECUTION}/tracking/batch?jobIds=a,b,,c")
    assert list(server.asked.job_ids) == ["a", "b", "c"]
    answer = await client.get(f"{EXECUTION}/tracking/batch?jobIds=")
    assert (answer.status_code, list(server.asked.job_ids)) == (200, [])


async def test_chunked_bodies_are_read(server, client):
    """Many clients send JSON without announcing its length."""

    async def chunks():
        yield b'{"reason": "in '
        yield b'pieces"}'

    answer = await client.request(
        "DELETE", f"{ASYNC}/operation/op-1", content=chunks(), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200
    assert server.asked.reason == "in pieces"


async def test_ids_are_decoded_from_the_path(server, client):
    """An id is opaque: blanks and umlauts are its own affair."""
    await client.get(f"{ASYNC}/operation/op%20%C3%BC")
    assert server.asked.operation_id == "op ü"


async def test_words_of_both_languages_are_understood(server, client):
    """Words of any language are accepted everywhere."""
    await client.get(f"{EXECUTION}/job/j-1/logs", params={"level": "ERROR", "format": "structured"})
    assert server.asked.level == common_pb2.LogLevel.Value("LOG_LEVEL_ERROR")
    await client.get(f"{EXECUTION}/tracking/batch", params={"status": "Çalışıyor"})
    assert server.asked.status == common_pb2.JOB_STATUS_RUNNING
