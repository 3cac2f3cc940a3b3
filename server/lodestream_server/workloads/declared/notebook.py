"""A notebook, run with the parameters of a job."""

from dataclasses import replace

from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.catalogue import PhaseSpec, WorkloadSpec
from lodestream_server.workloads.parameters import RESOURCE_ALLOCATION, Parameter

_HOME = "lodestream_server.workloads.notebooks"

#: Everything else becomes a variable of the notebook.
_PARAMETERS = (
    Parameter("notebookId", "resource", required=True),
    Parameter("datasetId", "dataset"),
    Parameter("cellTimeoutSeconds", "whole", at_least=1, at_most=604800),
    RESOURCE_ALLOCATION,
)

JOB = WorkloadSpec(
    RunKind.JOB,
    "Notebook",
    (
        PhaseSpec("Notebook Execution", f"{_HOME}.execution:execute", 95, "NotebookRunner"),
        PhaseSpec("Notebook Export", f"{_HOME}.export:export", 5, "NotebookExporter"),
    ),
    _PARAMETERS,
)

#: A notebook is arbitrary code: who runs the server decides.
OFF = replace(
    JOB,
    phases=(),
    refusal="Notebook jobs are off on this server, because a notebook is arbitrary code with the rights of the server: "
    "the setting LODESTREAM_NOTEBOOKS=true turns them on.",
)
