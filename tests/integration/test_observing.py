"""What operators see of a running server: its log, its figures, its traces."""

import asyncio
import logging
import urllib.error
import urllib.request
from typing import Any

import grpc
import pytest
from lodestream_server.app import running
from lodestream_server.grpc_door.listening import CannotListen
from lodestream_server.observing import traces
from lodestream_server.settings import ServerSettings
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from lodestream.v1 import common_pb2, job_pb2
from lodestream.v1.job_pb2_grpc import JobServiceStub
from tests.contract.workloads import CATALOGUE
from tests.support.server import PROJECT, TENANT, running_server, signed

SUBMIT = job_pb2.SubmitJobRequest(
    tenant_id=TENANT, project_id=PROJECT, job_name="x", job_type=common_pb2.JOB_TYPE_DATA_ENRICHMENT
)
PARENT = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def read(url, **options):
    """The answer of a page: its state and its text."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, **options)) as answer:  # noqa: S310  # ours
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as fault:
        return fault.code, fault.read().decode()


async def finished(server, tmp_path):
    """The id of a job that was submitted and watched to its end."""
    stub = JobServiceStub(server.channel)
    (tmp_path / "gate").touch()
    request = job_pb2.SubmitJobRequest()
    request.CopyFrom(SUBMIT)
    request.parameters.update({"gate": str(tmp_path / "gate")})
    job_id = (await stub.SubmitJob(request, metadata=(*server.metadata, ("x-request-id", "mine-1"), PARENT))).job_id
    get = job_pb2.GetJobRequest(tenant_id=TENANT, project_id=PROJECT, job_id=job_id)
    async for _ in stub.WatchJob(job_pb2.WatchJobRequest(request=get), metadata=server.metadata):
        pass
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.GetJob(get, metadata=signed("lode_12345678" + "S" * 35))
    return job_id


async def figures(url):
    """Every sample of the page, by its name and its labels in the order of theirs."""
    state, text = await asyncio.to_thread(read, url)
    assert state == 200
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value for sample in samples}


async def test_the_figures_are_those_of_the_calls_and_the_runs(tmp_path):
    """Calls by method and outcome, streams under way, runs by state; ids are no labels."""
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, metrics_port=0) as server:
        url = server.running.metrics or ""
        assert url.startswith("http://127.0.0.1:")
        job_id = await finished(server, tmp_path)
        found = await figures(url)
        assert found["lodestream_calls_total", "OK", "JobService/SubmitJob", ""] == 1
        assert found["lodestream_calls_total", "OK", "JobService/WatchJob", ""] == 1
        assert found["lodestream_calls_total", "UNAUTHENTICATED", "JobService/GetJob", "UNAUTHENTICATED"] == 1
        assert found["lodestream_call_seconds_count", "JobService/SubmitJob"] == 1
        assert found["lodestream_open_streams", "JobService/WatchJob"] == 0
        assert found["lodestream_runs", "job", "COMPLETED"] == 1
        assert found["lodestream_seats",] == 2
        assert found["lodestream_newest_event",] == server.engine.position
        assert found["lodestream_disk_free_bytes",] > 0
        assert job_id not in str(found)
        assert TENANT not in str(found)


async def test_the_page_of_figures_is_the_only_one(tmp_path):
    """Read by GET and HEAD; everything else is refused, and who talks without end is not listened to."""
    async with running_server(tmp_path, metrics_port=0) as server:
        url = server.running.metrics or ""
        assert await asyncio.to_thread(read, url.replace("/metrics", "/")) == (
            404,
            "There is one page here: /metrics\n",
        )
        assert (await asyncio.to_thread(read, url, method="DELETE"))[0] == 405
        assert await asyncio.to_thread(read, url, method="HEAD") == (200, "")
        port = int(url.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * 100_000)
        assert await reader.read() == b""
        writer.close()
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port} is in use"):
            async with running(ServerSettings(data_dir=tmp_path / "other", grpc="127.0.0.1:0", metrics_port=port)):
                pass


async def test_the_log_tells_what_changed_and_who_was_refused(tmp_path, caplog):
    """With the ids of request and run, and no secret; what was only read is told to those who debug."""
    with caplog.at_level(logging.INFO, "lodestream_server.observing.calls"):
        async with running_server(tmp_path / "data", catalogue=CATALOGUE) as server:
            job_id = await finished(server, tmp_path)
    told = [record for record in caplog.records if record.name == "lodestream_server.observing.calls"]
    assert [(line.method.rpartition("/")[2], line.outcome) for line in told] == [
        ("SubmitJob", "OK"),
        ("GetJob", "UNAUTHENTICATED"),
    ]
    assert (told[0].by, told[0].tenant, told[0].request, told[0].run) == ("admin", TENANT, "mine-1", job_id)
    assert not hasattr(told[1], "by")
    assert told[1].run == job_id


async def test_every_call_is_a_span_in_its_callers_trace(tmp_path, monkeypatch):
    """With ids and outcome; the stream's span ends with the stream."""
    kept = InMemorySpanExporter()
    make = traces.Traces.__init__
    monkeypatch.setattr(traces.Traces, "__init__", lambda self, endpoint: make(self, endpoint, kept))
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, traces="http://127.0.0.1:4318") as server:
        job_id = await finished(server, tmp_path)
    spans: dict[str, Any] = {span.name.rpartition("/")[2]: span for span in kept.get_finished_spans()}
    submitted, watched, refused = (spans[name] for name in ("SubmitJob", "WatchJob", "GetJob"))
    assert f"{submitted.context.trace_id:032x}" == PARENT[1].split("-")[1]
    assert f"{submitted.parent.span_id:016x}" == PARENT[1].split("-")[2]
    assert dict(submitted.attributes) == {
        "rpc.system": "grpc",
        "rpc.service": "lodestream.v1.JobService",
        "rpc.method": "SubmitJob",
        "rpc.grpc.status": "OK",
        "lodestream.request_id": "mine-1",
        "lodestream.run_id": job_id,
        "lodestream.tenant_id": TENANT,
    }
    assert watched.parent is None
    assert refused.attributes["rpc.grpc.status"] == "UNAUTHENTICATED"


async def test_an_observer_that_falls_over_fails_no_call(tmp_path, monkeypatch, caplog):
    """The log says so; the caller never knows."""
    monkeypatch.setattr(traces.Traces, "begins", lambda *_: 1 / 0)
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, traces="http://127.0.0.1:9") as server:
        assert await finished(server, tmp_path)
    assert "an observer of calls fell over" in caplog.text
