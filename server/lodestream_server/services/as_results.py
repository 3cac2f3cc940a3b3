"""What a run produced as the two documented answers. Pure: from the run, what its phases returned, its files and its
findings.

Phases return free-form objects; the typed figures are looked up in them by their documented keys, and stay unset where
no phase computed them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lodestream.v1 import common_pb2, job_pb2, operation_pb2
from lodestream_server.runs.bodies import ErrorNoted, Json, Warned
from lodestream_server.runs.events import Event
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.common import artifact_url, error_of, took_s
from lodestream_server.runs.shapes.values import duration, money, percent, struct, timestamp
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.services.as_artifact import as_job_output, as_operation_artifact
from lodestream_server.store.records import Artifact

#: Of an artifact id: one zip of everything.
ALL: Final = "all.zip"
_job = job_pb2.GetJobResultsResponse
_operation = operation_pb2.GetOperationResultsResponse


@dataclass(frozen=True, slots=True)
class Produced:
    """Everything there is of an ended run. `details`: with free-form results; `zip`: with the address of the zip."""

    run: RunState
    results: Mapping[str, Json]
    artifacts: Sequence[Artifact] = ()
    findings: Sequence[Event] = ()
    cost_usd: float | None = None
    details: bool = False
    zip: bool = False
    phases: Sequence[str] = field(default=())

    def figure(self, *keys: str) -> Any:
        """The first of these figures that a phase returned, in the order of the phases; None when none did."""
        found = (results.get(key) for key in keys for results in self.results.values())
        return next((value for value in found if isinstance(value, int | float) and not isinstance(value, bool)), None)

    @property
    def success(self) -> bool:
        """Whether the run completed."""
        return self.run.state is State.COMPLETED

    @property
    def download_url(self) -> str | None:
        """Of the zip."""
        return artifact_url(self.run, ALL) if self.zip and self.artifacts else None

    @property
    def efficiency(self) -> float | None:
        """Processor time used of processor time allocated, percent."""
        took, cores = took_s(self.run), self.run.resources.cpu_units
        return percent(min(100.0, 100 * self.run.cpu_s / (took * cores))) if took and cores else None


def as_operation_results(made: Produced, artifacts: Iterable[Artifact]) -> operation_pb2.GetOperationResultsResponse:
    """The answer of GetOperationResults; `artifacts` are those to list."""
    run, count = made.run, made.figure
    return _operation(
        operation_id=run.run_id,
        operation_type=words.operation_type(run.type),
        custom_type=words.custom_type(run.type),
        operation_name=run.name,
        status=words.OPERATION_STATUSES[run.state],
        completion_time=timestamp(run.ended),
        total_duration=duration(took_s(run)),
        success=made.success,
        summary=_operation.Summary(
            records_analyzed=_whole(count("events", "validRecords", "recordsLoaded")),
            process_variants=_whole(count("processVariants")),
            anomalies_detected=_whole(count("anomaliesDetected")),
            models_generated=_whole(count("modelsGenerated")) or _of_type(made, "Model") or None,
            reports_created=_of_type(made, "Report") if made.success else None,
            data_quality_score=count("dataQualityScore"),
        ),
        phase_results=[_phase_result(made, name) for name in made.phases],
        artifacts=[as_operation_artifact(artifact, run) for artifact in artifacts],
        performance=_performance(made) if run.started else None,
        recommendations=recommendations(made.results),
        download_url=made.download_url,
        error=error_of(run),
    )


def as_job_results(made: Produced, artifacts: Sequence[Artifact]) -> job_pb2.GetJobResultsResponse:
    """The answer of GetJobResults; `artifacts` are those to list."""
    run, count = made.run, made.figure
    first = _primary(artifacts)
    return _job(
        job_id=run.run_id,
        status=words.JOB_STATUSES[run.state],
        completion_time=timestamp(run.ended),
        total_duration=duration(took_s(run)),
        success=made.success,
        summary=_job.Summary(
            records_processed=_whole(count("events", "validRecords", "recordsLoaded")) or 0,
            outputs_generated=len(made.artifacts),
            data_quality_score=count("dataQualityScore"),
            processing_efficiency=made.efficiency,
        ),
        results=_job.Outputs(
            primary_output=as_job_output(first, run) if first else None,
            additional_outputs=[as_job_output(artifact, run) for artifact in artifacts if artifact is not first],
        ),
        execution_metrics=_job.ExecutionMetrics(
            total_cpu_time=duration(run.cpu_s),
            peak_memory_bytes=run.peak_rss_bytes or None,
            disk_io_operations=run.sample.io_operations if run.sample else None,
        )
        if run.started
        else None,
        quality_metrics=_quality(made) if run.started else None,
        stage_results=struct(dict(made.results)) if made.details else None,
        recommendations=recommendations(made.results),
        download_url=made.download_url,
        error=error_of(run),
    )


def recommendations(results: Mapping[str, Json]) -> list[common_pb2.Recommendation]:
    """What phases recommend, in their order."""
    return [
        common_pb2.Recommendation(
            category=item.get("category"),
            priority=words.urgency(str(item.get("priority"))),
            recommendation=item.get("recommendation"),
            expected_improvement=item.get("expectedImprovement"),
        )
        for returned in results.values()
        for item in returned.get("recommendations") or ()
        if isinstance(item, Mapping)
    ]


def _phase_result(made: Produced, name: str) -> _operation.PhaseResult:
    returned = made.results.get(name)
    return _operation.PhaseResult(
        phase_name=name,
        status=words.STAGE_STATUSES[made.run.phase(name).status],
        results=struct(returned) if made.details and returned is not None else None,
    )


def _performance(made: Produced) -> _operation.Performance:
    run, took = made.run, took_s(made.run)
    records = _whole(made.figure("events", "validRecords", "recordsLoaded"))
    return _operation.Performance(
        total_execution_time=duration(took),
        resource_utilization=_operation.ResourceUtilization(
            average_cpu_percent=percent(100 * run.cpu_s / took) if took else None,
            peak_memory_bytes=run.peak_rss_bytes or None,
            total_cpu_hours=round(run.cpu_s / 3600, 4),
            total_cost=money(made.cost_usd),
        ),
        records_per_minute=round(records * 60 / took, 1) if records is not None and took else None,
        efficiency=made.efficiency,
    )


def _quality(made: Produced) -> _job.QualityMetrics:
    count = made.figure
    return _job.QualityMetrics(
        data_validation=_job.DataValidation(
            total_records=_whole(count("recordsLoaded")),
            valid_records=_whole(count("validRecords")),
            duplicates_removed=_whole(count("duplicatesRemoved")),
            invalid_records=_whole(count("invalidRecords")),
        )
        if count("recordsLoaded") is not None
        else None,
        processing_errors=_findings(made.findings, ErrorNoted),
        warnings=_findings(made.findings, Warned),
    )


def _findings(events: Sequence[Event], kind: type[Warned] | type[ErrorNoted]) -> list[_job.Finding]:
    counts: Counter[tuple[str, str]] = Counter()
    for event in events:
        if isinstance(body := event.body, Warned | ErrorNoted) and isinstance(body, kind):
            text = body.issue if isinstance(body, Warned) else body.description
            said, number = body.details.get("type"), body.details.get("count")
            what = said if isinstance(said, str) else body.component or body.phase
            counts[what, text] += number if isinstance(number, int) else 1
    return [_job.Finding(type=type_ or None, message=text, count=number) for (type_, text), number in counts.items()]


def _primary(artifacts: Sequence[Artifact]) -> Artifact | None:
    """The one to open first: a report for reading, else whatever came first."""
    reports = [artifact for artifact in artifacts if artifact.type == "Report"]
    return next(iter((*reports, *artifacts)), None)


def _of_type(made: Produced, type_: str) -> int:
    return sum(artifact.type == type_ for artifact in made.artifacts)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
