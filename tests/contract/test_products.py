"""Results and files of runs, and datasets: what goes in and what comes out."""

import hashlib
import io
import uuid
import zipfile

import pytest

from lodestream import errors
from lodestream.v1 import artifact_pb2, common_pb2, dataset_pb2, job_pb2
from tests.contract.kinds import JOBS, OPERATIONS

pytestmark = pytest.mark.asyncio(loop_scope="module")
DETAILED, DOWNLOAD = common_pb2.RESULT_FORMAT_DETAILED, common_pb2.RESULT_FORMAT_DOWNLOAD


async def download(world, run_id, artifact_id, **span):
    """What is said of a file, and its bytes."""
    request = artifact_pb2.DownloadArtifactRequest(**world.scope, run_id=run_id, artifact_id=artifact_id, **span)
    parts = [part async for part in world.door.watch("ArtifactService/DownloadArtifact", request)]
    assert parts[0].WhichOneof("part") == "artifact"
    assert all(0 < len(part.chunk) <= 1024 * 1024 for part in parts[1:])
    return parts[0].artifact, b"".join(part.chunk for part in parts[1:])


async def artifacts_of(world, run_id):
    """The files of a run."""
    request = artifact_pb2.ListArtifactsRequest(**world.scope, run_id=run_id)
    return (await world.door.call("ArtifactService/ListArtifacts", request)).artifacts


def outputs_in(kind, results):
    """The files that an answer lists."""
    if kind is OPERATIONS:
        return list(results.artifacts)
    primary = [results.results.primary_output] if results.results.HasField("primary_output") else []
    return [*primary, *results.results.additional_outputs]


async def test_results_before_the_end_are_a_conflict(world, kind):
    """Come back when it has ended."""
    run_id = await world.start_waiting(kind)
    with pytest.raises(errors.RunNotFinished):
        await world.results(kind, run_id)
    await world.cancel(kind, run_id)


async def test_a_summary_leaves_the_details_out(world, kind):
    """Figures and files, but no free-form results."""
    results = await world.results(kind, await world.finished(kind))
    assert results.success
    assert len(outputs_in(kind, results)) == 1
    assert not results.HasField("download_url")
    if kind is JOBS:
        assert not results.HasField("stage_results")
    else:
        assert [phase.phase_name for phase in results.phase_results] == ["Count", "Add"]
        assert not any(phase.HasField("results") for phase in results.phase_results)


async def test_details_hold_what_every_phase_returned(world, kind):
    """By the names of the phases, as they returned it."""
    run_id = await world.finished(kind, parameters={"records": 4})
    results = await world.results(kind, run_id, format=DETAILED)
    if kind is JOBS:
        assert results.stage_results["Add"]["sum"] == 8
    else:
        assert {phase.phase_name: dict(phase.results) for phase in results.phase_results} == {
            "Count": {"counted": 4.0},
            "Add": {"sum": 8.0},
        }


async def test_a_cancelled_run_shows_what_exists(world, kind):
    """Not a success, with the files of the phases that had finished, and the zip of them that the receipt names."""
    run_id = await world.start_waiting(kind)
    receipt = await world.cancel(kind, run_id)
    results = await world.results(kind, run_id, format=DETAILED)
    assert not results.success
    assert results.status == kind.cancelled
    told = {output.title if kind is JOBS else output.name: output for output in outputs_in(kind, results)}
    assert set(told) == {"The count", "Partial results"}
    (url,) = receipt.partial_results.download_urls
    assert told["Partial results"].artifact_id in url


async def test_a_failed_run_shows_its_error(world, kind):
    """Beside an honest false."""
    results = await world.results(kind, await world.finished(kind, kind.failing))
    assert not results.success
    assert results.error.reason == "MISSING_COLUMN"


async def test_files_can_be_left_out_and_picked_by_kind(world):
    """includeArtifacts and outputType."""
    run_id = await world.finished(JOBS)
    for fields, count in (
        ({"include_artifacts": False}, 0),
        ({"output_type": job_pb2.OUTPUT_TYPE_DATA}, 1),
        ({"output_type": job_pb2.OUTPUT_TYPE_MODELS}, 0),
    ):
        results = await world.results(JOBS, run_id, **fields)
        assert len(outputs_in(JOBS, results)) == count
        assert results.summary.outputs_generated == 1


async def test_one_phase_of_an_operation_can_be_asked_for(world):
    """One that does not exist is not found, and the answer names those that do."""
    run_id = await world.finished(OPERATIONS)
    results = await world.results(OPERATIONS, run_id, phase="Count", format=DETAILED)
    assert [phase.phase_name for phase in results.phase_results] == ["Count"]
    with pytest.raises(errors.PhaseNotFound, match="Count, Add"):
        await world.results(OPERATIONS, run_id, phase="Nap")


async def test_a_file_comes_as_it_was_stored(world, kind):
    """Size, checksum and name are those of the bytes; a break is mended by an offset."""
    run_id = await world.finished(kind, parameters={"records": 12345})
    (listed,) = await artifacts_of(world, run_id)
    described, content = await download(world, run_id, listed.artifact_id)
    assert content == b"12345"
    for told in (listed, described):
        assert (told.size_bytes, told.sha256) == (5, hashlib.sha256(content).hexdigest())
        assert (told.file_name, told.media_type) == ("count.txt", "text/plain; charset=utf-8")
    assert (await download(world, run_id, listed.artifact_id, offset=2))[1] == b"345"
    assert (await download(world, run_id, listed.artifact_id, offset=1, length=3))[1] == b"234"


async def test_a_download_may_begin_at_the_end_but_not_beyond(world):
    """Nothing is left then; beyond it somebody miscounted."""
    if world.door.name == "rest":
        pytest.skip("HTTP has its own words for ranges; the facade's tests hold them")
    run_id = await world.finished(JOBS, parameters={"records": 12345})
    (listed,) = await artifacts_of(world, run_id)
    assert (await download(world, run_id, listed.artifact_id, offset=5))[1] == b""
    with pytest.raises(errors.InvalidField, match="offset"):
        await download(world, run_id, listed.artifact_id, offset=6)


async def test_one_zip_holds_all_files(world, kind):
    """The same bytes whenever it is asked for, so that a broken-off download can go on."""
    run_id = await world.finished(kind, parameters={"records": 77})
    results = await world.results(kind, run_id, format=DOWNLOAD)
    assert results.download_url.endswith(f"/runs/{run_id}/artifacts/all.zip")
    described, content = await download(world, run_id, "all.zip")
    assert (described.size_bytes, described.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"Count/count.txt": b"77"}
    assert (await download(world, run_id, "all.zip", offset=10))[1] == content[10:]


async def test_files_of_others_are_not_there(world, kind):
    """Under another run's id, and for a run without any."""
    mine, other = await world.finished(kind), await world.finished(kind, kind.failing)
    (listed,) = await artifacts_of(world, mine)
    for run_id, artifact_id in ((other, listed.artifact_id), (mine, "nothing"), (other, "all.zip")):
        with pytest.raises(errors.ArtifactNotFound):
            await download(world, run_id, artifact_id)


async def test_an_uploaded_log_is_described_listed_and_deleted(world):
    """What was given wins over what was detected."""
    made = await world.upload(file_name="log.csv", activity_name_column="step")
    assert made.dataset.events == 1
    assert made.dataset.mapping.case_id_column == "case"
    assert made.dataset.mapping.activity_name_column == "step"
    shown = await world.door.call(
        "DatasetService/GetDataset", dataset_pb2.GetDatasetRequest(**world.scope, dataset_id=made.dataset_id)
    )
    assert shown.dataset == made.dataset
    listed = await world.door.call("DatasetService/ListDatasets", dataset_pb2.ListDatasetsRequest(**world.scope))
    assert list(listed.datasets) == [made.dataset]
    gone = dataset_pb2.DeleteDatasetRequest(**world.scope, dataset_id=made.dataset_id)
    await world.door.call("DatasetService/DeleteDataset", gone)
    with pytest.raises(errors.DatasetNotFound):
        await world.door.call("DatasetService/DeleteDataset", gone)


async def test_a_dataset_in_use_stays(world):
    """Until the run that names it has ended."""
    made = await world.upload()
    parameters = {"datasetId": made.dataset_id, "gate": str(world.gate)}
    job = await world.start(JOBS, JOBS.waiting, parameters=parameters)
    gone = dataset_pb2.DeleteDatasetRequest(**world.scope, dataset_id=made.dataset_id)
    with pytest.raises(errors.DatasetInUse):
        await world.door.call("DatasetService/DeleteDataset", gone)
    await world.cancel(JOBS, job.job_id)
    await world.door.call("DatasetService/DeleteDataset", gone)


@pytest.mark.parametrize(
    ("content", "header", "cause"),
    [
        (b"", {}, "EMPTY_FILE"),
        (b"bad\n1\n", {}, "NO_HEADER"),
        (b"case,activity\n1,A\n", {"sha256": "0" * 64}, "OTHER_CHECKSUM"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_and_not_kept(world, content, header, cause):
    """The cause is there for programs."""
    with pytest.raises(errors.BadDataset) as caught:
        await world.upload(content, **header)
    assert caught.value.details["cause"] == cause
    listed = await world.door.call("DatasetService/ListDatasets", dataset_pb2.ListDatasetsRequest(**world.scope))
    assert not listed.datasets


async def test_uploads_keep_to_their_order(world):
    """Header first, then chunks of at most a mebibyte."""
    if world.door.name == "rest":
        pytest.skip("an upload is one body over REST")
    header = dataset_pb2.UploadDatasetRequest(
        header=dataset_pb2.UploadDatasetRequest.Header(**world.scope, dataset_name="x")
    )
    with pytest.raises(errors.Malformed):
        await world.door.send("DatasetService/UploadDataset", [header, header])
    with pytest.raises(errors.InvalidField, match="header"):
        await world.door.send("DatasetService/UploadDataset", [dataset_pb2.UploadDatasetRequest(chunk=b"x")])
    with pytest.raises(errors.Malformed):
        await world.door.send("DatasetService/UploadDataset", [])
    large = dataset_pb2.UploadDatasetRequest(chunk=b"x" * (1024 * 1024 + 1))
    with pytest.raises(errors.InvalidField, match="chunk"):
        await world.door.send("DatasetService/UploadDataset", [header, large])


async def test_datasets_of_other_projects_are_not_there(world):
    """Neither to be seen nor to be used."""
    made = await world.upload()
    other = {**world.scope, "project_id": str(uuid.uuid4())}
    with pytest.raises(errors.DatasetNotFound):
        await world.door.call(
            "DatasetService/GetDataset", dataset_pb2.GetDatasetRequest(**other, dataset_id=made.dataset_id)
        )
