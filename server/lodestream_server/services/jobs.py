"""JobService: runs as jobs of the execution API."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from lodestream import wire
from lodestream.errors import InvalidField, UnknownResource, Violation
from lodestream.v1 import common_pb2, job_pb2, job_pb2_grpc
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.inputs import RESOURCE
from lodestream_server.engine.models import CancelOrder, NewRun
from lodestream_server.grpc_door import call
from lodestream_server.runs.bodies import ResourceRef
from lodestream_server.runs.progress import progress
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.as_job import as_cancelled_job, as_job, as_job_summary, as_submitted_job
from lodestream_server.runs.shapes.values import instant
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import WAITING, RunKind, State
from lodestream_server.services.listing import page_request
from lodestream_server.services.results import Results
from lodestream_server.services.retrying import JobRetrying
from lodestream_server.services.run_stories import whole_story
from lodestream_server.services.runs_common import expected, kept_urls, one_effect, place_of, type_of
from lodestream_server.services.watching import RunWatcher
from lodestream_server.store.reading import RunFilter
from lodestream_server.store.resources import MODEL, NOTEBOOK, PIPELINE

_pb = job_pb2
#: Documented: a job without a time limit of its own gets two hours.
_TIMEOUT_MINUTES = 120
#: Types of resource that are the same as a parameter.
_NAMED_BY_RESOURCE = {"Dataset": "datasetId", "Notebook": "notebookId"}


class JobService(JobRetrying, job_pb2_grpc.JobServiceServicer):
    """See the contract; every method raises what its comment there names."""

    def __init__(self, engine: Engine, watcher: RunWatcher, results: Results) -> None:
        self._engine = engine
        self._watcher = watcher
        self._results = results

    async def SubmitJob(self, request: _pb.SubmitJobRequest, context: Any) -> _pb.SubmitJobResponse:
        """Submits a job."""
        submission = await self._engine.submit(_new_run(request))
        return as_submitted_job(submission.run, submission.queue_position or 0, submission.estimated_start)

    async def GetJob(self, request: _pb.GetJobRequest, context: Any) -> _pb.GetJobResponse:
        """One job as it is now."""
        return await self._shown(await self._engine.get(call.current().scope, request.job_id, RunKind.JOB))

    def WatchJob(self, request: _pb.WatchJobRequest, context: Any) -> AsyncIterator[Any]:
        """One job, live."""
        story = whole_story(_pb.WatchJobResponse, self._shown)
        return self._watcher.watch(story, request, request.request.job_id, RunKind.JOB)

    async def ListJobs(self, request: _pb.ListJobsRequest, context: Any) -> _pb.ListJobsResponse:
        """Jobs of a project, newest first."""
        scope, wanted = call.current().scope, page_request(request)
        page = await self._engine.list(scope, _filter(request), wanted)
        counts = await self._engine.counters(scope, RunKind.JOB)
        now = self._engine.clock.now()
        return _pb.ListJobsResponse(
            jobs=[as_job_summary(run, progress(run, now)) for run in page.items],
            summary=_pb.ListJobsResponse.Summary(
                total_jobs=sum(counts.values()),
                running_jobs=counts[State.RUNNING] + counts[State.CANCELLING],
                queued_jobs=sum(counts[state] for state in WAITING),
                completed_jobs=counts[State.COMPLETED],
                failed_jobs=counts[State.FAILED] + counts[State.TIMED_OUT],
            ),
            page=wanted.page,
            page_size=wanted.page_size,
            has_next_page=page.has_next,
            next_page_token=page.next_token,
        )

    async def CancelJob(self, request: _pb.CancelJobRequest, context: Any) -> _pb.CancelJobResponse:
        """Stops a job."""
        here = call.current()
        order = CancelOrder(here.by, request.reason, request.force_termination, request.preserve_partial_results)
        run = await self._engine.cancel(here.scope, request.job_id, order, RunKind.JOB)
        return as_cancelled_job(run, await kept_urls(self._engine, here.scope, run))

    async def GetJobResults(self, request: _pb.GetJobResultsRequest, context: Any) -> _pb.GetJobResultsResponse:
        """What a job produced."""
        return await self._results.of_job(call.current().scope, request)

    async def _shown(self, run: RunState) -> _pb.GetJobResponse:
        place = await place_of(self._engine, run)
        start, done = expected(run, place)
        view = progress(run, self._engine.clock.now())
        return as_job(run, view, place.position if place else None, start, done)


def _new_run(request: _pb.SubmitJobRequest) -> NewRun:
    here = call.current()
    said = wire.to_dict(request)
    return NewRun(
        scope=here.scope,
        kind=RunKind.JOB,
        type=type_of(common_pb2.JobType.DESCRIPTOR, request, "job_type"),
        name=request.job_name,
        description=request.job_description,
        priority=words.priority(request.priority),
        submitted_by=here.by,
        parameters=_parameters(request, said),
        resource=_resource(request),
        timeout_s=60.0 * (request.scheduling.timeout_minutes or _TIMEOUT_MINUTES),
        scheduled_at=_scheduled_at(request.scheduling),
        extras={key: said[key] for key in ("notifications", "retryPolicy") if said.get(key)},
        request=one_effect(here, request, request.request_id),
        dependencies=tuple(dict.fromkeys(request.dependencies)),
    )


def _parameters(request: _pb.SubmitJobRequest, said: dict[str, Any]) -> dict[str, Any]:
    """The parameters; a resource of the type Dataset or Notebook names one where they do not."""
    parameters: dict[str, Any] = said.get("parameters") or {}
    name = _NAMED_BY_RESOURCE.get(request.resource.resource_type)
    return {name: request.resource.resource_id, **parameters} if name else parameters


def _resource(request: _pb.SubmitJobRequest) -> ResourceRef | None:
    if not request.HasField("resource"):
        return None
    resource = request.resource
    for name in ("resource_type", "resource_id"):
        if not getattr(resource, name):
            raise InvalidField.of(Violation(f"resource.{name}", "is required where a resource is named"))
    if resource.resource_type not in ("Dataset", PIPELINE, NOTEBOOK, MODEL):
        fault = f"there is no {resource.resource_type} {resource.resource_id} in this project."
        raise UnknownResource(f"{RESOURCE}: {fault}", violations=[Violation(RESOURCE, fault)])
    return ResourceRef(resource.resource_type, resource.resource_id, resource.resource_name)


def _scheduled_at(scheduling: _pb.SubmitJobRequest.Scheduling) -> datetime | None:
    timed = scheduling.HasField("scheduled_time")
    if scheduling.HasField("execute_immediately") and scheduling.execute_immediately == timed:
        fault = "excludes immediate execution" if timed else "is required without immediate execution"
        raise InvalidField.of(Violation("scheduling.scheduled_time", fault))
    return instant(scheduling.scheduled_time) if timed else None


def _filter(request: _pb.ListJobsRequest) -> RunFilter:
    type_ = type_of(common_pb2.JobType.DESCRIPTOR, request, "job_type")
    return RunFilter(
        RunKind.JOB,
        states=words.job_states(request.status),
        types=frozenset({type_} - {""}),
        priorities=frozenset({words.priority(request.priority)} if request.priority else ()),
        submitted_by=request.submitted_by or None,
        created_from=instant(request.date_from) if request.HasField("date_from") else None,
        created_to=instant(request.date_to) if request.HasField("date_to") else None,
    )
