"""Enrichment through the whole real server, as a job and as an operation; and what a resumed run would do again."""

import pytest
from lodestream_server.worker.checkpoint import Parameters

from lodestream import wire
from lodestream.errors import InvalidField
from lodestream.samples.loan_applications import write_log
from lodestream.v1 import common_pb2
from tests.contract.doors import GrpcDoor
from tests.contract.kinds import JOBS, OPERATIONS
from tests.contract.world import World as Client
from tests.integration.loading_world import dataset
from tests.support.server import PROJECT, TENANT, running_server
from tests.unit.enrichment_world import PHASES, World

#: Of both the job's and the operation's type.
DATA_ENRICHMENT = common_pb2.JOB_TYPE_DATA_ENRICHMENT


def world(server, folder):
    """Someone who talks to the server over gRPC."""
    return Client(GrpcDoor(server.channel, server.token), TENANT, PROJECT, folder)


@pytest.mark.parametrize("kind", [JOBS, OPERATIONS], ids=["job", "operation"])
async def test_the_documented_data_preparation_runs_on_the_real_server(tmp_path, kind):
    """Rules and output format of the batch example; its counts are those of the generator."""
    truth = write_log(tmp_path / "loans.csv", 500)
    async with running_server(tmp_path / "data") as server:
        client = world(server, tmp_path)
        uploaded = await client.upload((tmp_path / "loans.csv").read_bytes(), file_name="loans.csv")
        given = {
            "datasetId": uploaded.dataset_id,
            "cleaningRules": ["remove_duplicates", "fix_timestamps"],
            "outputFormat": "processed_csv",
            "expressions": {"is_large": "amount > 20000"},
        }
        run_id = await client.finished(kind, DATA_ENRICHMENT, parameters=given)
        results = await client.results(kind, run_id, format=common_pb2.RESULT_FORMAT_DETAILED)
    assert results.success, results.error
    assert wire.check(results) == []
    events = truth.events - truth.duplicates
    if kind is JOBS:
        validation = results.quality_metrics.data_validation
        assert (validation.total_records, validation.duplicates_removed) == (truth.rows, truth.duplicates)
        assert (validation.valid_records, validation.invalid_records) == (truth.rows - truth.invalid, truth.invalid)
        assert results.summary.records_processed == events
        others = {output.type: output for output in results.results.additional_outputs}
        assert results.results.primary_output.type == "DataQualityReport"
        assert (others["EnrichedDataset"].format, others["EnrichedDataset"].record_count) == ("csv", events)
    else:
        assert [phase.phase_name for phase in results.phase_results] == list(PHASES)
        assert (results.summary.records_analyzed, results.summary.reports_created) == (events, 1)
        assert {item.name: item.type for item in results.artifacts}[
            "Enriched dataset of A run"
        ] == common_pb2.ARTIFACT_TYPE_DATASET


async def test_a_wrong_wish_is_refused_at_submission_with_the_fix(tmp_path):
    """No run comes of it; every field at fault is named."""
    async with running_server(tmp_path / "data") as server:
        client = world(server, tmp_path)
        uploaded = await client.upload(b"case,activity,time\n1,A,2024-01-01\n", file_name="log.csv")
        wrong = {"cleaningRules": ["remove_duplicats"], "expressions": {"x": "open('/etc/passwd')"}}
        with pytest.raises(InvalidField) as refused:
            await client.finished(JOBS, DATA_ENRICHMENT, parameters={"datasetId": uploaded.dataset_id, **wrong})
    said = {one.field: one.description for one in refused.value.violations}
    assert 'did you mean "remove_duplicates"' in said["parameters.cleaningRules[0]"]
    assert '"open" is no function here' in said["parameters.expressions.x"]


async def test_mining_that_needs_an_enrichment_sees_the_cleaned_data(tmp_path):
    """Real work after real work, with no dataset named: the duplicates are gone, the columns are recognised."""
    truth = write_log(tmp_path / "loans.csv", 300)
    async with running_server(tmp_path / "data") as server:
        client = world(server, tmp_path)
        uploaded = await client.upload((tmp_path / "loans.csv").read_bytes(), file_name="loans.csv")
        given = {"datasetId": uploaded.dataset_id, "cleaningRules": ["remove_duplicates", "fix_timestamps"]}
        cleaning = await client.start(JOBS, DATA_ENRICHMENT, parameters=given)
        mining = await client.finished(JOBS, common_pb2.JOB_TYPE_PROCESS_MINING, dependencies=[cleaning.job_id])
        results = await client.results(JOBS, mining)
    assert results.success, results.error
    assert truth.duplicates > 0
    assert results.summary.records_processed == truth.events - truth.duplicates
    assert results.quality_metrics.data_validation.duplicates_removed == 0


def test_each_phase_depends_on_its_own_parameters_alone(tmp_path):
    """What a phase reads decides whether a resumed run does it again: another expression costs no second cleaning."""
    write_log(tmp_path / "loans.csv", 30)
    here = World(tmp_path, dataset(tmp_path / "loans.csv"), {})
    columns = {f"{name}Column" for name in ("caseId", "activityName", "activityTime", "startTime", "resource")}
    reads = {
        "Data Loading": columns,
        "Data Cleaning": {"cleaningRules", "removeDuplicates", "checkDuplicates", "timeWindow"},
        "Data Enrichment": {"derivedColumns", "workingHours", "timeZone", "expressions", "joins"},
        "Output Generation": {"outputFormat", "outputOptions"},
    }
    for name, function in PHASES.items():
        parameters = Parameters({"cleaningRules": ["trim"], "expressions": {"x": "amount * 2"}})
        here.finished[name] = here.phase(name, parameters=parameters).run(function)
        assert parameters.read == reads[name]


def test_a_phase_that_is_done_again_leaves_the_same_bytes(tmp_path):
    """So a resumed run equals a fresh one."""
    write_log(tmp_path / "loans.csv", 200)
    files = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        here = World(tmp_path / str(number), dataset(tmp_path / "loans.csv"), {"outputFormat": "parquet"})
        here.run("Output Generation")
        out = [path for phase in here.phases.values() for path in sorted(phase.out.rglob("*")) if path.is_file()]
        files.append({f"{path.relative_to(here.folder)}": path.read_bytes() for path in out})
    assert files[0].keys() == files[1].keys()
    assert [name for name, content in files[0].items() if files[1][name] != content] == []


async def test_columns_of_another_dataset_are_joined_on_the_real_server(tmp_path):
    """By the case; what found nothing is counted."""
    async with running_server(tmp_path / "data") as server:
        client = world(server, tmp_path)
        log = await client.upload(b"case,activity,time\n1,A,2024-01-01\n2,A,2024-01-02\n", file_name="log.csv")
        crm = await client.upload(b"case,activity,time,score\n1,Call,2024-01-01,5\n", file_name="crm.csv")
        joins = [{"datasetId": crm.dataset_id, "on": "case", "columns": ["score"], "prefix": "crm_"}]
        given = {"datasetId": log.dataset_id, "joins": joins, "derivedColumns": []}
        run_id = await client.finished(OPERATIONS, DATA_ENRICHMENT, parameters=given)
        results = await client.results(OPERATIONS, run_id, format=common_pb2.RESULT_FORMAT_DETAILED)
    assert results.success, results.error
    (enriched,) = (phase for phase in results.phase_results if phase.phase_name == "Data Enrichment")
    (join,) = enriched.results["joins"]
    assert (join["eventsMatched"], join["eventsUnmatched"], list(join["columns"])) == (1, 1, ["crm_score"])
