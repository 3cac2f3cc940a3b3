"""Process mining, as a job and as an operation."""

from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.catalogue import PhaseSpec, WorkloadSpec
from lodestream_server.workloads.declared.algorithm import ALGORITHM
from lodestream_server.workloads.declared.columns import COLUMNS
from lodestream_server.workloads.parameters import RESOURCE_ALLOCATION, Parameter

_HOME = "lodestream_server.workloads.mining"

_PARAMETERS = (
    Parameter("datasetId", required=True),
    # Those that mining.wishes knows; a test holds them together.
    Parameter("analysisType", words=("comprehensive", "performance", "bottleneck", "variants", "resources")),
    Parameter("timeWindow", "object", inside=(Parameter("startDate", "date"), Parameter("endDate", "date"))),
    ALGORITHM,
    Parameter(
        "algorithmSettings",
        "object",
        inside=(
            Parameter("useAdvancedML", "flag"),
            Parameter("enableAnomalyDetection", "flag"),
            Parameter("performanceOptimization", words=("balanced", "high_accuracy", "high_throughput")),
        ),
    ),
    Parameter(
        "outputOptions",
        "object",
        inside=(
            Parameter("generateReports", "flag"),
            Parameter("createVisualizations", "flag"),
            Parameter("exportFormats", "texts"),
        ),
    ),
    Parameter("outputFormat"),
    Parameter("includeAnomalyDetection", "flag"),
    Parameter("enableML", "flag"),
    Parameter("enableVariantAnalysis", "flag"),
    Parameter("includeProcessVariants", "flag"),
    Parameter("enableBottleneckDetection", "flag"),
    Parameter("generateOptimizationRecommendations", "flag"),
    Parameter("generateInsights", "flag"),
    Parameter("performanceMetrics", "texts", words=("cycle_time", "waiting_time", "resource_utilization")),
    Parameter("cleaningRules", "texts"),
    Parameter("removeDuplicates", "flag"),
    Parameter("checkDuplicates", "flag"),
    RESOURCE_ALLOCATION,
    *COLUMNS,
)


_LEARNING = PhaseSpec(
    "Machine Learning Analysis", "lodestream_server.workloads.learning.phase:learn", 20, "MachineLearning"
)


def _phases(first: str, performance: str, *extra: PhaseSpec) -> tuple[PhaseSpec, ...]:
    # Weights: shares of the time that mining 5M events took, rounded; loading and the report read and write everything,
    # the two between read columns. `extra` come before the report.
    return (
        PhaseSpec(first, f"{_HOME}.loading:load", 35, "DataLoader"),
        PhaseSpec("Process Discovery", f"{_HOME}.modelling:discover_process", 10, "ProcessMiner"),
        PhaseSpec("Performance Analysis", performance, 15, "PerformanceAnalyzer"),
        *extra,
        PhaseSpec("Report Generation", f"{_HOME}.report:report", 40, "ReportGenerator"),
    )


JOB = WorkloadSpec(
    RunKind.JOB,
    "ProcessMining",
    _phases("Data Loading", "lodestream_server.workloads.learning.beside:analyse"),
    _PARAMETERS,
)
OPERATION = WorkloadSpec(
    RunKind.OPERATION,
    "ProcessMiningAnalysis",
    _phases("Data Loading & Validation", f"{_HOME}.performance:analyse", _LEARNING),
    _PARAMETERS,
    cpu_units=4.0,
)
