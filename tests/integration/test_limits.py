"""Limits as callers of both doors meet them."""

import asyncio
import urllib.error
import urllib.request

import grpc
import pytest

from lodestream import rich_status
from lodestream.v1 import common_pb2, job_pb2
from lodestream.v1.job_pb2_grpc import JobServiceStub
from tests.contract.workloads import CATALOGUE
from tests.support.server import PROJECT, TENANT, running_server

LIST = job_pb2.ListJobsRequest(tenant_id=TENANT, project_id=PROJECT)


async def refusal(call):
    """The status and the error of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), rich_status.from_call(caught.value)


async def test_too_many_calls_are_resource_exhausted_and_429(tmp_path):
    """Both doors say when to come back; a stranger's calls are nobody's."""
    async with running_server(tmp_path, key_calls_per_minute=3, rest="127.0.0.1:0") as server:
        stub = JobServiceStub(server.channel)
        for _ in range(10):
            code, _ = await refusal(stub.ListJobs(LIST, metadata=(("authorization", "Bearer nobody"),)))
            assert code is grpc.StatusCode.UNAUTHENTICATED
        for _ in range(3):
            await stub.ListJobs(LIST, metadata=server.metadata)
        code, error = await refusal(stub.ListJobs(LIST, metadata=server.metadata))
        assert (code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
        assert 0 < error.retry_after_s <= 20
        url = f"{server.running.rest}/api/{TENANT}/{PROJECT}/execution/jobs"
        asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {server.token}"})  # noqa: S310  # ours

        def ask():
            with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(asked):  # noqa: S310  # ours
                pass
            return caught.value

        with await asyncio.to_thread(ask) as answer:
            assert answer.code == 429
            assert 1 <= int(answer.headers["Retry-After"]) <= 20


async def test_a_stream_makes_room_when_it_ends(tmp_path):
    """However it ends: here the caller goes away."""
    async with running_server(tmp_path, key_streams=1, catalogue=CATALOGUE) as server:
        stub = JobServiceStub(server.channel)
        request = job_pb2.SubmitJobRequest(
            tenant_id=TENANT, project_id=PROJECT, job_name="x", job_type=common_pb2.JOB_TYPE_DATA_ENRICHMENT
        )
        request.parameters.update({"gate": str(tmp_path / "gate")})
        job_id = (await stub.SubmitJob(request, metadata=server.metadata)).job_id
        get = job_pb2.GetJobRequest(tenant_id=TENANT, project_id=PROJECT, job_id=job_id)
        watch = job_pb2.WatchJobRequest(request=get)
        first = stub.WatchJob(watch, metadata=server.metadata)
        assert isinstance(await first.read(), job_pb2.WatchJobResponse)
        code, error = await refusal(stub.WatchJob(watch, metadata=server.metadata).read())
        assert (code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
        await stub.GetJob(get, metadata=server.metadata)
        first.cancel()
        async with asyncio.timeout(20):
            while True:
                second = stub.WatchJob(watch, metadata=server.metadata)
                try:
                    assert isinstance(await second.read(), job_pb2.WatchJobResponse)
                    break
                except grpc.aio.AioRpcError as refused:
                    if refused.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                        raise
        second.cancel()
        (tmp_path / "gate").touch()
