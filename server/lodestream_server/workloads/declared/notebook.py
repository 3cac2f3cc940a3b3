"""A notebook, run with the parameters of a job."""

from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.catalogue import WorkloadSpec

JOB = WorkloadSpec(RunKind.JOB, "Notebook")
