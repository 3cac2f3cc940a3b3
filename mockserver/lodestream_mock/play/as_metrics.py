"""What a run uses of the machine, and what it depends on."""

from lodestream.v1 import tracking_pb2 as tracking
from lodestream.v1.common_pb2 import StageStatus
from lodestream.v1.tracking_pb2 import DependencyStatus, GetJobMetricsResponse
from lodestream_mock.play import typed
from lodestream_mock.play.moment import moment, records, stage_status
from lodestream_mock.play.played import Played


def as_metrics(played: Played, at: int) -> GetJobMetricsResponse:
    """GetJobMetrics' answer with the whole history."""
    now, story = moment(played, at), played.story
    shown = at if now.ended is None else now.ended
    samples = [sample for sample in story.usage if sample.at <= shown]
    statuses = [stage_status(played, phase, now) for phase in story.phases]
    out = GetJobMetricsResponse(
        job_id=played.run.run_id,
        metrics_collection_time=typed.instant(played.run.created + shown),
        current_metrics=GetJobMetricsResponse.CurrentMetrics(
            resource_utilization=GetJobMetricsResponse.ResourceUtilization(
                cpu=GetJobMetricsResponse.Cpu(usage=now.usage.cpu if now.usage else 0, cores=story.cpu_units),
                memory=GetJobMetricsResponse.Memory(
                    used_bytes=now.usage.memory if now.usage else 0,
                    allocated_bytes=int(story.memory_gb * 1_000_000_000),
                    peak_bytes=max((sample.memory for sample in samples), default=None),
                ),
            ),
            processing=GetJobMetricsResponse.Processing(
                records_per_second=now.usage.rate if now.usage and now.running else 0,
                records_processed=records(now.phase, now.phase_percent) if now.phase else 0,
                total_records=now.phase.records if now.phase else None,
            ),
            stages=GetJobMetricsResponse.Stages(
                completed=statuses.count(StageStatus.STAGE_STATUS_COMPLETED),
                running=statuses.count(StageStatus.STAGE_STATUS_RUNNING),
                pending=statuses.count(StageStatus.STAGE_STATUS_PENDING),
            ),
        ),
        performance_trends=GetJobMetricsResponse.PerformanceTrends(),
    )
    for sample in samples:
        out.historical_metrics.add(
            timestamp=typed.instant(played.run.created + sample.at),
            cpu_percent=sample.cpu,
            memory_bytes=sample.memory,
            records_per_second=sample.rate,
            stage=sample.stage or next((p.name for p in story.phases if p.starts <= sample.at < p.ends), None),
        )
    return out


def as_dependencies(
    played: Played, at: int, others: list[tuple[Played, int, str]]
) -> tracking.GetJobDependenciesResponse:
    """GetJobDependencies' answer; `others` are related runs with their moment, as "prerequisite" or "dependent"."""
    out = tracking.GetJobDependenciesResponse(job_id=played.run.run_id)
    dependencies, graph = out.dependencies, out.dependency_graph
    dependencies.SetInParent()
    graph.nodes.add(id=played.run.run_id, type="CurrentJob", status=dependency_status(played, at))
    for other, then, relation in others:
        other_id, status = other.run.run_id, dependency_status(other, then)
        if relation == "prerequisite":
            entry = dependencies.prerequisite_jobs.add(job_id=other_id, job_name=other.story.name, status=status)
            if status == DependencyStatus.DEPENDENCY_STATUS_COMPLETED:
                entry.completed_at.CopyFrom(typed.instant(other.run.created + other.end.at))
            graph.nodes.add(id=other_id, type="PrerequisiteJob", status=status)
            graph.edges.add(to=played.run.run_id, type="prerequisite", **{"from": other_id})
        else:
            dependencies.dependent_jobs.add(
                job_id=other_id, job_name=other.story.name, status=status, waiting_for=played.story.name
            )
            graph.nodes.add(id=other_id, type="DependentJob", status=status)
            graph.edges.add(to=other_id, type="dependency", **{"from": played.run.run_id})
    return out


def dependency_status(played: Played, at: int) -> DependencyStatus.ValueType:
    """Where a run stands, in the words of the dependencies page."""
    return DependencyStatus.ValueType(int(typed.job_status(moment(played, at).state)))
