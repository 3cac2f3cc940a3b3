"""The part of TrackingService that shows what a run waits for and what waits for it."""

from collections.abc import Sequence
from typing import Any, Final

from lodestream.errors import DatasetNotFound
from lodestream.v1 import tracking_pb2
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import Explanation
from lodestream_server.grpc_door import call
from lodestream_server.runs.events import Event
from lodestream_server.runs.shapes.values import timestamp
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store.reading import Scope

_pb = tracking_pb2
_Answer = tracking_pb2.GetJobDependenciesResponse
_STATUSES: Final = {
    State.RUNNING: _pb.DEPENDENCY_STATUS_RUNNING,
    State.CANCELLING: _pb.DEPENDENCY_STATUS_RUNNING,
    State.COMPLETED: _pb.DEPENDENCY_STATUS_COMPLETED,
    State.FAILED: _pb.DEPENDENCY_STATUS_FAILED,
    State.TIMED_OUT: _pb.DEPENDENCY_STATUS_FAILED,
    State.CANCELLED: _pb.DEPENDENCY_STATUS_CANCELLED,
}


class Dependencies:
    """See the contract; every method raises what its comment there names."""

    _engine: Engine

    async def GetJobDependencies(
        self, request: _pb.GetJobDependenciesRequest, context: Any
    ) -> _pb.GetJobDependenciesResponse:
        """What a job waits for and what waits for it."""
        scope = call.current().scope
        run = await self._engine.get(scope, request.job_id)
        needs = [await self._engine.get(scope, needed) for needed in run.dependencies]
        dependants = await self._engine.dependants(scope, run.run_id)
        explained = await self._engine.desk.explain(scope, run.run_id)
        allocated = await self._engine.events(scope, run.run_id, kinds={"allocated", "queued", "started"})
        return _Answer(
            job_id=run.run_id,
            dependencies=_Answer.Dependencies(
                prerequisite_jobs=[_prerequisite(run, need) for need in needs],
                resource_dependencies=[*await self._dataset(scope, run), *_node(run)],
                dependent_jobs=[_dependant(run, one) for one in dependants],
            ),
            blocking_conditions=[*_holding(explained), *_held(run, needs, allocated)],
            dependency_graph=_graph(run, needs, dependants),
        )

    async def _dataset(self, scope: Scope, run: RunState) -> list[_Answer.ResourceDependency]:
        if run.dataset_id is None:
            return []
        made = _Answer.ResourceDependency(
            resource_type="Dataset", resource_id=run.dataset_id, status=_pb.DEPENDENCY_STATUS_AVAILABLE
        )
        try:
            dataset = await self._engine.datasets.get(scope, run.dataset_id)
        except DatasetNotFound:
            made.status = _pb.DEPENDENCY_STATUS_MISSING
            return [made]
        made.resource_name = dataset.name
        if (modified := timestamp(dataset.created)) is not None:
            made.last_modified.CopyFrom(modified)
        return [made]


def _status(run: RunState) -> _pb.DependencyStatus.ValueType:
    return _STATUSES.get(run.state, _pb.DEPENDENCY_STATUS_QUEUED)


def _prerequisite(run: RunState, need: RunState) -> _Answer.PrerequisiteJob:
    takes = run.dataset_id is not None and need.dataset_id is not None and run.batch_id == need.batch_id != ""
    about = f"{need.name} must complete first; what it leaves is the input" if takes else f"{need.name} must complete"
    return _Answer.PrerequisiteJob(
        job_id=need.run_id,
        job_name=need.name,
        status=_status(need),
        completed_at=timestamp(need.ended) if need.state is State.COMPLETED else None,
        dependency=about,
    )


def _dependant(run: RunState, one: RunState) -> _Answer.DependentJob:
    return _Answer.DependentJob(
        job_id=one.run_id, job_name=one.name, status=_status(one), waiting_for=f"{run.name} to complete"
    )


def _node(run: RunState) -> list[_Answer.ResourceDependency]:
    """The worker that has the run, or had it."""
    if run.node is None:
        return []
    status = _pb.DEPENDENCY_STATUS_ALLOCATED if run.at_work else _pb.DEPENDENCY_STATUS_RELEASED
    return [
        _Answer.ResourceDependency(
            resource_type="ComputeNode",
            resource_id=run.node,
            status=status,
            allocated_at=timestamp(run.attempt_started),
        )
    ]


def _holding(explained: Explanation) -> list[_Answer.BlockingCondition]:
    return [
        _Answer.BlockingCondition(condition=reason.message, status=_pb.DEPENDENCY_STATUS_BLOCKING)
        for reason in explained.reasons
    ]


def _held(run: RunState, needs: Sequence[RunState], events: Sequence[Event]) -> list[_Answer.BlockingCondition]:
    """What held the run up and does no more: each run it needed, and the wait for a worker."""
    conditions = [
        _Answer.BlockingCondition(
            condition=f"{need.name} had not completed",
            status=_pb.DEPENDENCY_STATUS_RESOLVED,
            resolved_at=timestamp(need.ended),
            resolution=f"{need.name} completed",
        )
        for need in needs
        if need.state is State.COMPLETED
    ]
    started = next((event for event in events if event.kind == "started"), None)
    if started is not None:
        conditions.append(
            _Answer.BlockingCondition(
                condition="No worker was assigned",
                status=_pb.DEPENDENCY_STATUS_RESOLVED,
                resolved_at=timestamp(started.time),
                resolution=f"{run.node} took the job",
            )
        )
    return conditions


def _graph(run: RunState, needs: Sequence[RunState], dependants: Sequence[RunState]) -> _Answer.DependencyGraph:
    nodes = [*((one, "PrerequisiteJob") for one in needs), (run, "CurrentJob")]
    nodes += [(one, "DependentJob") for one in dependants]
    edges = [_edge(one, run, "prerequisite") for one in needs]
    edges += [_edge(run, one, "dependency") for one in dependants]
    shown = [_Answer.Node(id=one.run_id, type=kind, status=_status(one)) for one, kind in nodes]
    return _Answer.DependencyGraph(nodes=shown, edges=edges)


def _edge(first: RunState, then: RunState, kind: str) -> _Answer.Edge:
    # `from` is a keyword of Python: it can only be given by name this way.
    return _Answer.Edge(**{"from": first.run_id, "to": then.run_id, "type": kind})
