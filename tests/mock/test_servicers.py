"""The servicers behind a real gRPC server, by pytest-grpc's protocol of fixtures, overridden for grpc.aio."""

import grpc
import pytest
from lodestream_mock.doors.servicers import servicer
from lodestream_mock.session.sessions import Sessions
from lodestream_mock.session.settings import SessionSettings

from lodestream import documented, wire
from lodestream.v1 import job_pb2_grpc
from tests.mock.world import documented_body, request_of


@pytest.fixture
def grpc_add_to_server():
    """The generated function."""
    return job_pb2_grpc.add_JobServiceServicer_to_server


@pytest.fixture
def grpc_servicer():
    """JobService of a mock."""
    return servicer("JobService", Sessions(SessionSettings(clock="auto")))


@pytest.fixture
def grpc_addr(tmp_path):
    """A unix socket: no ports, no clashes."""
    return f"unix:{tmp_path}/grpc.sock"


@pytest.fixture
async def grpc_server(grpc_addr, grpc_add_to_server, grpc_servicer):
    """pytest-grpc's is synchronous; ours is grpc.aio's."""
    server = grpc.aio.server()
    grpc_add_to_server(grpc_servicer, server)
    server.add_insecure_port(grpc_addr)
    await server.start()
    yield server
    await server.stop(None)


@pytest.fixture
async def grpc_channel(grpc_addr, grpc_server):
    """To that server."""
    async with grpc.aio.insecure_channel(grpc_addr) as channel:
        yield channel


@pytest.fixture
def grpc_stub(grpc_channel):
    """The generated stub."""
    return job_pb2_grpc.JobServiceStub(grpc_channel)


async def test_the_generated_stub_gets_the_documented_answer(grpc_stub):
    """With its provenance in the trailers."""
    call = grpc_stub.GetJob(request_of("GetJob"))
    assert wire.to_dict(await call) == documented.example("get-job.response")
    assert dict(await call.trailing_metadata())["lodestream-example"] == "en/get-job.response.json"


async def test_a_whole_life_over_the_network(grpc_stub):
    """Submitted, watched to its end, its results read."""
    submitted = await grpc_stub.SubmitJob(request_of("SubmitJob", documented_body("SubmitJob", "en")))
    watch = request_of("WatchJob", job_id=submitted.job_id)
    kinds = [frame.WhichOneof("frame") async for frame in grpc_stub.WatchJob(watch)]
    assert (kinds[0], kinds[-1]) == ("snapshot", "done")
    assert (await grpc_stub.GetJobResults(request_of("GetJobResults", job_id=submitted.job_id))).success


async def test_an_error_of_the_contract_comes_with_its_details(grpc_stub):
    """And nothing of our code."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await grpc_stub.GetJob(request_of("GetJob", job_id="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert "Traceback" not in str(caught.value.details())
