"""Reports on what earlier runs found."""

from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.catalogue import PhaseSpec, WorkloadSpec
from lodestream_server.workloads.parameters import RESOURCE_ALLOCATION, Parameter

_HOME = "lodestream_server.workloads.reporting"

#: The runs come from these parameters, or are those that the report depends on in its batch.
_PARAMETERS = (
    Parameter("reportType", words=("executive_summary", "detailed", "comparison")),
    Parameter("includeVisualizations", "flag"),
    Parameter("exportFormats", "texts"),
    Parameter("language", words=("en", "tr", "de", "fr")),
    Parameter("title"),
    Parameter("baselineRunId", "run"),
    Parameter("sourceRunId", "run"),
    Parameter("sourceOperationId", "run"),
    Parameter("sourceJobId", "run"),
    Parameter(
        "outputOptions",
        "object",
        inside=(Parameter("createVisualizations", "flag"), Parameter("exportFormats", "texts")),
    ),
    RESOURCE_ALLOCATION,
)

# Weights: shares of the time that all formats on the loan sample took, rounded.
_PHASES = (
    PhaseSpec("Data Collection", f"{_HOME}.phases:collect", 5, "DataCollector"),
    PhaseSpec("Visualization", f"{_HOME}.phases:draw", 35, "ReportDesigner"),
    PhaseSpec("Report Generation", f"{_HOME}.phases:write", 60, "ReportGenerator"),
)

OPERATION = WorkloadSpec(RunKind.OPERATION, "ReportGeneration", _PHASES, _PARAMETERS, cpu_units=1.0)
