"""Data enrichment, as a job and as an operation."""

from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.catalogue import PhaseSpec, WorkloadSpec
from lodestream_server.workloads.declared.columns import COLUMNS
from lodestream_server.workloads.parameters import RESOURCE_ALLOCATION, Parameter

_HOME = "lodestream_server.workloads.enrichment"

#: `cleaningRules` is a list of words and objects, and not declared: `checked` reads it at submission, as the worker
#: does.
_PARAMETERS = (
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
    # `on` is a word or an object: the worker reads it.
    Parameter(
        "joins",
        "objects",
        inside=(
            Parameter("datasetId", "dataset", required=True),
            Parameter("columns", "texts"),
            Parameter("prefix"),
            Parameter("keep", words=("first", "last", "only")),
        ),
    ),
    Parameter("expressions", "object"),
    Parameter("outputFormat", words=("csv", "parquet", "xes", "processed_csv")),
    Parameter("outputOptions", "object", inside=(Parameter("generateReports", "flag"),)),
    RESOURCE_ALLOCATION,
    *COLUMNS,
)

# Weights: shares of the time that enriching 5M events took, rounded.
_PHASES = (
    PhaseSpec("Data Loading", f"{_HOME}.loading:load", 20, "DataLoader"),
    PhaseSpec("Data Cleaning", f"{_HOME}.cleaning:clean", 35, "DataCleaner"),
    PhaseSpec("Data Enrichment", f"{_HOME}.enriching:enrich", 25, "DataEnricher"),
    PhaseSpec("Output Generation", f"{_HOME}.output:write", 20, "OutputWriter"),
)

_CHECK = f"{_HOME}.checked:check"

JOB = WorkloadSpec(RunKind.JOB, "DataEnrichment", _PHASES, _PARAMETERS, check=_CHECK)
OPERATION = WorkloadSpec(RunKind.OPERATION, "DataEnrichment", _PHASES, _PARAMETERS, check=_CHECK)
