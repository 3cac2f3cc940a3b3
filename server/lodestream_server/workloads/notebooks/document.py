"""A notebook as a document: read and checked, given its parameters, written.

Parameters follow papermill's convention: a cell tagged `parameters` holds the defaults, ours goes right behind it, or
to the top when there is none.
"""

import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import nbformat
from nbformat import NotebookNode

from lodestream_server.workloads.phase import BadInput

#: Its functions have no types, though the package says that it has.
_nbformat: Final[Any] = nbformat
_LANGUAGE = "python"
_INJECTED = "injected-parameters"
#: How the names of kernels in other languages begin, for notebooks that do not say their language.
_OTHERS: Final = (
    ("ir", "R"),
    ("r ", "R"),
    ("julia", "Julia"),
    ("scala", "Scala"),
    ("spark", "Scala"),
    ("javascript", "JavaScript"),
    ("typescript", "TypeScript"),
    ("deno", "TypeScript"),
    ("bash", "Bash"),
    (".net", "C#"),
    ("sas", "SAS"),
    ("matlab", "MATLAB"),
    ("octave", "Octave"),
)


def read(path: Path) -> NotebookNode:
    """The notebook in the newest format, without earlier outputs. Raises BadInput for what is none, or not in
    Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cells without ids: upgrading gives them some
            notebook: NotebookNode = _upgraded(path.read_text(encoding="utf-8-sig"))
            _nbformat.validate(notebook)
    except Exception as fault:  # the reader has a dozen kinds of them
        raise BadInput(
            "The file is not a notebook: save it as .ipynb in Jupyter and register it again.",
            reason="NOT_A_NOTEBOOK",
            cause=_first_line(fault),
        ) from fault
    _check_language(notebook)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    return notebook


def _upgraded(text: str) -> NotebookNode:
    """In the newest format. A kernel without a name, which some editors write, is given the one that it shows."""
    given: NotebookNode = _nbformat.v4.upgrade(_nbformat.reads(text, as_version=4))
    if kernel := given.metadata.get("kernelspec"):
        name = kernel.get("name") or kernel.get("display_name") or _LANGUAGE
        kernel.update(name=name, display_name=kernel.get("display_name") or name)
    return given


def executed(path: Path) -> NotebookNode:
    """A notebook that we wrote."""
    notebook: NotebookNode = _nbformat.read(path, as_version=4)
    return notebook


def inject(notebook: NotebookNode, variables: Mapping[str, Any]) -> None:
    """Sets the variables behind the defaults; replaces what an earlier run injected."""
    notebook.cells = [cell for cell in notebook.cells if _INJECTED not in _tags(cell)]
    if not variables:
        return
    source = "\n".join(["# Parameters", *(f"{name} = {value!r}" for name, value in variables.items())])
    cell = _nbformat.v4.new_code_cell(source, metadata={"tags": [_INJECTED]})
    defaults = [place for place, one in enumerate(notebook.cells) if "parameters" in _tags(one)]
    notebook.cells.insert(defaults[0] + 1 if defaults else 0, cell)


def code_cells(notebook: NotebookNode) -> Iterator[NotebookNode]:
    """Cells that can be run, in order; empty ones are not."""
    return (cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip())


def write(notebook: NotebookNode, path: Path) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(_nbformat.writes(notebook), encoding="utf-8", errors="replace")
    os.replace(partial, path)


def _check_language(notebook: NotebookNode) -> None:
    kernel, language = notebook.metadata.get("kernelspec", {}), notebook.metadata.get("language_info", {})
    said = str(kernel.get("language") or language.get("name") or _of_kernel(str(kernel.get("name"))))
    if not said.lower().startswith((_LANGUAGE, "ipython")):
        name = kernel.get("display_name") or kernel.get("name") or said
        raise BadInput(
            f'The notebook is written in {said} (kernel "{name}"): notebooks in Python can be run here.',
            reason="UNKNOWN_KERNEL",
            language=said,
        )


def _of_kernel(name: str) -> str:
    """A kernel of any other name is taken for one in Python: environments give theirs names of their own."""
    return next((language for start, language in _OTHERS if name.lower().startswith(start)), _LANGUAGE)


def _tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


def _first_line(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0][:200]
