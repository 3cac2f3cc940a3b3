"""What tests of notebook jobs share: notebooks made of sources, and the two phases run on them."""

from pathlib import Path
from typing import Any

import nbformat
from lodestream_server.workloads.notebooks.execution import execute
from lodestream_server.workloads.notebooks.export import export
from lodestream_server.workloads.phase import Finished, ResourceFile
from lodestream_server.workloads.rehearsal import Rehearsal


def notebook(*sources: str, defaults: str | None = None, **metadata: Any) -> str:
    """The text of a notebook with these code cells; `defaults` is the cell tagged `parameters`, and comes first."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    if defaults is not None:
        cells.insert(0, nbformat.v4.new_code_cell(defaults, metadata={"tags": ["parameters"]}))
    return str(nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata)))


def rehearsal(folder: Path, text: str, **given: Any) -> Rehearsal:
    """A rehearsal whose job names this notebook; `given` are its parameters, or fields of the rehearsal."""
    folder.mkdir(exist_ok=True)
    path = folder / "notebook.ipynb"
    path.write_text(text)
    file = ResourceFile("nb", "waiting.ipynb", "Notebook", path)
    fields = {name: given.pop(name) for name in [*given] if name in Rehearsal.__dataclass_fields__}
    parameters = {"notebookId": "nb", **given}
    resources = {"nb": file}
    return Rehearsal(folder, parameters=parameters, resources=resources, name="Notebook Execution", **fields)


def ran(folder: Path, text: str, **given: Any) -> tuple[Rehearsal, Finished]:
    """The first phase, run to its end."""
    phase = rehearsal(folder, text, **given)
    return phase, phase.run(execute)


def page(folder: Path, finished: Finished) -> str:
    """What the second phase makes of it."""
    phase = Rehearsal(folder, name="Notebook Export", earlier={"Notebook Execution": finished}, run_name="Tuesday")
    phase.run(export)
    return phase.artifacts[0].path.read_text()


def outputs(phase: Rehearsal) -> list[str]:
    """The plain text of every output in the notebook that the phase wrote, in order."""
    written = nbformat.read(phase.out / "notebook.ipynb", as_version=4)
    found = [output for cell in written.cells for output in cell.get("outputs", [])]
    return ["".join(output.get("text", "") or output.get("data", {}).get("text/plain", "")) for output in found]
