"""Both doors say the same, every time: a mock on real ports, asked over gRPC and over REST."""

import asyncio
import json

import grpc
import httpx
import pytest
from lodestream_mock.app import running
from lodestream_mock.contract import methods
from lodestream_mock.routes import contract_routes
from lodestream_mock.settings import MockSettings
from lodestream_mock.v1 import control_pb2 as control
from lodestream_mock.v1 import control_pb2_grpc

from lodestream import documented, wire
from tests.mock.world import IDS, documented_body, request_of

SETTINGS = MockSettings(grpc="127.0.0.1:0", rest="127.0.0.1:0")
ROUTES = {route.method: route for route in contract_routes()}
DOCUMENTED = [name for name, method in methods().items() if method.example]


class Doors:
    """A client of each door; `session` keeps their calls apart from other calls."""

    def __init__(self, mock, client):
        self.mock, self.client = mock, client
        self.channel = grpc.aio.insecure_channel(mock.grpc)

    async def over_grpc(self, method, request, language="en", session="a"):
        """The typed answer as documented JSON, and the trailers."""
        found = methods()[method]
        call = self.channel.unary_unary(found.path, found.request.SerializeToString, found.response.FromString)(
            request, metadata=(("accept-language", language), ("lodestream-session", session))
        )
        return wire.to_dict(await call, language), dict(await call.trailing_metadata())

    async def over_rest(self, method, request, language="en", session="a", **headers):
        """The response to the same request."""
        route, document = ROUTES[method], wire.to_dict(request)
        path = route.template
        for key in route.keys:
            path = path.replace("{" + key + "}", document.pop(key))
        named = {"accept-language": language, "lodestream-session": session, **headers}
        body = document if route.with_body else None
        query = None if route.with_body else document
        return await self.client.request(route.verb, path, json=body, params=query, headers=named)


@pytest.fixture
async def doors():
    """Both doors of a running mock."""
    async with running(SETTINGS) as mock, httpx.AsyncClient(base_url=mock.rest or "") as client:
        found = Doors(mock, client)
        yield found
        await found.channel.close()


async def test_every_example_is_the_same_over_both_doors(doors):
    """Equal to the file in both languages, with the same provenance in trailers and headers."""
    for language in ("en", "tr"):
        for method in DOCUMENTED:
            request = request_of(method, documented_body(method, language))
            typed, trailers = await doors.over_grpc(method, request, language, session=f"grpc-{language}")
            answer = await doors.over_rest(method, request, language, session=f"rest-{language}")
            expected = documented.example(methods()[method].example, language)
            assert answer.status_code == 200
            assert typed == expected
            assert answer.json() == expected
            for key in ("lodestream-example", "lodestream-source", "lodestream-provenance", "lodestream-page"):
                assert answer.headers[key] == trailers[key]


async def test_derived_answers_are_the_same_over_both_doors(doors):
    """What no page shows; REST makes whole addresses of paths to files."""
    for method in ("RetryJob", "CancelJob", "GetBatch", "GetQueue", "ListWebhooks", "ListSubscriptions", "ExplainJob"):
        request = request_of(method, documented_body(method, "en"))
        typed, trailers = await doors.over_grpc(method, request, session="grpc")
        answer = await doors.over_rest(method, request, session="rest")
        assert json.loads(answer.text.replace(doors.mock.rest, "")) == typed, method
        assert answer.headers["lodestream-provenance"] == trailers["lodestream-provenance"] == "derived"


async def test_a_stream_is_the_same_over_both_doors_and_its_tokens_are_good_on_either(doors):
    """Frames of gRPC and events of SSE."""
    for session in ("grpc", "rest"):
        doors.mock.sessions.configure(session, clock="auto")
    found = methods()["WatchJob"]
    stream = doors.channel.unary_stream(found.path, found.request.SerializeToString, found.response.FromString)
    typed = [
        (frame.WhichOneof("frame"), frame.resume_token)
        async for frame in stream(request_of("WatchJob"), metadata=(("lodestream-session", "grpc"),))
    ]
    answer = await doors.over_rest("GetJob", request_of("GetJob"), session="rest", accept="text/event-stream")
    events = [
        dict(line.split(": ", 1) for line in event.split("\n"))
        for event in answer.text.split("\n\n")
        if "event:" in event
    ]
    assert [(event["event"], event["id"]) for event in events] == typed
    token = typed[4][1]
    rest = await doors.over_rest(
        "GetJob", request_of("GetJob"), session="rest", accept="text/event-stream", **{"last-event-id": token}
    )
    assert f"id: {typed[5][1]}" in rest.text


async def test_two_runs_of_the_same_calls_give_the_same_bytes(doors):
    """Bodies and headers over REST, problems included; only the Date differs."""

    async def transcript(session):
        doors.mock.sessions.configure(session, scenario="job-lifecycle", seed=7)
        out = []
        for method, fields in [
            *[("SubmitJob", {})] * 2,
            *[("GetJob", {})] * 4,
            ("GetJobResults", {}),
            ("GetJob", {"job_id": "nobody"}),
            ("ListJobs", {}),
            ("CancelJob", {}),
        ]:
            answer = await doors.over_rest(
                method, request_of(method, documented_body(method, "en"), **fields), session=session
            )
            headers = {key: value for key, value in answer.headers.items() if key != "date"}
            out.append((answer.status_code, headers, answer.content))
        return out

    assert await transcript("first") == await transcript("second")


async def test_a_fault_is_the_same_error_on_both_doors(doors):
    """RESOURCE_EXHAUSTED and 429, with the same reason, and nobody is asked to wait."""
    stub = control_pb2_grpc.MockControlServiceStub(doors.channel)
    await stub.AddFault(control.AddFaultRequest(session="a", method="GetJob", reason="QUOTA_EXCEEDED", times=2))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await doors.over_grpc("GetJob", request_of("GetJob"))
    answer = await doors.over_rest("GetJob", request_of("GetJob"))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (answer.status_code, answer.json()["reason"], answer.headers["retry-after"]) == (429, "QUOTA_EXCEEDED", "0")
    assert answer.headers["lodestream-fault"] == "fault-1"
    assert not (await stub.ListFaults(control.ListFaultsRequest(session="a"))).unfired


async def test_pollers_are_never_asked_to_wait(doors):
    """Retry-After is 0 while a run goes on."""
    assert (await doors.over_rest("GetJob", request_of("GetJob"))).headers["retry-after"] == "0"


async def test_downloads_are_really_served(doors):
    """By the address that the results give, with the length that they say."""
    doors.mock.sessions.configure("a", scenario="operation-lifecycle")
    await doors.over_rest("StartOperation", request_of("StartOperation", documented_body("StartOperation", "en")))
    doors.mock.sessions.of("a").clock.move_to(3_600_000)
    results = (await doors.over_rest("GetOperationResults", request_of("GetOperationResults"))).json()
    for artifact in results["artifacts"]:
        file = await doors.client.get(artifact["downloadUrl"], headers={"lodestream-session": "a"})
        assert file.status_code == 200
        assert f"{len(file.content)} B" == artifact["size"]


@pytest.mark.parametrize(
    ("verb", "path", "status", "told"),
    [
        ("GET", "/api/{tenant_id}/{project_id}/execution/jobz", 404, "GET /api/{tenantId}/{projectId}/execution/jobs"),
        ("GET", "/nothing", 404, "/openapi.yaml lists all of them"),
        ("PUT", "/api/{tenant_id}/{project_id}/execution/jobs", 405, "GET"),
        ("GET", "/api/{tenant_id}/{project_id}/execution/job/nobody", 404, "There are: "),
        ("GET", "/api/{tenant_id}/{project_id}/execution/jobs?status=Runing", 400, "Running"),
        ("POST", "/__lodestream/sessions/x", 405, "use GET, PUT"),
        ("GET", "/__lodestream/session", 404, "GET /__lodestream/sessions"),
        ("PUT", "/__lodestream/sessions/x?scenario=y", 400, "unknown query parameter"),
    ],
)
async def test_what_does_not_fit_explains_itself(doors, verb, path, status, told):
    """The nearest paths, the allowed verbs and words."""
    answer = await doors.client.request(verb, path.format(**IDS))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert told in answer.text


async def test_an_unknown_route_is_noted_in_the_journal(doors):
    """So that the test that asked for it can fail."""
    await doors.client.get(f"/api/{IDS['tenant_id']}/nothing")
    assert [entry.explained for entry in doors.mock.sessions.of(IDS["tenant_id"]).journal.entries] == [False]


async def test_the_sessions_language_serves_callers_that_ask_for_none(doors):
    """Turkish here."""
    doors.mock.sessions.configure(IDS["tenant_id"], language="tr")
    path = f"/api/{IDS['tenant_id']}/{IDS['project_id']}/execution/job/{IDS['job_id']}/progress"
    answer = await doors.client.get(path)
    assert answer.json() == documented.example("get-job-progress.response", "tr")


async def test_tenants_never_meet(doors):
    """Each has its own first submission."""
    answers = await asyncio.gather(
        *(
            doors.over_rest("SubmitJob", request_of("SubmitJob", documented_body("SubmitJob", "en")), session=f"s{n}")
            for n in range(20)
        )
    )
    assert {answer.json()["jobId"] for answer in answers} == {"ee0e8400-e29b-41d4-a716-446655440000"}
