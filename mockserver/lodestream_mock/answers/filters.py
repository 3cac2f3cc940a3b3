"""What explicit parameters leave of an answer. A parameter that was not given leaves everything, so that a bare request
gets the documented payload whole.
"""

from typing import Any

from lodestream.errors import BadPageToken, InvalidField, PageBeyondWindow, PhaseNotFound, Violation
from lodestream.v1.common_pb2 import JobType, ResultFormat
from lodestream.v1.job_pb2 import OutputType
from lodestream.v1.tracking_pb2 import Metric, MetricInterval, TimelineEventType, TimelineGranularity
from lodestream_mock.play.typed import epoch_ms, type_of_work

_WINDOW = 10_000
_MINUTES = {
    MetricInterval.METRIC_INTERVAL_5M: 5,
    MetricInterval.METRIC_INTERVAL_15M: 15,
}
_OUTPUTS = {
    OutputType.OUTPUT_TYPE_REPORTS: ("ProcessMiningReport", "Report"),
    OutputType.OUTPUT_TYPE_DATA: ("EnrichedDataset", "Dataset"),
    OutputType.OUTPUT_TYPE_MODELS: ("AnalyticsModel", "Model"),
    OutputType.OUTPUT_TYPE_VISUALIZATIONS: ("ProcessMap", "Visualization"),
}
_MACHINE = {
    Metric.METRIC_CPU: "cpu",
    Metric.METRIC_MEMORY: "memory",
    Metric.METRIC_DISK: "disk",
    Metric.METRIC_NETWORK: "network",
}


def only(entries: Any, request: Any, *names: str) -> None:
    """Keeps the entries that have the values asked for under these names; 0 and "" ask for nothing."""
    wanted = {name: getattr(request, name) for name in names if getattr(request, name)}
    _keep(entries, lambda entry: all(getattr(entry, name) == value for name, value in wanted.items()))


def between(entries: Any, request: Any, moment: str) -> None:
    """Keeps the entries whose `moment` lies in date_from .. date_to, both included."""
    if request.HasField("date_from"):
        _keep(entries, lambda entry: epoch_ms(getattr(entry, moment)) >= epoch_ms(request.date_from))
    if request.HasField("date_to"):
        _keep(entries, lambda entry: epoch_ms(getattr(entry, moment)) <= epoch_ms(request.date_to))


def page(entries: Any, request: Any, answer: Any, *, more_beyond: bool) -> None:
    """Cuts the entries to the page asked for; `more_beyond` when the answer stands for a longer list than it shows."""
    size = request.page_size or 20
    number = request.page or 1
    if request.page and request.page_token:
        raise InvalidField.of(Violation("page_token", "excludes page; send one of them"))
    if number * size > _WINDOW:
        raise PageBeyondWindow()
    begin = offset_of(request.page_token) if request.page_token else (number - 1) * size
    whole = len(entries)
    kept = list(entries)[begin : begin + size]
    del entries[:]
    entries.extend(kept)
    answer.has_next_page = whole > begin + size or (more_beyond and begin == 0)
    answer.ClearField("page")
    if not request.page_token:
        answer.page = number
    answer.page_size = size
    if whole > begin + size:
        answer.next_page_token = f"after-{begin + size}"


def offset_of(token: str) -> int:
    """The place in a list that a page token names. Raises BadPageToken."""
    number = token.removeprefix("after-")
    if not token.startswith("after-") or not number.isdigit() or len(number) > 9:
        raise BadPageToken(f"{token[:40]!r} is no page token of this server: use nextPageToken of the page before")
    return int(number)


def slim_page(entries: list[Any], request: Any) -> tuple[list[Any], str]:
    """The page of a list without page numbers, and the token of the next one, "" on the last."""
    size = request.page_size or 20
    begin = offset_of(request.page_token) if request.page_token else 0
    return entries[begin : begin + size], f"after-{begin + size}" if len(entries) > begin + size else ""


def logs(request: Any, answer: Any) -> None:
    """Level as a threshold, the time range, and the newest `limit` lines (the oldest when a from_time is given)."""
    if request.level:
        _keep(answer.logs, lambda line: line.level >= request.level)
    if request.HasField("from_time"):
        _keep(answer.logs, lambda line: epoch_ms(line.timestamp) >= epoch_ms(request.from_time))
    if request.HasField("to_time"):
        _keep(answer.logs, lambda line: epoch_ms(line.timestamp) <= epoch_ms(request.to_time))
    limit = request.limit or 1000
    if len(answer.logs) > limit:
        if request.HasField("from_time"):
            del answer.logs[limit:]
        else:
            del answer.logs[: len(answer.logs) - limit]


def timeline(request: Any, answer: Any) -> None:
    """Granularity and sub-events of a documented timeline; a computed one has its granularity already."""
    if request.granularity:
        answer.timeline_scope.granularity = request.granularity
    sub = (
        TimelineEventType.TIMELINE_EVENT_TYPE_PROGRESS,
        TimelineEventType.TIMELINE_EVENT_TYPE_RESOURCE_CHANGED,
    )
    coarse = request.granularity == TimelineGranularity.TIMELINE_GRANULARITY_MAJOR_EVENTS
    if coarse or (request.HasField("include_sub_events") and not request.include_sub_events):
        _keep(answer.timeline, lambda entry: entry.event_type not in sub)


def metrics(request: Any, answer: Any) -> None:
    """The parts asked for, with or without history, at the interval asked for."""
    if request.HasField("include_history") and not request.include_history:
        del answer.historical_metrics[:]
    minutes = _MINUTES.get(request.interval)
    if minutes and answer.historical_metrics:
        first = answer.historical_metrics[0].timestamp.seconds
        _keep(answer.historical_metrics, lambda entry: (entry.timestamp.seconds - first) % (minutes * 60) == 0)
    if request.metrics:
        machine = answer.current_metrics.resource_utilization
        for metric, name in _MACHINE.items():
            if metric not in request.metrics:
                machine.ClearField(name)
        if Metric.METRIC_THROUGHPUT not in request.metrics:
            answer.current_metrics.ClearField("processing")


def tracked(request: Any, answer: Any) -> None:
    """The jobs asked for; when any were left out, counts are those of the rest."""
    before = len(answer.jobs)
    if request.job_ids:
        _keep(answer.jobs, lambda job: job.job_id in request.job_ids)
    only(answer.jobs, request, "status", "submitted_by")
    if len(answer.jobs) != before:
        count_tracked(answer)
    if request.HasField("include_metrics") and not request.include_metrics:
        for job in answer.jobs:
            job.ClearField("resource_usage")


def count_tracked(answer: Any) -> None:
    """Counts what the answer shows; statuses are numbered Queued, Running, Completed, Failed."""
    statuses = [job.status for job in answer.jobs]
    answer.job_count = len(statuses)
    answer.summary.queued, answer.summary.running = statuses.count(1), statuses.count(2)
    answer.summary.completed, answer.summary.failed = statuses.count(3), statuses.count(4)


def operation_results(request: Any, answer: Any) -> None:
    """Format, artifacts and phase. Raises PhaseNotFound with the phases that there are."""
    if request.phase:
        names = [entry.phase_name for entry in answer.phase_results]
        if request.phase not in names:
            raise PhaseNotFound(
                f"The results have no phase {request.phase[:60]!r}; they have: {', '.join(names) or 'none'}."
            )
        _keep(answer.phase_results, lambda entry: entry.phase_name == request.phase)
    if request.format == ResultFormat.RESULT_FORMAT_SUMMARY:
        for entry in answer.phase_results:
            entry.ClearField("results")
    if request.HasField("include_artifacts") and not request.include_artifacts:
        del answer.artifacts[:]


def job_results(request: Any, answer: Any) -> None:
    """Format, outputs and their kind."""
    if request.format == ResultFormat.RESULT_FORMAT_SUMMARY:
        answer.ClearField("stage_results")
    outputs = answer.results
    hidden = request.HasField("include_artifacts") and not request.include_artifacts
    kinds = _OUTPUTS.get(request.output_type, ())
    if hidden or (kinds and outputs.primary_output.type not in kinds):
        outputs.ClearField("primary_output")
    if hidden or kinds:
        _keep(outputs.additional_outputs, lambda output: not hidden and output.type in kinds)


def queue(request: Any, answer: Any) -> None:
    """Priority and type; estimates unless they are refused."""
    if request.priority:
        _keep(answer.queued_jobs, lambda job: job.priority == request.priority)
    if request.job_type:
        _keep(answer.queued_jobs, lambda job: _job_type(job.job_type) == request.job_type)
    if request.HasField("include_estimates") and not request.include_estimates:
        for job in answer.queued_jobs:
            job.ClearField("estimated_start_time")
            job.ClearField("estimated_duration")


def _job_type(word: str) -> int:
    """The number of a type of work; Custom for own workloads."""
    number: int = type_of_work(JobType.DESCRIPTOR, "job_type", word)["job_type"]
    return number


def _keep(entries: Any, wanted: Any) -> None:
    kept = [entry for entry in entries if wanted(entry)]
    if len(kept) != len(entries):
        kept = [type(entry).FromString(entry.SerializeToString()) for entry in kept]
        del entries[:]
        entries.extend(kept)
