"""Reports through the whole real server: the documented batch, and a report on what has not completed."""

import io
import zipfile
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.struct_pb2 import Struct
from pptx import Presentation

from lodestream.errors import UnknownRun
from lodestream.samples.loan_applications import write_log
from lodestream.v1 import artifact_pb2, batch_pb2, common_pb2
from tests.contract.doors import GrpcDoor
from tests.contract.kinds import OPERATIONS
from tests.contract.world import World
from tests.support.server import PROJECT, TENANT, running_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

_REPORT = common_pb2.OPERATION_TYPE_REPORT_GENERATION
REPORTS = replace(OPERATIONS, quick=_REPORT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory):
    """One with every type of work."""
    async with running_server(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture
def world(server, tmp_path):
    """Somebody who works in a project there."""
    return World(GrpcDoor(server.channel, server.token), TENANT, PROJECT, tmp_path)


def step(name: str, type_: Any, key: str, *needs: str, **parameters: Any) -> Any:
    """An operation of a batch."""
    given = Struct()
    given.update(parameters)
    return batch_pb2.SubmitBatchRequest.Operation(
        operation_name=name, operation_type=type_, operation_key=key, dependencies=needs, parameters=given
    )


async def test_the_documented_batch_ends_in_a_report(world, tmp_path):
    """Cleaning, analysis, and a report as PDF and PowerPoint on what both found."""
    write_log(tmp_path / "loans.csv", 200)
    dataset = (await world.upload((tmp_path / "loans.csv").read_bytes(), file_name="loans.csv")).dataset_id
    rules = ["remove_duplicates", "fix_timestamps", "validate_activities"]
    enrichment, mining = (
        common_pb2.OPERATION_TYPE_DATA_ENRICHMENT,
        common_pb2.OPERATION_TYPE_PROCESS_MINING_ANALYSIS,
    )
    wishes = {
        "reportType": "executive_summary",
        "includeVisualizations": True,
        "exportFormats": ["PDF", "PowerPoint"],
    }
    steps = [
        step("Data Cleaning", enrichment, "clean", datasetId=dataset, cleaningRules=rules),
        step("Process Analysis", mining, "analyze", "clean", analysisType="comprehensive", enableML=True),
        step("Report Generation", _REPORT, "report", "analyze", **wishes),
    ]
    where: dict[str, Any] = dict(world.scope)
    request = batch_pb2.SubmitBatchRequest(**where, batch_name="Pipeline", operations=steps)
    submitted = await world.door.call("BatchService/SubmitBatch", request)
    run_id = submitted.operations[2].operation_id
    async for _ in world.watch(REPORTS, run_id):
        pass
    results = await world.results(REPORTS, run_id, format=common_pb2.RESULT_FORMAT_DOWNLOAD)
    asked = artifact_pb2.DownloadArtifactRequest(**where, run_id=run_id, artifact_id="all.zip")
    parts = [part.chunk async for part in world.door.watch("ArtifactService/DownloadArtifact", asked)]
    assert results.success, results.error
    collected, _, written = (phase.results for phase in results.phase_results)
    assert collected["title"] == "Process Analysis"
    assert [source["name"] for source in collected["sources"]] == ["Process Analysis", "Data Cleaning"]
    assert "Data preparation" in list(written["sections"])
    assert results.recommendations[0].category == "Process Optimization"
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        names = {name.rpartition("/")[2]: name for name in archive.namelist()}
        assert archive.read(names["report.pdf"]).startswith(b"%PDF")
        deck = Presentation(io.BytesIO(archive.read(names["report.pptx"])))
    assert deck.slides[0].shapes.title.text == "Process Analysis"


async def test_a_report_on_a_failed_run_is_refused(world):
    """At submission, naming the field; so is one on a run that is not there."""
    failed = await world.finished(REPORTS)
    assert not (await world.results(REPORTS, failed)).success
    for run_id, fault in ((failed, "has not completed"), ("op-nobody", "no run")):
        with pytest.raises(UnknownRun, match=fault) as caught:
            await world.start(REPORTS, _REPORT, parameters={"sourceRunId": run_id})
        assert caught.value.violations[0].field == "parameters.sourceRunId"
