"""Results of ended runs: reads what there is and hands it to the shapes. The job and the operation service call it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from lodestream.errors import PhaseNotFound, RunNotFinished
from lodestream.v1 import common_pb2, job_pb2, operation_pb2
from lodestream_server.engine.engine import Engine
from lodestream_server.runs.bodies import Resources
from lodestream_server.runs.progress import saved_s
from lodestream_server.runs.shapes.common import took_s
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind
from lodestream_server.services.as_results import Produced, as_job_results, as_operation_results
from lodestream_server.store.lines import findings_of
from lodestream_server.store.reading import Scope
from lodestream_server.store.records import Artifact

#: Findings beyond that are in the log.
_FINDINGS: Final = 1000
_OUTPUTS: Final[Mapping[int, str]] = {
    job_pb2.OUTPUT_TYPE_REPORTS: "Report",
    job_pb2.OUTPUT_TYPE_DATA: "Dataset",
    job_pb2.OUTPUT_TYPE_MODELS: "Model",
    job_pb2.OUTPUT_TYPE_VISUALIZATIONS: "Visualization",
}
#: US dollars that these resources cost for so many seconds; None without prices.
Cost = Callable[[Resources, float | None], float | None]


class Results:
    """What runs produced."""

    def __init__(self, engine: Engine, cost: Cost) -> None:
        self._engine = engine
        self.cost_usd = cost

    def saved_usd(self, run: RunState) -> float | None:
        """What a run that was stopped would still have cost; None without prices, or while nothing is known of it."""
        return self.cost_usd(run.resources, saved_s(run))

    async def of_operation(
        self, scope: Scope, request: operation_pb2.GetOperationResultsRequest
    ) -> operation_pb2.GetOperationResultsResponse:
        """Raises RunNotFound, RunNotFinished, PhaseNotFound."""
        made = await self._produced(scope, request.operation_id, RunKind.OPERATION, request.format)
        artifacts = made.artifacts if request.include_artifacts else ()
        if request.phase:
            made = _only(made, request.phase)
            artifacts = [artifact for artifact in artifacts if artifact.phase == request.phase]
        return as_operation_results(made, artifacts)

    async def of_job(self, scope: Scope, request: job_pb2.GetJobResultsRequest) -> job_pb2.GetJobResultsResponse:
        """Raises RunNotFound, RunNotFinished."""
        made = await self._produced(scope, request.job_id, RunKind.JOB, request.format)
        findings = partial(findings_of, run_id=request.job_id, limit=_FINDINGS)
        made = replace(made, findings=await self._engine.store.read(findings))
        artifacts: Sequence[Artifact] = made.artifacts if request.include_artifacts else ()
        if request.output_type:
            wanted = _OUTPUTS.get(request.output_type)
            artifacts = [artifact for artifact in artifacts if artifact.type == wanted]
        return as_job_results(made, artifacts)

    async def _produced(self, scope: Scope, run_id: str, kind: RunKind, format_: int) -> Produced:
        run = await self._engine.get(scope, run_id, kind)
        if not run.has_ended:
            raise RunNotFinished(
                f"The run is {run.state} ({run.percent:.0f} %); its results are there when it has ended."
            )
        return Produced(
            run=run,
            results=await self._engine.phase_results(scope, run_id),
            artifacts=await self._engine.artifacts(scope, run_id),
            cost_usd=self.cost_usd(run.resources, took_s(run)),
            details=format_ in (common_pb2.RESULT_FORMAT_DETAILED, common_pb2.RESULT_FORMAT_DOWNLOAD),
            zip=format_ == common_pb2.RESULT_FORMAT_DOWNLOAD,
            phases=[phase.name for phase in run.phases],
        )


def _only(made: Produced, phase: str) -> Produced:
    if phase not in made.phases:
        raise PhaseNotFound(f"The run has no phase {phase!r}; its phases are {', '.join(made.phases)}.")
    return replace(made, phases=[phase])
