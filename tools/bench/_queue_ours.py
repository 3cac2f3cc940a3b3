"""Lodestream in the queue bench: `python -m tools.bench._queue_ours serve` is the server, without an argument it is the
client.

The server is the real one with worker processes, on a TCP port of this machine; its one type of work has one phase.
Limits per key are off: eight threads in a loop are what they are there to stop.
"""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
from lodestream_server.app import running
from lodestream_server.runs.states import RunKind
from lodestream_server.settings import ServerSettings
from lodestream_server.workloads.catalogue import Catalogue, PhaseSpec, WorkloadSpec

from lodestream.v1 import job_pb2, job_pb2_grpc
from lodestream.v1.common_pb2 import JOB_TYPE_PROCESS_MINING
from tools.bench import _queue_driver
from tools.bench._fanout_server import PROJECT, TENANT

SEATS = 2
_READY = "ready"


async def serve() -> None:
    """Serves until stdin ends."""
    folder = _queue_driver.folder()
    only = PhaseSpec("Note", "tools.bench._queue_note:note")
    catalogue = Catalogue((WorkloadSpec(RunKind.JOB, "ProcessMining", (only,), cpu_units=1.0),))
    chosen: dict[str, Any] = {"grpc": "127.0.0.1:0", "data_dir": folder / "data", "seats": SEATS, "limits": False}
    settings = ServerSettings(**chosen, log_level="ERROR")
    known = {_queue_driver.FOLDER: str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    engine = replace(settings.engine(), worker_environment=known)
    async with running(settings, catalogue=catalogue, engine_settings=engine) as server:
        (folder / _READY).write_text(f"{server.address} {server.token}")
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def client() -> None:
    """Submits by the generated stub, one connection for all threads."""
    address, token = (_queue_driver.folder() / _READY).read_text().split()
    metadata = (("authorization", f"Bearer {token}"),)
    with grpc.insecure_channel(address) as channel:
        stub: Any = job_pb2_grpc.JobServiceStub(channel)

        def submit(name: str) -> None:
            request = job_pb2.SubmitJobRequest(
                tenant_id=TENANT, project_id=PROJECT, job_name=name, job_type=JOB_TYPE_PROCESS_MINING
            )
            stub.SubmitJob(request, metadata=metadata)

        _queue_driver.obey(submit)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        client()
    sys.stdout.flush()
    os._exit(0)  # threads of the driver and of grpc wait for nothing any more
