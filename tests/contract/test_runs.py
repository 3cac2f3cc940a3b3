"""Starting, showing, listing, cancelling runs: what holds for jobs and operations alike, at every door."""

import uuid
from dataclasses import replace

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from lodestream import errors
from lodestream.v1 import common_pb2, job_pb2
from tests.contract.kinds import JOBS, OPERATIONS

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_started_run_is_there_at_once(world, kind):
    """The answer's id can be asked for straight away, under the name that was given."""
    run_id = kind.id_of(await world.start(kind, kind.quick, **{kind.name_field: "Mine"}))
    shown = await world.get(kind, run_id)
    assert (kind.id_of(shown), getattr(shown, kind.name_field)) == (run_id, "Mine")
    assert shown.priority == common_pb2.PRIORITY_NORMAL
    assert shown.HasField("date_created")


async def test_a_finished_run_says_so(world, kind):
    """Completed, 100 percent, with its end and without an error."""
    shown = await world.get(kind, await world.finished(kind, parameters={"records": 7}))
    assert shown.status == kind.completed
    assert shown.progress.percentage == 100
    assert shown.HasField("completion_time")
    assert not shown.HasField("error")


async def test_a_failed_run_tells_why(world, kind):
    """Reason, message and phase of the failure, as the workload put them."""
    shown = await world.get(kind, await world.finished(kind, kind.failing))
    assert shown.status == kind.failed
    assert (shown.error.reason, shown.error.stage) == ("MISSING_COLUMN", "Only")
    assert "column X is missing" in shown.error.message


async def test_a_run_of_another_project_is_as_absent_as_one_that_never_was(world, kind):
    """Same reason and same text, so that ids cannot be guessed at."""
    run_id = await world.finished(kind)
    elsewhere = replace(world, project_id=str(uuid.uuid4()))
    told = []
    for where, wanted in ((world, str(uuid.uuid4())), (elsewhere, run_id)):
        for ask in (where.get, where.cancel, where.results):
            with pytest.raises(errors.RunNotFound) as caught:
                await ask(kind, wanted)
            told.append((caught.value.message, caught.value.details))
    assert len({str(item) for item in told}) == 1


async def test_a_job_is_no_operation(world):
    """Each service knows its own shape alone."""
    run_id = await world.finished(JOBS)
    with pytest.raises(errors.RunNotFound):
        await world.get(OPERATIONS, run_id)


async def test_every_field_at_fault_is_named(world, kind):
    """Missing ones, wrong ones and unknown datasets' parameters come in one answer."""
    with pytest.raises(errors.InvalidField) as caught:
        await world.door.call(kind.path(kind.start), kind.request(kind.start, tenant_id="x", priority=99))
    named = {violation.field for violation in caught.value.violations}
    assert {"tenant_id", "project_id", kind.type_field, kind.name_field, "priority"} <= named


async def test_parameters_are_checked_before_anything_starts(world, kind):
    """A wrong type inside the free-form parameters is refused with its path."""
    with pytest.raises(errors.InvalidField) as caught:
        await world.start(kind, kind.quick, parameters={"records": "many"})
    assert caught.value.violations[0].field == "parameters.records"
    assert kind.total(await world.listed(kind)) == 0


async def test_an_unknown_dataset_is_refused(world, kind):
    """Well-formed, but it cannot be resolved."""
    with pytest.raises(errors.UnknownDataset):
        await world.start(kind, kind.quick, parameters={"datasetId": str(uuid.uuid4())})


async def test_one_request_id_has_one_effect(world, kind):
    """The second send gives the first answer; with another body it is refused."""
    first = await world.start(kind, kind.quick, request_id="once")
    second = await world.start(kind, kind.quick, request_id="once")
    assert kind.id_of(first) == kind.id_of(second)
    with pytest.raises(errors.IdempotencyKeyReused):
        await world.start(kind, kind.quick, request_id="once", **{kind.name_field: "Another"})
    assert kind.total(await world.listed(kind)) == 1


async def test_a_documented_type_without_work_says_that_it_is_not_built(world):
    """NOT_BUILT, and nothing is kept."""
    with pytest.raises(errors.NotBuilt):
        await world.start(JOBS, common_pb2.JOB_TYPE_NOTEBOOK)


async def test_lists_are_newest_first_and_go_on_with_a_token(world, kind):
    """Pages by token and by number show the same rows; the summary counts the whole project."""
    ids = [kind.id_of(await world.start(kind, kind.quick)) for _ in range(3)]
    first = await world.listed(kind, page_size=2)
    second = await world.listed(kind, page_size=2, page_token=first.next_page_token)
    by_number = await world.listed(kind, page_size=2, page=2)
    shown = [kind.id_of(entry) for page in (first, second) for entry in getattr(page, kind.entries)]
    assert shown == ids[::-1]
    assert [kind.id_of(entry) for entry in getattr(by_number, kind.entries)] == ids[:1]
    assert (first.has_next_page, second.has_next_page) == (True, False)
    assert (first.page, kind.total(second)) == (1, 3)
    assert not second.HasField("page")


async def test_lists_filter_by_where_runs_stand(world, kind):
    """Only what matches is listed, and the summary does not care."""
    await world.finished(kind)
    failed = await world.finished(kind, kind.failing)
    page = await world.listed(kind, status=kind.failed)
    assert [kind.id_of(entry) for entry in getattr(page, kind.entries)] == [failed]
    assert (kind.total(page), page.summary.failed_jobs if kind is JOBS else page.summary.failed) == (2, 1)


async def test_lists_filter_by_creation(world, kind):
    """Both ends count; a future beginning leaves nothing."""
    await world.finished(kind)
    later = Timestamp(seconds=4102444800)
    assert not getattr(await world.listed(kind, date_from=later), kind.entries)
    assert len(getattr(await world.listed(kind, date_to=later), kind.entries)) == 1


async def test_pages_beyond_the_window_name_the_token(world, kind):
    """page x page_size beyond 10,000 is refused."""
    with pytest.raises(errors.PageBeyondWindow):
        await world.listed(kind, page=101, page_size=100)


async def test_a_page_token_of_another_list_is_refused(world, kind):
    """It would show the wrong rows."""
    for _ in range(2):
        await world.start(kind, kind.quick)
    token = (await world.listed(kind, page_size=1)).next_page_token
    with pytest.raises(errors.BadPageToken):
        await world.listed(kind, page_size=1, page_token=token, status=kind.failed)


async def test_cancelling_gives_a_receipt_and_the_same_one_again(world, kind):
    """What stopped it, who asked, what is kept; repeating changes nothing."""
    run_id = await world.start_waiting(kind)
    receipt = await world.cancel(kind, run_id, reason="no longer needed")
    assert receipt.status == kind.cancelled
    assert (receipt.reason, receipt.cancelled_by, receipt.stopped_by) == ("no longer needed", "admin", "FLAG")
    assert receipt.partial_results.available
    assert len(receipt.partial_results.download_urls) == 1
    assert await world.cancel(kind, run_id) == receipt
    assert (await world.get(kind, run_id)).status == kind.cancelled


async def test_a_completed_run_cannot_be_cancelled(world, kind):
    """Too late is a conflict, not a success."""
    run_id = await world.finished(kind)
    with pytest.raises(errors.RunAlreadyEnded):
        await world.cancel(kind, run_id)


async def test_a_scheduled_job_waits_for_its_time(world):
    """It is queued, has no place yet, and says when it should begin."""
    later = Timestamp(seconds=4102444800)
    scheduling = job_pb2.SubmitJobRequest.Scheduling(execute_immediately=False, scheduled_time=later)
    submitted = await world.start(JOBS, JOBS.quick, scheduling=scheduling)
    assert submitted.estimated_start_time == later
    shown = await world.get(JOBS, submitted.job_id)
    assert shown.status == common_pb2.JOB_STATUS_QUEUED
    assert (await world.cancel(JOBS, submitted.job_id)).stopped_by == "NONE"


@pytest.mark.parametrize("immediately", [True, False])
async def test_contradicting_schedules_are_refused(world, immediately):
    """Now and later at once, or later without saying when."""
    scheduling = job_pb2.SubmitJobRequest.Scheduling(execute_immediately=immediately)
    if immediately:
        scheduling.scheduled_time.seconds = 4102444800
    with pytest.raises(errors.InvalidField, match="scheduled_time"):
        await world.start(JOBS, JOBS.quick, scheduling=scheduling)


async def test_what_is_not_there_cannot_be_referred_to(world):
    """A job that nobody submitted cannot be waited for, nor a pipeline run that nobody registered."""
    with pytest.raises(errors.DependencyProblem):
        await world.start(JOBS, JOBS.quick, dependencies=["another"])
    with pytest.raises(errors.UnknownResource):
        await world.start(JOBS, JOBS.quick, resource=job_pb2.JobResource(resource_type="Pipeline", resource_id="p"))


async def test_an_operations_limit_counts_from_its_start_call(world):
    """Documented: created 11:15, 7200 s, timeoutAt 13:15; two hours is also the default."""
    started = await world.start(OPERATIONS, OPERATIONS.quick)
    assert started.timeout_at.seconds - started.date_created.seconds == 7200
    assert started.tracking_url == f"/api/{world.tenant_id}/{world.project_id}/async/operation/{started.operation_id}"
