"""Whether a file is the notebook or the process model that it is said to be. Pure; nothing of it is ever run here."""

from collections.abc import Mapping
from typing import Any, Final
from xml.parsers import expat

import orjson

#: First bytes of what Python's pickle writes since its second protocol, and of a zip with one inside.
_PICKLES: Final = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
_CELLS: Final = ("code", "markdown", "raw")
#: The root of a model file, and the element without which there is no model in it.
_ROOTS: Final = {"pnml": "net", "definitions": "process"}


def notebook_fault(content: bytes) -> str:
    """What is wrong with a notebook; empty when nothing is."""
    if fault := _pickled(content):
        return fault
    try:
        book = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return f"is no notebook: it is not JSON ({error})"
    if not isinstance(book, Mapping) or not isinstance(book.get("nbformat"), int):
        return 'is no notebook: a .ipynb file is a JSON object with "nbformat" and "cells"'
    if book["nbformat"] != 4 or not isinstance(book.get("nbformat_minor"), int):
        return f"is a notebook of the format {book['nbformat']}; open it in Jupyter and save it as format 4"
    if not isinstance(book.get("metadata"), Mapping) or not isinstance(book.get("cells"), list):
        return 'is no notebook: "metadata" must be an object and "cells" a list'
    return next((fault for number, cell in enumerate(book["cells"]) if (fault := _cell_fault(number, cell))), "")


def model_fault(content: bytes) -> str:
    """What is wrong with a PNML or BPMN file; empty when nothing is."""
    if fault := _pickled(content):
        return fault
    names = _Names()
    try:
        names.read(content)
    except _Refused as refused:
        return str(refused)
    except (expat.ExpatError, LookupError, ValueError) as error:
        return f"is no process model: it is not well-formed XML ({error})"
    if names.root not in _ROOTS:
        return f"is no process model: its root is <{names.root[:60]}>, not <pnml> or BPMN's <definitions>"
    wanted = _ROOTS[names.root]
    return "" if wanted in names.seen else f"is no process model: <{names.root}> holds no <{wanted}>"


class _Refused(Exception):
    """The file has what no model needs and what can harm who reads it."""


class _Names:
    """The root and the other elements of an XML file, without their prefixes."""

    def __init__(self) -> None:
        self.root = ""
        self.seen: set[str] = set()

    def read(self, content: bytes) -> None:
        """Raises _Refused, ExpatError."""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._begin
        parser.StartDoctypeDeclHandler = self._doctype
        parser.Parse(content, True)

    def _begin(self, name: str, _attributes: Mapping[str, str]) -> None:
        local = name.rpartition(":")[2]
        if not self.root:
            self.root = local
        elif local in _ROOTS.values():
            self.seen.add(local)

    def _doctype(self, *_: Any) -> None:
        raise _Refused("has a document type declaration, which can hold entities; save it without one")


def _cell_fault(number: int, cell: Any) -> str:
    if not isinstance(cell, Mapping) or cell.get("cell_type") not in _CELLS:
        return f"is no notebook: cell {number + 1} is none of {', '.join(_CELLS)}"
    source = cell.get("source")
    texts = source if isinstance(source, list) else [source]
    if not all(isinstance(text, str) for text in texts):
        return f'is no notebook: "source" of cell {number + 1} must be a text or a list of texts'
    if not isinstance(cell.get("metadata"), Mapping):
        return f'is no notebook: cell {number + 1} has no "metadata"'
    if cell["cell_type"] == "code" and not isinstance(cell.get("outputs"), list):
        return f'is no notebook: code cell {number + 1} has no list of "outputs"'
    return ""


def _pickled(content: bytes) -> str:
    if content.startswith(_PICKLES):
        return (
            "is a pickle or a zip, and reading such a file can run any code; "
            "register a notebook as .ipynb and a model as PNML or BPMN"
        )
    return ""
