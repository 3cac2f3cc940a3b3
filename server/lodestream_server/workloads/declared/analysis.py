"""Analysis: a closer look at one side of a process."""

from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.catalogue import PhaseSpec, WorkloadSpec
from lodestream_server.workloads.declared.algorithm import ALGORITHM
from lodestream_server.workloads.declared.columns import COLUMNS
from lodestream_server.workloads.parameters import RESOURCE_ALLOCATION, Parameter

_HOME = "lodestream_server.workloads.analysis"

_TYPES = ("comprehensive", "performance", "bottleneck", "conformance", "variants", "resources", "comparison")

_OPERATORS = (
    "equals",
    "not_equals",
    "in",
    "not_in",
    "greater",
    "at_least",
    "less",
    "at_most",
    "between",
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "is_empty",
    "is_not_empty",
)

_FILTERS = Parameter(
    "filters",
    "objects",
    inside=(
        Parameter("column", required=True),
        Parameter("operator", words=_OPERATORS),
        Parameter("keep", words=("cases", "events")),
    ),
)

_WINDOW = Parameter("timeWindow", "object", inside=(Parameter("startDate", "date"), Parameter("endDate", "date")))

#: `segregationOfDuties` is a list of pairs, and values of filters are of any kind: `checked` reads them at submission.
_PARAMETERS = (
    Parameter("datasetId", "dataset", required=True),
    Parameter("analysisType", words=_TYPES),
    Parameter("performanceMetrics", "texts", words=("cycle_time", "waiting_time", "resource_utilization")),
    Parameter(
        "qualityChecks",
        "object",
        inside=(
            Parameter("validateTimestamps", "flag"),
            Parameter("checkDuplicates", "flag"),
            Parameter("validateActivities", "flag"),
        ),
    ),
    _WINDOW,
    _FILTERS,
    Parameter(
        "compareWith",
        "object",
        inside=(Parameter("name"), Parameter("datasetId", "dataset"), _WINDOW, _FILTERS),
    ),
    Parameter("modelResourceId", "resource", of="Model"),
    ALGORITHM,
    Parameter(
        "outputOptions",
        "object",
        inside=(Parameter("generateReports", "flag"), Parameter("createVisualizations", "flag")),
    ),
    Parameter("removeDuplicates", "flag"),
    Parameter("checkDuplicates", "flag"),
    RESOURCE_ALLOCATION,
    *COLUMNS,
)

# Weights: shares of the time that a comprehensive analysis of 5M events took, rounded.
_PHASES = (
    PhaseSpec("Data Loading", f"{_HOME}.loading:load", 40, "DataLoader"),
    PhaseSpec("Data Preparation", f"{_HOME}.preparing:prepare", 5, "DataPreparer"),
    PhaseSpec("Analysis", f"{_HOME}.analysing:analyse", 50, "ProcessAnalyzer"),
    PhaseSpec("Report Generation", f"{_HOME}.reporting:report", 5, "ReportGenerator"),
)

JOB = WorkloadSpec(RunKind.JOB, "Analysis", _PHASES, _PARAMETERS, check=f"{_HOME}.checked:check")
