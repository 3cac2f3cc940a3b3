"""Jobs: the execution API's runs, made of stages."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from lodestream.client import arguments
from lodestream.client.calls import Caller
from lodestream.client.datasets import parameters_with
from lodestream.client.paging import Listing
from lodestream.client.patience import Patience
from lodestream.client.resources import named_by_job
from lodestream.client.runs import Broken, RunHandle
from lodestream.client.watching import Watch
from lodestream.v1 import common_pb2
from lodestream.v1.common_pb2 import RetryPolicy
from lodestream.v1.dataset_pb2 import Dataset
from lodestream.v1.event_pb2 import RunEvent
from lodestream.v1.job_pb2 import (
    CancelJobRequest,
    CancelJobResponse,
    GetJobRequest,
    GetJobResponse,
    GetJobResultsRequest,
    GetJobResultsResponse,
    JobSummary,
    ListJobsRequest,
    ListJobsResponse,
    OutputType,
    RetryJobRequest,
    RetryJobResponse,
    SubmitJobRequest,
    SubmitJobResponse,
    WatchJobRequest,
)
from lodestream.v1.job_pb2_grpc import JobServiceStub
from lodestream.v1.resource_pb2 import Resource


class JobHandle(RunHandle[GetJobResponse, GetJobResultsResponse, CancelJobResponse]):
    """One job, by its id. `submitted` is the server's answer where this client submitted it."""

    kind = "job"
    submitted: SubmitJobResponse | None = None

    async def get(self) -> GetJobResponse:
        """The job as it is now. Raises RunNotFound."""
        return await self._caller.call(self._caller.stub(JobServiceStub).GetJob, self._scoped(GetJobRequest))

    def watch(
        self, *, replay: bool = False, token: str = "", after: int = 0, on_break: Broken | None = None
    ) -> Watch[GetJobResponse, RunEvent]:
        """The job, live; see `RunHandle.watch`."""
        request = WatchJobRequest(request=self._scoped(GetJobRequest), replay=replay)
        opener = self._opener(self._caller.stub(JobServiceStub).WatchJob, request)
        return self._watch(opener, from_one=replay, token=token, after=after, on_break=on_break)

    async def results(
        self, *, format: str | int = "detailed", artifacts: bool = True, output_type: str | int | None = None
    ) -> GetJobResultsResponse:
        """What the job produced: "summary", "detailed" (with every stage's free-form results) or "download" (with a
        zip of all). Raises RunNotFinished."""
        request = GetJobResultsRequest(
            format=_format(format),
            include_artifacts=artifacts,
            **arguments.given(output_type=arguments.number_of(OutputType.DESCRIPTOR, output_type, "output_type")),
        )
        request.MergeFrom(self._scoped(GetJobResultsRequest))
        return await self._caller.call(self._caller.stub(JobServiceStub).GetJobResults, request)

    async def cancel(self, reason: str = "", *, force: bool = False, keep_results: bool = True) -> CancelJobResponse:
        """Stops the job; see `RunHandle.cancel`."""
        request = CancelJobRequest(force_termination=force, preserve_partial_results=keep_results)
        request.MergeFrom(self._scoped(CancelJobRequest))
        request.MergeFrom(CancelJobRequest(**arguments.given(reason=reason)))
        return await self._caller.call(self._caller.stub(JobServiceStub).CancelJob, request)

    async def retry(
        self,
        reason: str = "",
        *,
        restart: bool = False,
        parameters: Mapping[str, Any] | None = None,
        priority: str | int | None = None,
        time_limit: timedelta | None = None,
        immediate: bool = False,
        request_id: str | None = None,
    ) -> RetryJobResponse:
        """Submits a new job from one that failed, timed out or was cancelled. Finished stages that read nothing changed
        are taken over, unless `restart`. `parameters` are merged over the original ones; `immediate` puts it before
        everything of its priority. Safe against a broken connection. Raises RunNotRetryable, InvalidField."""
        changed = dict(parameters or {})
        if restart:
            changed["retryFailedRecords"] = True  # how the documented request says that every stage runs again
        if (limit := arguments.minutes(time_limit)) is not None:
            changed["timeoutMinutes"] = limit
        request = RetryJobRequest(
            modify_parameters=bool(changed),
            updated_parameters=arguments.struct(changed, "updatedParameters") if changed else None,
            immediate_execution=immediate,
            request_id=request_id or arguments.new_request_id(),
            **arguments.given(
                retry_reason=reason,
                priority=arguments.number_of(common_pb2.Priority.DESCRIPTOR, priority, "priority"),
            ),
        )
        request.MergeFrom(self._scoped(RetryJobRequest))
        return await self._caller.call(self._caller.stub(JobServiceStub).RetryJob, request)


class JobCalls:
    """The part of a client that deals with jobs."""

    _caller: Caller
    _patience: Patience

    async def submit_job(
        self,
        name: str,
        *,
        type: str | int = "ProcessMining",
        dataset: str | Dataset | None = None,
        resource: str | Resource | None = None,
        parameters: Mapping[str, Any] | None = None,
        priority: str | int | None = None,
        description: str = "",
        time_limit: timedelta | None = None,
        scheduled_at: datetime | None = None,
        after: Sequence[str] = (),
        retries: RetryPolicy | None = None,
        request_id: str | None = None,
    ) -> JobHandle:
        """Submits a job; returns once it is durable. Safe against a broken connection: it is submitted once.

        `type` is a documented word or the name of an own workload; `dataset` becomes parameters.datasetId; `resource`
        is what the job refers to, such as a pipeline or a notebook (an id alone is looked up); `after` names jobs that
        must complete first. Raises InvalidField, UnknownDataset, ResourceNotFound, NotBuilt and what else SubmitJob
        names.
        """
        request = SubmitJobRequest(
            tenant_id=self._caller.settings.tenant_id,
            project_id=self._caller.settings.project_id,
            job_name=name,
            resource=None if resource is None else await named_by_job(self._caller, resource),
            parameters=arguments.struct(parameters_with(parameters, dataset)),
            request_id=request_id or arguments.new_request_id(),
            retry_policy=retries,
            dependencies=after,
            scheduling=_scheduling(time_limit, scheduled_at),
            **arguments.type_named(common_pb2.JobType.DESCRIPTOR, type, "job_type"),
            **arguments.given(
                priority=arguments.number_of(common_pb2.Priority.DESCRIPTOR, priority, "priority"),
                job_description=description,
            ),
        )
        answer = await self._caller.call(self._caller.stub(JobServiceStub).SubmitJob, request)
        handle = self.job(answer.job_id)
        handle.submitted = answer
        return handle

    def job(self, job_id: str) -> JobHandle:
        """The handle of a job. Asks nothing."""
        return JobHandle(self._caller, job_id, patience=self._patience)

    def jobs(
        self,
        *,
        status: str | int | None = None,
        type: str | int | None = None,
        priority: str | int | None = None,
        submitted_by: str = "",
        date_from: datetime | None = None,
        date_to: datetime | None = None,
        page_size: int = 0,
    ) -> Listing[ListJobsResponse, JobSummary]:
        """Jobs of the project, newest first, filtered by documented words and by creation (inclusive)."""
        wanted = arguments.given(
            status=arguments.number_of(common_pb2.JobStatus.DESCRIPTOR, status, "status"),
            **(arguments.type_named(common_pb2.JobType.DESCRIPTOR, type, "job_type") if type else {}),
            priority=arguments.number_of(common_pb2.Priority.DESCRIPTOR, priority, "priority"),
            submitted_by=submitted_by,
            date_from=arguments.timestamp(date_from),
            date_to=arguments.timestamp(date_to),
            page_size=page_size,
        )

        async def fetch(token: str) -> ListJobsResponse:
            scope = self._caller.settings
            page = arguments.given(page_token=token)
            request = ListJobsRequest(tenant_id=scope.tenant_id, project_id=scope.project_id, **wanted, **page)
            return await self._caller.call(self._caller.stub(JobServiceStub).ListJobs, request)

        return Listing(fetch, lambda page: page.jobs, lambda page: page.next_page_token)


def _scheduling(time_limit: timedelta | None, scheduled_at: datetime | None) -> SubmitJobRequest.Scheduling | None:
    if time_limit is None and scheduled_at is None:
        return None
    return SubmitJobRequest.Scheduling(
        execute_immediately=None if scheduled_at is None else False,
        scheduled_time=arguments.timestamp(scheduled_at),
        timeout_minutes=arguments.minutes(time_limit),
    )


def _format(value: str | int) -> common_pb2.ResultFormat.ValueType:
    number = arguments.number_of(common_pb2.ResultFormat.DESCRIPTOR, value, "format")
    return common_pb2.ResultFormat.ValueType(number)
