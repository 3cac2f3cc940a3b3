"""What a run uses of the machine, as GetJobMetrics shows it. What was not measured stays unset."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from lodestream.v1 import common_pb2, tracking_pb2
from lodestream_server.runs.benchmarks import Benchmarks
from lodestream_server.runs.metrics import Interval, Metrics, Trend
from lodestream_server.runs.progress import Progress
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.as_tracking import figure
from lodestream_server.runs.shapes.common import counted, phase_shown
from lodestream_server.runs.shapes.values import duration, percent, timestamp
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import PhaseStatus, RunKind

_pb = tracking_pb2.GetJobMetricsResponse
_TRENDS: Final[dict[Trend, tracking_pb2.Trend.ValueType]] = {
    "Stable": tracking_pb2.TREND_STABLE,
    "Increasing": tracking_pb2.TREND_INCREASING,
    "Decreasing": tracking_pb2.TREND_DECREASING,
}
#: More records a second is better; more processor or memory is neither.
_PACE: Final[dict[Trend, tracking_pb2.Trend.ValueType]] = {
    "Stable": tracking_pb2.TREND_STABLE,
    "Increasing": tracking_pb2.TREND_IMPROVING,
    "Decreasing": tracking_pb2.TREND_WORSENING,
}
#: Time it takes of the time expected: up to the first good, up to the second medium.
_GOOD, _MEDIUM = 1.1, 1.5


def as_metrics(
    run: RunState,
    view: Progress,
    measured: Metrics,
    now: datetime,
    *,
    parts: Collection[tracking_pb2.Metric.ValueType],
    history: bool,
    against: Benchmarks | None = None,
) -> tracking_pb2.GetJobMetricsResponse:
    """Metrics of the run; `parts` limits them (empty: all); `against` is what earlier runs show."""

    def wanted(part: tracking_pb2.Metric.ValueType) -> bool:
        return not parts or part in parts

    pace = wanted(tracking_pb2.METRIC_THROUGHPUT)
    trends = measured.trends
    return _pb(
        job_id=run.run_id,
        metrics_collection_time=timestamp(run.ended or now),
        current_metrics=_pb.CurrentMetrics(
            resource_utilization=_pb.ResourceUtilization(
                cpu=_cpu(run, view, measured) if wanted(tracking_pb2.METRIC_CPU) else None,
                memory=_memory(run, measured) if wanted(tracking_pb2.METRIC_MEMORY) else None,
                disk=_disk(measured) if wanted(tracking_pb2.METRIC_DISK) and measured.latest else None,
            ),
            processing=_processing(run, view) if pace else None,
            stages=_stages(run, against),
        ),
        historical_metrics=[_interval(item) for item in measured.history] if history else (),
        performance_trends=_pb.PerformanceTrends(
            cpu_trend=_TRENDS[trends.cpu] if trends.cpu and wanted(tracking_pb2.METRIC_CPU) else None,
            memory_trend=_TRENDS[trends.memory] if trends.memory and wanted(tracking_pb2.METRIC_MEMORY) else None,
            throughput_trend=_PACE[trends.rate] if trends.rate and pace else None,
            overall_efficiency=_overall(run, view),
            prediction_accuracy=percent(against.accuracy) if against and against.accuracy is not None else None,
        ),
        benchmarks=_benchmarks(run, against) if against else None,
    )


def _cpu(run: RunState, view: Progress, measured: Metrics) -> _pb.Cpu:
    allocated_s = view.elapsed_s * run.resources.cpu_units
    return _pb.Cpu(
        usage=percent(measured.latest.cpu_percent) if measured.latest else None,
        cores=max(1, round(run.resources.cpu_units)),
        efficiency=percent(min(100.0, 100 * run.cpu_s / allocated_s)) if allocated_s and run.cpu_s else None,
    )


def _memory(run: RunState, measured: Metrics) -> _pb.Memory:
    allocated, peak = run.resources.memory_bytes, measured.peak_rss_bytes
    return _pb.Memory(
        used_bytes=measured.latest.rss_bytes if measured.latest else None,
        allocated_bytes=allocated or None,
        peak_bytes=peak or None,
        efficiency=percent(100 * peak / allocated) if allocated and peak else None,
    )


def _disk(measured: Metrics) -> _pb.Disk:
    latest = measured.latest
    return _pb.Disk(
        read_bytes=latest.read_bytes if latest else None,
        written_bytes=latest.written_bytes if latest else None,
        iops=measured.iops,
    )


def _processing(run: RunState, view: Progress) -> _pb.Processing:
    shown = phase_shown(run)
    worked_s = sum(stage.duration_s or 0.0 for stage in view.stages)
    valid, invalid = figure(run, "validRecords"), figure(run, "invalidRecords")
    read = (valid or 0) + (invalid or 0)
    return _pb.Processing(
        records_per_second=round(view.rate, 1) if view.rate is not None else 0.0,
        records_processed=(shown.done or 0) if shown else 0,
        total_records=shown.total if shown else None,
        processing_efficiency=percent(min(100.0, 100 * worked_s / view.elapsed_s)) if view.elapsed_s else None,
        error_rate=round(invalid / read, 4) if invalid is not None and read else None,
        retry_rate=round((run.attempt - 1) / run.attempt, 4) if run.attempt else None,
    )


def _stages(run: RunState, against: Benchmarks | None) -> _pb.Stages:
    took = [phase.duration_s for phase in run.phases if phase.duration_s is not None]
    return _pb.Stages(
        completed=counted(run.phases, PhaseStatus.COMPLETED),
        running=counted(run.phases, PhaseStatus.RUNNING),
        pending=counted(run.phases, PhaseStatus.PENDING),
        average_stage_time=duration(sum(took) / len(took)) if took else None,
        stage_efficiency=percent(against.stage_efficiency)
        if against and against.stage_efficiency is not None
        else None,
    )


def _benchmarks(run: RunState, against: Benchmarks) -> _pb.Benchmarks:
    shares = None
    if against.faster is not None:
        shares = _pb.SimilarJobsComparison(
            faster_than=percent(against.faster),
            similar_to=percent(against.similar or 0.0),
            slower_than=percent(against.slower or 0.0),
        )
    return _pb.Benchmarks(
        job_type=words.job_type(run.type) if run.kind is RunKind.JOB else None,
        custom_type=words.custom_type(run.type) if run.kind is RunKind.JOB else None,
        average_job_duration=duration(against.mean_s),
        average_records_per_second=round(against.rate, 1) if against.rate is not None else None,
        current_performance_rank=None if against.faster is None else round(against.faster),
        similar_jobs_comparison=shares,
    )


def _interval(item: Interval) -> _pb.HistoricalMetric:
    return _pb.HistoricalMetric(
        timestamp=timestamp(item.begin),
        cpu_percent=item.cpu_percent,
        memory_bytes=item.memory_bytes,
        records_per_second=item.rate,
        stage=item.phase or None,
    )


def _overall(run: RunState, view: Progress) -> common_pb2.Health.ValueType | None:
    """Against the time that earlier runs of the type and size took."""
    if run.estimate is None or run.started is None or (view.remaining_s is None and not run.has_ended):
        return None
    expected = (run.estimate.low_s + run.estimate.high_s) / 2
    whole = view.elapsed_s + (view.remaining_s or 0.0)
    if whole <= expected * _GOOD:
        return common_pb2.HEALTH_GOOD
    return common_pb2.HEALTH_MEDIUM if whole <= expected * _MEDIUM else common_pb2.HEALTH_POOR
