"""SIGTERM while a log is mined: nothing is lost, nobody is left in the dark, and the run pays nothing for it."""

import signal
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lodestream.v1 import common_pb2, job_pb2, job_pb2_grpc
from tests.support.ordeal import write_xes
from tests.support.served import Served
from tests.support.server import PROJECT, TENANT, signed

pytestmark = pytest.mark.acceptance
_DRAIN_S = 2


@pytest.mark.timeout(300)
def test_a_drained_server_turns_its_readiness_off_first_and_costs_no_attempt(tmp_path):
    """Health says NOT_SERVING while the work still goes on; the stream ends without `done` and is taken up again."""
    write_xes(tmp_path / "log.xes.gz", cases=60_000)
    server = Served(tmp_path, ["--drain-s", str(_DRAIN_S)])
    server.start()
    try:
        dataset = server.run("datasets", "upload", "log.xes.gz", "--json").json["datasetId"]
        job_id = server.run("submit", "--dataset", dataset, "--json").json["jobId"]
        which = job_pb2.GetJobRequest(tenant_id=TENANT, project_id=PROJECT, job_id=job_id)
        with grpc.insecure_channel(server.address) as channel:
            stub = job_pb2_grpc.JobServiceStub(channel)
            stream = stub.WatchJob(job_pb2.WatchJobRequest(request=which, replay=True), metadata=signed(server.token))
            frames = [next(stream)]
            while not any(event.HasField("phase_started") for event in frames[-1].events.events):
                frames.append(next(stream))
            known: Any = health_pb2_grpc.HealthStub(channel)
            health = known.Watch(health_pb2.HealthCheckRequest(), timeout=30)
            assert next(health).status == health_pb2.HealthCheckResponse.SERVING
            server.signal(signal.SIGTERM)
            assert next(health).status == health_pb2.HealthCheckResponse.NOT_SERVING
            shown = stub.GetJob(which, metadata=signed(server.token))
            assert shown.status == common_pb2.JOB_STATUS_RUNNING
            frames += stream
        assert not any(frame.HasField("done") for frame in frames)
        assert server.stop() == 0
        server.start()
        with grpc.insecure_channel(server.address) as channel:
            stub = job_pb2_grpc.JobServiceStub(channel)
            again = job_pb2.WatchJobRequest(request=which, resume_token=frames[-1].resume_token, replay=True)
            frames += stub.WatchJob(again, metadata=signed(server.token), timeout=120)
            shown = stub.GetJob(which, metadata=signed(server.token))
    finally:
        server.kill()
    told = [event for frame in frames for event in frame.events.events]
    assert [event.sequence for event in told] == list(range(1, len(told) + 1))
    assert frames[-1].done.state == common_pb2.RUN_STATE_COMPLETED
    assert sum(event.HasField("started") for event in told) == 2
    assert shown.attempt == 1
