"""What the job's parameters ask of a notebook run: which notebook, what each cell may take, and the variables that go
into the notebook."""

import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lodestream_server.workloads.phase import BadInput, Phase, ResourceFile

#: Parameters that are ours; all others are variables of the notebook.
OURS = frozenset({"notebookId", "datasetId", "cellTimeoutSeconds", "resourceAllocation"})


@dataclass(frozen=True, slots=True)
class Wishes:
    """`cell_timeout_s`: what one cell may take, None for as long as the run may. `cpus`: cores the kernel may use,
    None for all."""

    notebook: ResourceFile
    variables: Mapping[str, Any]
    cell_timeout_s: int | None = None
    cpus: int | None = None


def wishes_of(phase: Phase) -> Wishes:
    """Raises BadInput when there is no notebook, or a parameter that cannot be a variable."""
    timeout = phase.parameters.get("cellTimeoutSeconds")
    units = (phase.parameters.get("resourceAllocation") or {}).get("cpuUnits")
    return Wishes(
        notebook=_notebook(phase),
        variables=_variables(phase.parameters),
        cell_timeout_s=int(timeout) if timeout else None,
        cpus=max(1, round(units)) if units else None,
    )


def _notebook(phase: Phase) -> ResourceFile:
    named = str(phase.parameters.get("notebookId") or "")
    found = phase.resources.get(named)
    if found is None or found.type != "Notebook":
        raise BadInput(
            f'"{named}" is no notebook of this project: register the .ipynb file as a resource of the type Notebook, '
            "and give its id in resource.resourceId or in the parameter notebookId.",
            reason="NO_NOTEBOOK",
        )
    return found


def _variables(parameters: Mapping[str, Any]) -> dict[str, Any]:
    variables = {name: parameters[name] for name in parameters if name not in OURS}
    for name in variables:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise BadInput(
                f'The parameter "{name}" cannot be a variable of the notebook: use letters, digits and underscores, '
                "and no word of the language.",
                reason="BAD_PARAMETER",
                parameter=name,
            )
    return variables
