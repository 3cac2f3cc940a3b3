"""Reports on what earlier work found."""

from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.catalogue import WorkloadSpec

OPERATION = WorkloadSpec(RunKind.OPERATION, "ReportGeneration")
