"""The kinds of work: each type's phases, as names of functions that only the worker process imports, and the
parameters it knows.

The engine looks types up here at submission; tests bring catalogues of their own. Imports no mining library.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lodestream.errors import InvalidField, NotBuilt, Violation
from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.parameters import RESOURCE_ALLOCATION, Parameter


@dataclass(frozen=True, slots=True)
class PhaseSpec:
    """A phase: its documented name, "module:function", its share of the overall percent, and who its log lines come
    from.

    `version` rises when the function's files or results change their meaning: older checkpoints are then not taken
    over. Which parameters a phase depends on is not declared; the worker notes which ones it reads.
    """

    name: str
    function: str
    weight: float = 1.0
    component: str = ""
    version: int = 1


@dataclass(frozen=True, slots=True)
class WorkloadSpec:
    """A type of work. No phases: documented, but not built yet. `needs_dataset`: `parameters.datasetId` is required."""

    kind: RunKind
    type: str
    phases: tuple[PhaseSpec, ...] = ()
    parameters: Sequence[Parameter] = ()
    cpu_units: float = 2.0
    #: 0: what one seat of the machine has.
    memory_bytes: int = 0

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules that its phases live in."""
        return tuple(dict.fromkeys(phase.function.partition(":")[0] for phase in self.phases))


class Catalogue:
    """All types of work that a server knows."""

    def __init__(self, workloads: Iterable[WorkloadSpec]) -> None:
        self._by_name = {(spec.kind, spec.type): spec for spec in workloads}

    def find(self, kind: RunKind, type_: str) -> WorkloadSpec:
        """The workload of that type. Raises InvalidField for an unknown type, NotBuilt for one without phases."""
        spec = self._by_name.get((kind, type_))
        if spec is None:
            known = ", ".join(sorted(name for its_kind, name in self._by_name if its_kind is kind))
            raise InvalidField.of(Violation(f"{kind.value}_type", f"must be one of {known}"))
        if not spec.phases:
            raise NotBuilt(f"{kind.value.capitalize()} type {type_} is documented, but not built yet.")
        return spec

    def preload(self) -> tuple[str, ...]:
        """Every module that workers should have loaded before their first run."""
        return tuple(dict.fromkeys(module for spec in self._by_name.values() for module in spec.preload))


_MINING = "lodestream_server.workloads.mining"

#: The log's columns, where the caller names them instead of having them detected.
_COLUMNS = tuple(
    Parameter(name)
    for name in ("caseIdColumn", "activityNameColumn", "activityTimeColumn", "startTimeColumn", "resourceColumn")
)

_MINING_PARAMETERS = (
    Parameter("datasetId", required=True),
    Parameter("analysisType"),
    Parameter("timeWindow", "object", inside=(Parameter("startDate", "date"), Parameter("endDate", "date"))),
    Parameter("algorithm"),
    Parameter("algorithmSettings", "object"),
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
    Parameter("enableVariantAnalysis", "flag"),
    Parameter("enableBottleneckDetection", "flag"),
    Parameter("generateOptimizationRecommendations", "flag"),
    Parameter("performanceMetrics", "texts"),
    Parameter("cleaningRules", "texts"),
    Parameter("removeDuplicates", "flag"),
    Parameter("checkDuplicates", "flag"),
    RESOURCE_ALLOCATION,
    *_COLUMNS,
)


_ENRICHMENT = "lodestream_server.workloads.enrichment"

#: `cleaningRules` is a list of words and objects, and not declared: the worker reads it, and names the field at fault.
_ENRICHMENT_PARAMETERS = (
    Parameter("datasetId", required=True),
    Parameter("timeWindow", "object", inside=(Parameter("startDate", "date"), Parameter("endDate", "date"))),
    Parameter("removeDuplicates", "flag"),
    Parameter("checkDuplicates", "flag"),
    Parameter("derivedColumns", "texts"),
    Parameter(
        "workingHours",
        "object",
        inside=(Parameter("days", "texts"), Parameter("from"), Parameter("to")),
    ),
    Parameter("timeZone"),
    Parameter("expressions", "object"),
    Parameter("outputFormat", words=("csv", "parquet", "xes", "processed_csv")),
    Parameter("outputOptions", "object", inside=(Parameter("generateReports", "flag"),)),
    RESOURCE_ALLOCATION,
    *_COLUMNS,
)

# Weights: shares of the time that enriching 5M events took, rounded.
_ENRICHMENT_PHASES = (
    PhaseSpec("Data Loading", f"{_ENRICHMENT}.loading:load", 20, "DataLoader"),
    PhaseSpec("Data Cleaning", f"{_ENRICHMENT}.cleaning:clean", 35, "DataCleaner"),
    PhaseSpec("Data Enrichment", f"{_ENRICHMENT}.enriching:enrich", 25, "DataEnricher"),
    PhaseSpec("Output Generation", f"{_ENRICHMENT}.output:write", 20, "OutputWriter"),
)


def _mining_phases(first: str) -> tuple[PhaseSpec, ...]:
    # Weights: shares of the time that mining 5M events took, rounded; loading and the report read and write everything,
    # the two between read columns.
    return (
        PhaseSpec(first, f"{_MINING}.loading:load", 35, "DataLoader"),
        PhaseSpec("Process Discovery", f"{_MINING}.discovery:discover", 10, "ProcessMiner"),
        PhaseSpec("Performance Analysis", f"{_MINING}.performance:analyse", 15, "PerformanceAnalyzer"),
        PhaseSpec("Report Generation", f"{_MINING}.report:report", 40, "ReportGenerator"),
    )


BUILT_IN = Catalogue(
    (
        WorkloadSpec(RunKind.JOB, "ProcessMining", _mining_phases("Data Loading"), _MINING_PARAMETERS),
        WorkloadSpec(
            RunKind.OPERATION,
            "ProcessMiningAnalysis",
            _mining_phases("Data Loading & Validation"),
            _MINING_PARAMETERS,
            cpu_units=4.0,
        ),
        WorkloadSpec(RunKind.JOB, "DataEnrichment", _ENRICHMENT_PHASES, _ENRICHMENT_PARAMETERS),
        WorkloadSpec(RunKind.JOB, "Notebook"),
        WorkloadSpec(RunKind.JOB, "Analysis"),
        WorkloadSpec(RunKind.OPERATION, "DataEnrichment", _ENRICHMENT_PHASES, _ENRICHMENT_PARAMETERS),
        WorkloadSpec(RunKind.OPERATION, "ReportGeneration"),
    )
)
