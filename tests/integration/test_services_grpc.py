"""The gRPC door as a stranger's client meets it: bytes that are no message, faults nobody expected, ids of requests,
health and reflection, many streams at once. Uses pytest-grpc's protocol, with its server and channel made for grpc.aio.
"""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from lodestream_server.grpc_door.guard import Guard
from lodestream_server.grpc_door.listening import make_server
from lodestream_server.grpc_door.methods import METHODS, SERVICES
from lodestream_server.services.watching import Streams
from lodestream_server.settings import ServerSettings
from lodestream_server.store.keys import ApiKey

from lodestream import rich_status
from lodestream.v1 import job_pb2
from lodestream.v1.job_pb2_grpc import JobServiceServicer, JobServiceStub, add_JobServiceServicer_to_server
from tests.support.server import PROJECT, TENANT, running_server, signed

KEY = ApiKey("key-1", "lode_12345678", "Ada", "admin", datetime(2026, 3, 1, tzinfo=UTC))
ASK = job_pb2.GetJobRequest(tenant_id=TENANT, project_id=PROJECT, job_id="x")


class OneKey:
    """Knows one secret."""

    async def check(self, secret):
        """See `Keys.check`."""
        return KEY if secret == "open sesame" else None


class Clumsy(JobServiceServicer):
    """Falls over where it is asked to, and watches streams of nothing."""

    def __init__(self):
        self.streams = Streams()
        self.open = asyncio.Event()

    async def GetJob(self, request, context):
        raise RuntimeError("secret /home/somebody/file")

    async def WatchJob(self, request, context):
        yield job_pb2.WatchJobResponse(resume_token="1").SerializeToString()
        await self.open.wait()
        raise KeyError("secret")


@pytest.fixture
def grpc_addr(tmp_path):
    """A socket that no other test can take."""
    return f"unix:{tmp_path}/grpc.sock"


@pytest.fixture
def grpc_add_to_server():
    """What pytest-grpc adds the servicer with."""
    return add_JobServiceServicer_to_server


@pytest.fixture
def grpc_servicer():
    """The servicer under test."""
    return Clumsy()


@pytest.fixture
def grpc_interceptors():
    """The guard that stands in front of every servicer."""
    return [Guard(OneKey())]


@pytest_asyncio.fixture
async def grpc_server(grpc_addr, grpc_add_to_server, grpc_servicer, grpc_interceptors):
    """pytest-grpc's server, for grpc.aio and with the options of the real one."""
    server = make_server(ServerSettings(), grpc_interceptors)
    grpc_add_to_server(grpc_servicer, server)
    server.add_insecure_port(grpc_addr)
    await server.start()
    yield server
    await server.stop(None)


@pytest_asyncio.fixture
async def grpc_channel(grpc_addr, grpc_server):
    """pytest-grpc's channel, for grpc.aio."""
    async with grpc.aio.insecure_channel(grpc_addr) as channel:
        yield channel


@pytest.fixture
def grpc_stub_cls():
    """What pytest-grpc makes the stub with."""
    return JobServiceStub


@pytest.fixture
def grpc_stub(grpc_stub_cls, grpc_channel):
    """pytest-grpc's stub, as often as a test asks."""
    return grpc_stub_cls(grpc_channel)


async def refusal(call):
    """The error and the trailers of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value, rich_status.from_call(caught.value)


async def test_an_unexpected_fault_tells_an_id_and_nothing_else(grpc_stub, caplog):
    """The text and the traceback are in the server's log, under that id."""
    with caplog.at_level(logging.ERROR):
        status, error = await refusal(grpc_stub.GetJob(ASK, metadata=signed("open sesame")))
    assert status.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in f"{status} {error.details}"
    record = next(record for record in caplog.records if record.name.endswith("refusals"))
    assert record.error_id == error.details["errorId"]
    assert "secret /home/somebody/file" in caplog.text


async def test_a_stream_that_falls_over_tells_no_more(grpc_stub, grpc_servicer):
    """Also after its first frame."""
    stream = grpc_stub.WatchJob(job_pb2.WatchJobRequest(request=ASK), metadata=signed("open sesame"))
    assert (await stream.read()).resume_token == "1"
    grpc_servicer.open.set()
    status, error = await refusal(stream.read())
    assert (status.code(), error.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "secret" not in str(status)


@pytest.mark.parametrize(
    "header",
    [
        (),
        (("authorization", "open sesame"),),
        (("authorization", "Basic open sesame"),),
        (("authorization", "Bearer wrong"),),
        (("authorization", "Bearer " + "x" * 5000),),
        (*signed("open sesame"), *signed("open sesame")),
    ],
)
async def test_a_header_that_is_no_key_is_refused(grpc_stub, header):
    """Another scheme, an endless one, two of them."""
    status, error = await refusal(grpc_stub.GetJob(ASK, metadata=header))
    assert (status.code(), error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.mark.parametrize(("sent", "kept"), [("mine-1", True), ("two words", False), ("x" * 200, False)])
async def test_every_refusal_names_its_request(grpc_stub, sent, kept):
    """By the caller's id where it is a sane one, else by one of the server's."""
    metadata = (*signed("open sesame"), ("x-request-id", sent))
    status, _ = await refusal(grpc_stub.SubmitJob(job_pb2.SubmitJobRequest(), metadata=metadata))
    told = dict(status.trailing_metadata())["x-request-id"]
    assert (told == sent) is kept
    assert told


async def test_errors_fit_the_trailers_however_much_is_wrong(grpc_stub):
    """Twenty long violations would exceed what other sides take as metadata."""
    request = job_pb2.SubmitJobRequest(request_id="x" * 100_000, job_name="y" * 100_000, dependencies=["z"] * 200)
    request.notifications.email_recipients.extend(["ü" * 1000] * 100)
    status, error = await refusal(grpc_stub.SubmitJob(request, metadata=signed("open sesame")))
    assert error.reason == "INVALID_FIELD"
    assert len(error.violations) >= 5
    assert sum(len(key) + len(value) for key, value in status.trailing_metadata()) < 6000


async def test_many_streams_opened_at_once_all_come_through(grpc_channel, grpc_servicer):
    """grpc.aio answers CANCELLED beyond 1,000 unless told otherwise."""
    stub = JobServiceStub(grpc_channel)
    request = job_pb2.WatchJobRequest(request=ASK)
    streams = [stub.WatchJob(request, metadata=signed("open sesame")) for _ in range(2500)]
    first = await asyncio.gather(*(stream.read() for stream in streams))
    assert all(frame.resume_token == "1" for frame in first)
    for stream in streams:
        stream.cancel()


@pytest_asyncio.fixture
async def whole(tmp_path):
    """A whole server."""
    async with running_server(tmp_path / "data", seats=1) as server:
        yield server


async def test_bytes_that_are_no_message_are_malformed(whole):
    """On every method of the contract: never UNKNOWN, never the parser's own words."""
    for name, method in METHODS.items():
        kind = "stream" if method.client_streams else "unary"
        begin = getattr(whole.channel, f"{kind}_{'stream' if method.server_streams else 'unary'}")
        call = begin(f"/{name}", request_serializer=None, response_deserializer=None)
        garbage = b"\xff\xff\xff\x01"
        call = call(iter([garbage]) if method.client_streams else garbage, metadata=whole.metadata)
        status, error = await refusal(call.read() if method.server_streams else call)
        assert (status.code(), error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED"), name


async def test_health_needs_no_key(whole):
    """Load balancers have none."""
    stub: Any = health_pb2_grpc.HealthStub(whole.channel)
    for service in ("", *SERVICES):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def listed(channel, metadata=()):
    """The services that reflection lists."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="")]), metadata=metadata
    )
    answer = await call.read()
    return {service.name for service in answer.list_services_response.service}


async def test_reflection_lists_the_contract(whole):
    """For tools like grpcurl."""
    assert await listed(whole.channel) == {*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME}


async def test_reflection_can_ask_for_a_key_or_be_off(tmp_path):
    """For those who like it quiet."""
    async with running_server(tmp_path / "key", seats=1, reflection="key") as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await listed(server.channel)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert await listed(server.channel, server.metadata)
    async with running_server(tmp_path / "off", seats=1, reflection="off") as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await listed(server.channel, server.metadata)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
