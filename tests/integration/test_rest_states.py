"""What the documentation's programs read without asking is there over REST in every state of a run."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.contract.workloads import CATALOGUE
from tests.support.server import PROJECT, TENANT, running_server

SCOPE = f"/api/{TENANT}/{PROJECT}"
#: Address -> what the programs take from the answer; `[]` goes into every entry of a list.
READ = {
    "/async/operation/{operation}": (
        "status",
        "progress.percentage",
        "progress.currentPhase",
        "progress.elapsedTime",
        "progress.estimatedCompletion",
    ),
    "/execution/job/{job}": (
        "status",
        "progress.percentage",
        "progress.currentStage",
        "progress.estimatedCompletion",
        "progress.elapsedTime",
    ),
    "/execution/job/{job}/progress": ("status", "overallProgress.percentage", "jobName"),
    "/execution/job/{job}/metrics?interval=5m&includeHistory=true": (
        "currentMetrics.resourceUtilization.cpu.usage",
        "currentMetrics.resourceUtilization.memory.used",
        "currentMetrics.processing.recordsPerSecond",
        "performanceTrends.overallEfficiency",
    ),
    "/execution/job/{job}/logs?level=INFO&limit=100": ("logs", "logs[].timestamp", "logs[].level", "logs[].message"),
    "/execution/job/{job}/timeline?includeSubEvents=true&granularity=minutes": (
        "timeline",
        "timeline[].timestamp",
        "timeline[].eventType",
        "timeline[].description",
    ),
    "/execution/tracking/batch?jobIds={job}&includeMetrics=true": (
        "jobCount",
        "jobs[].jobName",
        "jobs[].status",
        "jobs[].progress",
    ),
    "/execution/jobs": ("jobs", "summary"),
    "/async/operations": ("operations", "summary"),
}
OF_THE_TENANT = ("systemStatus", "queueStatistics.totalQueuedJobs", "queueStatistics.averageWaitTime")
RESULTS = {
    "/execution/job/{job}/results?format=detailed&includeArtifacts=true": (
        "summary.recordsProcessed",
        "summary.dataQualityScore",
        "summary.processingEfficiency",
        "results.primaryOutput.downloadUrl",
        "results.additionalOutputs",
    ),
    "/async/operation/{operation}/results?format=detailed&includeArtifacts=true": ("summary", "artifacts"),
}


def taken(document: Any, path: str) -> None:
    """Reads along a path as the programs do: a missing key is a KeyError."""
    for part in path.split("."):
        name = part.removesuffix("[]")
        document = document[name]
        if part != name:
            rest = path.split("[].", 1)[1]
            for entry in document:
                taken(entry, rest)
            return


class World:
    """One worker, so that what comes second waits."""

    def __init__(self, client: httpx.AsyncClient, folder) -> None:
        self.client, self.folder = client, folder

    async def post(self, path: str, **body: Any) -> Any:
        """The answer to a request that is taken."""
        answer = await self.client.post(f"{SCOPE}{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def started(self, type_: str, **parameters: Any) -> dict[str, str]:
        """A job and an operation of a type: their ids."""
        job = await self.post("/execution/job", jobName="A job", jobType=type_, parameters=parameters)
        assert {"jobId", "queuePosition", "estimatedStartTime"} <= job.keys()
        types = {"ProcessMining": "ProcessMiningAnalysis", "Analysis": "ReportGeneration"}
        operation = await self.post(
            "/async/operation",
            operationType=types.get(type_, type_),
            operationName="An operation",
            parameters=parameters,
        )
        assert {"operationId", "estimatedCompletion", "webhooksRegistered"} <= operation.keys()
        return {"job": job["jobId"], "operation": operation["operationId"]}

    async def ended(self, ids: dict[str, str]) -> None:
        """Waits until both have ended."""
        for path in (f"/execution/job/{ids['job']}", f"/async/operation/{ids['operation']}"):
            async with self.client.stream("GET", f"{SCOPE}{path}", headers={"accept": "text/event-stream"}) as response:
                async for _ in response.aiter_lines():
                    pass

    async def begun(self) -> None:
        """Waits until a run is at work."""
        async with asyncio.timeout(20):
            while not await asyncio.to_thread((self.folder / "begun").exists):  # noqa: ASYNC110  # a worker makes it
                await asyncio.sleep(0.01)

    async def hold(self, ids: dict[str, str], more: dict[str, tuple[str, ...]] | None = None) -> set[str]:
        """Reads everything that the programs read; the statuses that were met."""
        statuses = set()
        for address, paths in {**READ, **(more or {})}.items():
            answer = await self.client.get(SCOPE + address.format(**ids))
            assert answer.status_code == 200, f"{address}: {answer.text}"
            for path in paths:
                try:
                    taken(answer.json(), path)
                except KeyError as missing:
                    pytest.fail(f"{address}: {path} is not there: {missing} in {answer.text[:2000]}")
            statuses |= {answer.json()["status"]} if "status" in answer.json() else set()
        system = (await self.client.get(f"/api/{TENANT}/execution/system/status")).json()
        for path in OF_THE_TENANT:
            taken(system, path)
        return statuses


@asynccontextmanager
async def a_world(tmp_path):
    """The real server with one seat."""
    async with running_server(tmp_path / "data", rest="127.0.0.1:0", catalogue=CATALOGUE, seats=1) as server:
        headers = {"authorization": f"Bearer {server.token}"}
        async with httpx.AsyncClient(base_url=server.running.rest or "", headers=headers, timeout=30) as client:
            yield World(client, tmp_path)


async def test_while_it_waits_and_while_it_works_and_when_it_was_stopped(tmp_path):
    """The first run holds the one seat until it is cancelled; the others wait behind it."""
    async with a_world(tmp_path) as world:
        waiting = {"gate": str(tmp_path / "gate"), "begun": str(tmp_path / "begun")}
        first = await world.started("DataEnrichment", **waiting)
        await world.begun()
        second = await world.started("ProcessMining")
        assert await world.hold({"job": first["job"], "operation": second["operation"]}) == {"Running", "Initiated"}
        assert await world.hold(second) == {"Queued", "Initiated"}
        for path in (f"/execution/job/{first['job']}", f"/async/operation/{first['operation']}"):
            assert (await world.client.delete(f"{SCOPE}{path}")).status_code == 200
        assert await world.hold(first) == {"Cancelled"}


async def test_when_it_has_completed_or_failed(tmp_path):
    """The programs read results of the completed one alone; the failed one says why."""
    async with a_world(tmp_path) as world:
        good, bad = await world.started("ProcessMining"), await world.started("Analysis")
        await world.ended(good)
        await world.ended(bad)
        assert await world.hold(good, RESULTS) == {"Completed"}
        assert await world.hold(bad) == {"Failed"}
        assert "error" in (await world.client.get(f"{SCOPE}/execution/job/{bad['job']}")).json()
