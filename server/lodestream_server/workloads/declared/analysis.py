"""Analysis: a closer look at one side of a process."""

from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.catalogue import WorkloadSpec

JOB = WorkloadSpec(RunKind.JOB, "Analysis")
