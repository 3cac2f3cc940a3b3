"""XML of a model file as a small tree, and as text: no DTD, no entities, bounded in bytes, depth and elements.

Readers of models call `read_tree`, writers `escaped` and `quoted`. Names lose their prefixes: nobody agrees on those.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from lodestream_server.workloads.phase import BadInput

FIELD = "parameters.modelResourceId"
#: A registered model has at most 4 MB; the nets discovered here may be larger.
LARGEST, DEEPEST, MOST_ELEMENTS = 32_000_000, 64, 500_000

#: First bytes of pickles and zips: told by name, because reading such a file can run any code.
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
#: What XML 1.0 does not allow in text.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def refused(text: str, reason: str = "BAD_MODEL") -> BadInput:
    """The error to raise: says that the model is at fault, with the field that named it."""
    return BadInput(f"{FIELD}: the model file {text}", reason=reason, field=FIELD)


@dataclass(slots=True)
class Element:
    """An element without its prefix: attributes by local name, children in order, its own text."""

    tag: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    line: int = 0
    children: list["Element"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its text; a text that was broken over lines for the eye loses the white space around it."""
        text = "".join(self.pieces)
        return text.strip() if text[:1].isspace() and "\n" in text else text

    def all(self, *tags: str) -> Iterator["Element"]:
        """Children of these names."""
        return (child for child in self.children if child.tag in tags)

    def first(self, *path: str) -> "Element | None":
        """The first child of the first name, of which the first child of the second …; None when one is missing."""
        found: Element | None = self
        for tag in path:
            found = next(found.all(tag), None) if found else None
        return found

    def get(self, name: str) -> str:
        """An attribute, empty when missing."""
        return self.attributes.get(name, "")


def read_tree(path: Path) -> Element:
    """The root. Raises BadInput for what is too large, no XML, cut off, or brings a DTD."""
    if path.stat().st_size > LARGEST:
        raise refused(f"has more than {LARGEST:,} bytes: leave out what no model needs")
    content = path.read_bytes()
    if content.startswith(_PICKLES):
        raise refused("is a pickle or a zip, which is never read: register the model as PNML or BPMN")
    reader = _Reader()
    try:
        reader.parser.Parse(content, True)
    except expat.ExpatError as error:
        words = expat.ErrorString(error.code) or "not well-formed"
        raise refused(
            f"is no whole XML ({words}, line {error.lineno}, column {error.offset + 1}): export it again as PNML or "
            "BPMN"
        ) from error
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        raise refused("names an encoding that is unknown: save it as UTF-8") from error
    return reader.root


class _Reader:
    """The stack of open elements."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._doctype
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.root = Element("")
        self._open: list[Element] = []
        self._elements = 0

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS or len(self._open) >= DEEPEST:
            raise refused(f"has more than {MOST_ELEMENTS:,} elements or is nested deeper than {DEEPEST}")
        named = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        element = Element(_local(name), named, self.parser.CurrentLineNumber)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _text(self, data: str) -> None:
        self._open[-1].pieces.append(data)

    def _doctype(self, *_: object) -> NoReturn:
        raise refused("declares a document type or entities, which no model needs: remove <!DOCTYPE …>", "DTD_REFUSED")


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def escaped(text: str) -> str:
    """A text between tags, so that a reader gets it back; what XML does not allow becomes U+FFFD."""
    return escape(_FORBIDDEN.sub("\ufffd", text), {"\r": "&#13;", "\n": "&#10;"})


def quoted(text: str) -> str:
    """An attribute's value with its quotation marks."""
    return quoteattr(_FORBIDDEN.sub("\ufffd", text))
