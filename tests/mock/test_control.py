"""The control service, over gRPC and under /__lodestream: sessions, clock, faults, journal, verification, coverage."""

import asyncio
import xml.etree.ElementTree as ET

import grpc
import httpx
import pytest
from lodestream_mock.app import running
from lodestream_mock.contract import methods
from lodestream_mock.control.coverage import Coverage, as_junit, as_text, percent
from lodestream_mock.settings import MockSettings
from lodestream_mock.v1 import control_pb2 as control
from lodestream_mock.v1 import control_pb2_grpc

from tests.mock.world import IDS, documented_body, request_of

TENANT = IDS["tenant_id"]


class Mock:
    """A running mock with clients of its control service."""

    def __init__(self, mock, channel, client):
        self.mock, self.channel, self.client = mock, channel, client
        self.stub = control_pb2_grpc.MockControlServiceStub(channel)

    async def call(self, method, **fields):
        """An answer of the contract."""
        found = methods()[method]
        call = self.channel.unary_unary(found.path, found.request.SerializeToString, found.response.FromString)
        return await call(request_of(method, documented_body(method, "en"), **fields))

    async def put(self, path, document):
        """The answer to a control call over REST."""
        return await self.client.put(f"/__lodestream/sessions/{path}", json=document)

    async def post(self, path, document):
        """The same."""
        return await self.client.post(f"/__lodestream/sessions/{path}", json=document)


@pytest.fixture
async def mock():
    """On free ports."""
    async with (
        running(MockSettings(grpc="127.0.0.1:0", rest="127.0.0.1:0")) as found,
        grpc.aio.insecure_channel(found.grpc) as channel,
        httpx.AsyncClient(base_url=found.rest or "") as client,
    ):
        yield Mock(found, channel, client)


async def test_a_session_is_configured_and_shown_on_either_door(mock):
    """What is left out comes from the server; another scenario brings its own clock."""
    answer = await mock.put(TENANT, {"scenario": "job-lifecycle", "seed": 3})
    shown = (await mock.stub.GetSession(control.GetSessionRequest(session=TENANT))).session
    assert answer.json()["session"]["clock"] == shown.clock == "step"
    assert (shown.scenario, shown.seed, shown.language) == ("job-lifecycle", 3, "en")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"scenario": "job-lifecycel"}, "did you mean job-lifecycle?"),
        ({"clock": "fast"}, "use one of frozen, step, auto, wall, scaled:RATE"),
        ({"clock": "scaled:-1"}, "scaled:RATE"),
        ({"language": "de"}, "use one of en, tr"),
        ({"sead": 1}, "did you mean seed?"),
        ({"seed": -1}, "below the limit"),
    ],
)
async def test_wrong_settings_are_refused_with_the_fix(mock, settings, told):
    """And the session stays what it was."""
    await mock.put(TENANT, {"scenario": "queue"})
    answer = await mock.put(TENANT, settings)
    assert answer.status_code == 400
    assert told in answer.text
    assert (await mock.stub.GetSession(control.GetSessionRequest(session=TENANT))).session.scenario == "queue"


async def test_advance_moves_the_clock_and_returns_when_streams_have_been_told(mock):
    """By a span, or to the next thing due."""
    await mock.put(TENANT, {"scenario": "job-lifecycle", "clock": "frozen"})
    found = methods()["WatchJob"]
    stream = mock.channel.unary_stream(found.path, found.request.SerializeToString, found.response.FromString)
    call = stream(request_of("WatchJob"))
    assert [(await call.read()).WhichOneof("frame") for _ in range(2)] == ["snapshot", "bookmark"]
    answer = (await mock.post(f"{TENANT}/clock/advance", {"by": 120})).json()
    assert (answer["session"]["elapsed"], answer["settled"]) == (120, True)
    assert (await call.read()).events.events[-1].HasField("sampled")
    answer = (await mock.post(f"{TENANT}/clock/advance", {})).json()
    assert answer["session"]["elapsed"] == 135
    call.cancel()


async def test_a_clock_that_runs_is_scaled(mock):
    """An hour a second; a job is over in less than a real second."""
    await mock.put(TENANT, {"scenario": "job-lifecycle", "clock": "scaled:10000"})
    found = methods()["WatchJob"]
    stream = mock.channel.unary_stream(found.path, found.request.SerializeToString, found.response.FromString)
    async with asyncio.timeout(10):
        kinds = [frame.WhichOneof("frame") async for frame in stream(request_of("WatchJob"))]
    assert kinds[-1] == "done"


async def test_reset_begins_a_session_anew(mock):
    """First ids again."""
    first = await mock.call("SubmitJob")
    assert (await mock.call("SubmitJob")).job_id != first.job_id
    await mock.post(f"{TENANT}/reset", {})
    assert (await mock.call("SubmitJob")).job_id == first.job_id


async def test_verify_tells_what_was_not_as_expected(mock):
    """Times, parts of requests, codes, order, and what nobody expected."""
    await mock.call("SubmitJob")
    await mock.call("GetJob")
    good = [
        {"method": "SubmitJob", "times": 1, "request": {"jobName": "Weekly Process Analysis"}},
        {"method": "GetJob"},
    ]
    answer = await mock.post(f"{TENANT}/verify", {"calls": good, "inOrder": True, "nothingElse": True})
    assert answer.json() == {"verified": True, "failures": []}
    wrong = [
        {"method": "GetJob", "times": 2},
        {"method": "SubmitJob", "request": {"jobName": "Another"}},
        {"method": "CancelJob"},
    ]
    failures = (await mock.post(f"{TENANT}/verify", {"calls": wrong, "nothingElse": True})).json()["failures"]
    assert failures[0].startswith("GetJob was called once, expected 2 times")
    assert "never called; the last SubmitJob was call 1 over grpc: OK" in failures[1]
    assert failures[2] == "CancelJob was never called; called were: GetJob, SubmitJob"
    assert failures[3] == "call 1 was not expected: SubmitJob (OK)"


async def test_verify_holds_to_an_order(mock):
    """Of first calls."""
    await mock.call("GetJob")
    await mock.call("SubmitJob")
    calls = [{"method": "SubmitJob"}, {"method": "GetJob"}]
    answer = await mock.post(f"{TENANT}/verify", {"calls": calls, "inOrder": True})
    assert "GetJob came as call 1, before the one expected earlier (call 2)" in answer.text


async def test_explain_answers_without_any_effect(mock):
    """A submission that was only explained leaves the first id to the real one."""
    scope = {"tenantId": TENANT, "projectId": IDS["project_id"]}
    request = {**documented_body("SubmitJob", "en"), **scope}
    explained = (await mock.post(f"{TENANT}/explain", {"method": "SubmitJob", "request": request})).json()
    assert (explained["code"], explained["example"]) == ("OK", "en/submit-job.response.json")
    assert explained["answer"]["jobId"] == (await mock.call("SubmitJob")).job_id
    line = f"GET /api/{TENANT}/{IDS['project_id']}/execution/jobs?status=Runing"
    explained = (await mock.post(f"{TENANT}/explain", {"requestLine": line})).json()
    assert explained["httpStatus"] == 400
    assert "did you mean Running?" in explained["explanation"][0]


async def test_the_journal_is_the_same_on_both_doors(mock):
    """As far as it concerns the calls before."""
    await mock.call("GetJob")
    typed = (await mock.stub.GetJournal(control.GetJournalRequest(session=TENANT))).entries
    shown = (await mock.client.get(f"/__lodestream/sessions/{TENANT}/journal")).json()["entries"]
    assert [(entry.number, entry.method, entry.code) for entry in typed] == [(1, "GetJob", "OK")]
    assert [(entry["number"], entry["method"], entry["example"]) for entry in shown] == [
        (1, "GetJob", "en/get-job.response.json")
    ]


async def test_coverage_counts_operations_examples_errors_and_streams(mock):
    """Over all sessions."""
    await mock.call("GetJob")
    with pytest.raises(grpc.aio.AioRpcError):
        await mock.call("GetJob", job_id="nobody")
    items = (await mock.client.get("/__lodestream/coverage")).json()["items"]
    counts = {(item["group"], item["name"]): item["count"] for item in items}
    assert counts["operations", "GetJob over grpc"] == 2
    assert counts["operations", "GetJob over rest"] == 0
    assert counts["examples", "en/get-job.response.json"] == 1
    assert counts["errors", "RUN_NOT_FOUND"] == 1
    assert counts["streams", "WatchJob to done"] == 0


def test_coverage_is_told_as_text_and_as_junit():
    """What is missing stands first; a missing item is a skipped test case."""
    items = Coverage().items()
    assert percent(items) == 0
    assert as_text(items).startswith(f"0.0 % of {len(items)} items exercised")
    suite = ET.fromstring(as_junit(items))  # our own document
    assert len(suite.findall("testcase/skipped")) == len(items)
