"""A real event log through the whole real server: the typed figures are those of the free-form results."""

import hashlib
import io
import zipfile
from dataclasses import replace
from typing import Any

import pytest

from lodestream import wire
from lodestream.v1 import artifact_pb2, common_pb2
from tests.contract.doors import GrpcDoor
from tests.contract.kinds import JOBS, OPERATIONS
from tests.contract.world import World
from tests.support.server import PROJECT, TENANT, running_server

#: Three cases of two variants; one row without a time that nothing can be inferred for.
LOG = b"""case,activity,time,resource
1,Register,2024-01-01T08:00:00Z,Ada
1,Review,2024-01-01T09:00:00Z,Bob
1,Approve,2024-01-01T12:00:00Z,Ada
2,Register,2024-01-02T08:00:00Z,Ada
2,Review,2024-01-02T10:00:00Z,Bob
2,Approve,2024-01-02T11:00:00Z,Ada
3,Register,2024-01-03T08:00:00Z,Ada
3,Approve,2024-01-03T08:30:00Z,Ada
3,Archive,,Ada
"""


@pytest.mark.parametrize("kind", [JOBS, OPERATIONS], ids=["job", "operation"])
async def test_a_log_goes_in_and_a_process_map_comes_out(tmp_path, kind):
    """Counts, digests, recommendations, files, and all of it as documented JSON."""
    mining = replace(kind, quick=1)
    async with running_server(tmp_path / "data") as server:
        world = World(GrpcDoor(server.channel, server.token), TENANT, PROJECT, tmp_path)
        uploaded = await world.upload(LOG, file_name="loans.csv")
        assert (uploaded.dataset.cases, uploaded.dataset.mapping.resource_column) == (3, "resource")
        run_id = await world.finished(mining, parameters={"datasetId": uploaded.dataset_id})
        results = await world.results(kind, run_id, format=common_pb2.RESULT_FORMAT_DOWNLOAD)
        where: dict[str, Any] = {**world.scope, "run_id": run_id, "artifact_id": "all.zip"}
        request = artifact_pb2.DownloadArtifactRequest(**where)
        parts = [part async for part in world.door.watch("ArtifactService/DownloadArtifact", request)]
    assert results.success, results.error
    free = _free_form(kind, results)
    discovery = free["Process Discovery"]
    assert (discovery["cases"], discovery["events"], discovery["processVariants"]) == (3, 8, 2)
    assert discovery["dfgDigest"] == _digest("Register\tApprove\t1", "Register\tReview\t2", "Review\tApprove\t2")
    assert discovery["variantsDigest"] == _digest("Register|Approve\t1", "Register|Review|Approve\t2")
    loading = next(returned for name, returned in free.items() if name.startswith("Data Loading"))
    assert results.summary.data_quality_score == loading["dataQualityScore"]
    if kind is JOBS:
        validation = results.quality_metrics.data_validation
        assert (validation.total_records, validation.valid_records, validation.invalid_records) == (9, 8, 1)
        assert results.summary.records_processed == 8
        assert results.results.primary_output.type == "ProcessMiningReport"
        assert results.quality_metrics.warnings[0].count == 1
    else:
        assert (results.summary.records_analyzed, results.summary.process_variants) == (8, 2)
        assert [phase.status for phase in results.phase_results] == [common_pb2.STAGE_STATUS_COMPLETED] * 5
    assert wire.check(results) == []
    assert wire.to_json(results, "tr")
    content = b"".join(part.chunk for part in parts)
    assert hashlib.sha256(content).hexdigest() == parts[0].artifact.sha256
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert any(name.endswith(".svg") for name in archive.namelist())


def _digest(*lines):
    return hashlib.md5("\n".join(lines).encode(), usedforsecurity=False).hexdigest()[:8]


def _free_form(kind, results):
    if kind is JOBS:
        return {name: results.stage_results[name] for name in results.stage_results}
    return {phase.phase_name: phase.results for phase in results.phase_results}
