"""Analysis through the whole real server: every type on the loan log, and what is refused at the door."""

import asyncio
from typing import Any

import pytest
from lodestream_server.workloads.process_models.bpmn import write_bpmn
from lodestream_server.workloads.process_models.pnml import read_pnml

from lodestream import wire
from lodestream.errors import InvalidField, LodestreamError
from lodestream.samples.loan_applications import BOTTLENECK, write_log
from lodestream.samples.loan_model import write_model
from lodestream.v1 import common_pb2, resource_pb2
from tests.contract.doors import GrpcDoor
from tests.contract.kinds import JOBS
from tests.contract.world import World
from tests.support.server import PROJECT, TENANT, running_server
from tests.workloads.analysis_world import slower_after

ANALYSIS = common_pb2.JOB_TYPE_ANALYSIS
#: Type -> a table that it leaves.
TYPES = {
    "comprehensive": "SegregationOfDuties",
    "performance": "WaitingTimes",
    "bottleneck": "Bottlenecks",
    "variants": "ProcessVariants",
    "resources": "HandoverOfWork",
    "comparison": "Comparison",
    "conformance": "DeviatingCases",
}


async def test_every_type_of_analysis_runs_on_the_real_server(tmp_path):
    """Its page first, its tables beside it, and the counts of the generator."""
    truth = write_log(tmp_path / "loans.csv", 300)
    pairs = [["Check Completeness", "Make Offer"]]
    async with running_server(tmp_path / "data") as server:
        client = World(GrpcDoor(server.channel, server.token), TENANT, PROJECT, tmp_path)
        uploaded = await client.upload((tmp_path / "loans.csv").read_bytes(), file_name="loans.csv")
        for kind, table in TYPES.items():
            given = {"datasetId": uploaded.dataset_id, "analysisType": kind, "segregationOfDuties": pairs}
            run_id = await client.finished(JOBS, ANALYSIS, parameters=given)
            results = await client.results(JOBS, run_id, format=common_pb2.RESULT_FORMAT_DETAILED)
            assert results.success, results.error
            assert wire.check(results) == []
            assert results.results.primary_output.type == "AnalysisReport"
            assert table in {output.type for output in results.results.additional_outputs}
            assert results.summary.records_processed == truth.events
            assert results.quality_metrics.data_validation.total_records == truth.rows
            if kind in ("comprehensive", "bottleneck"):
                assert BOTTLENECK in results.recommendations[0].recommendation


async def test_two_datasets_of_the_project_are_compared(tmp_path):
    """The second is found by its id; a foreign or unknown one is refused with its place."""
    slow, quick = slower_after(tmp_path / "slow.csv", 10, 0), slower_after(tmp_path / "quick.csv", 10, 10)
    async with running_server(tmp_path / "data") as server:
        client = World(GrpcDoor(server.channel, server.token), TENANT, PROJECT, tmp_path)
        ids = [
            (await client.upload(log.read_bytes(), file_name=log.name, dataset_name=log.stem)).dataset_id
            for log in (slow, quick)
        ]
        given = {"datasetId": ids[0], "analysisType": "comparison", "compareWith": {"datasetId": ids[1]}}
        run_id = await client.finished(JOBS, ANALYSIS, parameters=given)
        results = await client.results(JOBS, run_id, format=common_pb2.RESULT_FORMAT_DETAILED)
        with pytest.raises(LodestreamError, match=r"compareWith\.datasetId: there is no dataset gone"):
            await client.start(JOBS, ANALYSIS, parameters=given | {"compareWith": {"datasetId": "gone"}})
    assert results.success, results.error
    assert "'Check'" in results.recommendations[0].recommendation
    compared = dict(results.stage_results)["Analysis"]["comparison"]
    assert [compared[side]["name"] for side in ("subject", "reference")] == ["slow", "quick"]


async def test_wrong_words_are_refused_before_anything_runs(tmp_path):
    """With the field and the allowed words."""
    async with running_server(tmp_path / "data") as server:
        client = World(GrpcDoor(server.channel, server.token), TENANT, PROJECT, tmp_path)
        uploaded = await client.upload(b"case,activity,time\n1,A,2024-01-01\n", file_name="log.csv")
        given = {
            "datasetId": uploaded.dataset_id,
            "analysisType": "speed",
            "filters": [{"column": "a", "operator": "~"}],
        }
        with pytest.raises(InvalidField) as caught:
            await client.start(JOBS, ANALYSIS, parameters=given)
    named = {violation.field: violation.description for violation in caught.value.violations}
    assert named.keys() == {"parameters.analysisType", "parameters.filters[0].operator"}
    assert "bottleneck" in named["parameters.analysisType"]


async def test_a_registered_model_is_what_the_log_is_checked_against(tmp_path):
    """As PNML and as BPMN: the deviating cases of the generator; a file that is no net ends the job with its field."""
    truth = write_log(tmp_path / "loans.csv", 300)
    write_model(tmp_path / "loans.pnml")
    write_bpmn(read_pnml(tmp_path / "loans.pnml"), tmp_path / "loans.bpmn")
    (tmp_path / "empty.pnml").write_bytes(b"<pnml><net/></pnml>")
    async with running_server(tmp_path / "data") as server:
        client = World(GrpcDoor(server.channel, server.token), TENANT, PROJECT, tmp_path)
        uploaded = await client.upload((tmp_path / "loans.csv").read_bytes(), file_name="loans.csv")
        runs = []
        for name in ("loans.pnml", "loans.bpmn", "empty.pnml"):
            resource = await _registered(client, name, (tmp_path / name).read_bytes())
            given = {"datasetId": uploaded.dataset_id, "analysisType": "conformance", "modelResourceId": resource}
            runs.append(client.finished(JOBS, ANALYSIS, parameters=given))
        ids = await asyncio.gather(*runs)
        *found, refused = [
            await client.results(JOBS, run_id, format=common_pb2.RESULT_FORMAT_DETAILED) for run_id in ids
        ]
    assert not refused.success
    assert "parameters.modelResourceId: the model file has 0 places" in refused.error.message
    for results in found:
        assert results.success, results.error
        fit = dict(results.stage_results)["Analysis"]["conformance"]
        assert fit["deviatingCases"] == len(truth.deviating_cases) > 0
        assert {"DeviatingCases", "Deviations", "ProcessModel"} <= {
            output.type for output in results.results.additional_outputs
        }


async def _registered(client: World, name: str, content: bytes) -> str:
    fields: dict[str, Any] = {**client.scope, "resource_name": name, "content": content}
    request = resource_pb2.RegisterResourceRequest(resource_type=resource_pb2.RESOURCE_TYPE_MODEL, **fields)
    answer = await client.door.call("ResourceService/RegisterResource", request)
    return str(answer.resource_id)
