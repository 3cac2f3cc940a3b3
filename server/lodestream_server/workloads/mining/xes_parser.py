"""XES as a stream of events, on expat: constant memory, DTDs and entities refused, damage named.

An event is a dict of texts by attribute key. Values nested inside an attribute, lists and containers are passed over.
Pure parsing: no frames here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from lodestream_server.workloads.phase import BadInput

#: XES word -> our type.
TYPES = {
    "string": "string",
    "date": "timestamp",
    "int": "integer",
    "float": "number",
    "boolean": "boolean",
    "id": "string",
}

#: What an event must say for itself: a default for these would invent facts.
_NEVER_DEFAULT = frozenset({"time:timestamp", "concept:name"})

Row = dict[str, str]


@dataclass(slots=True)
class Trace:
    """The case that events belong to: its number in the file (from 0) and its attributes."""

    number: int
    attributes: Row = field(default_factory=dict)


@dataclass(slots=True)
class XesParser:
    """Feed it chunks of bytes; take the events out of `events` (each with its trace) after every chunk, and clear the
    list."""

    events: list[tuple[Trace, Row]] = field(default_factory=list)
    #: Key -> type as declared; "string" where events disagree. Of events, and of traces.
    event_types: dict[str, str] = field(default_factory=dict)
    trace_types: dict[str, str] = field(default_factory=dict)
    event_defaults: Row = field(default_factory=dict)
    trace_defaults: Row = field(default_factory=dict)
    traces: int = 0
    _parser: Any = None
    _held: list[tuple[Trace, Row]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Sets the parser up."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.StartElementHandler, parser.EndElementHandler = self._handlers()
        self._parser = parser

    def feed(self, data: bytes, final: bool = False) -> None:
        """Parses further bytes; `final` ends the document. Raises BadInput for what is no XES, and for a file that ends
        too early."""
        try:
            self._parser.Parse(data, final)
        except expat.ExpatError as fault:
            raise _fault(fault, final, self.traces) from fault

    def _handlers(self) -> tuple[Callable[[str, list[str]], None], Callable[[str], None]]:
        # Called for every element of the file: closures over local names are the fastest that Python has.
        depth = 0
        #: How deep the element lies that takes attributes; -1: none does.
        level = -1
        target: Row = {}
        types: dict[str, str] = {}
        event_types, trace_types, events, held = self.event_types, self.trace_types, self.events, self._held
        trace = Trace(-1)
        known = TYPES

        def start(tag: str, attributes: list[str]) -> None:
            nonlocal depth, level, target, types, trace
            depth += 1
            if depth == level + 1:
                if tag in known:
                    key = value = None
                    for place in range(0, len(attributes), 2):
                        if attributes[place] == "key":
                            key = attributes[place + 1]
                        elif attributes[place] == "value":
                            value = attributes[place + 1]
                    if key is not None and value is not None:
                        target[key] = value
                        if types.get(key) != tag:
                            types[key] = tag if key not in types else "string"
                    return
                if tag == "event" and level == 2:
                    level, target, types = 3, dict(self.event_defaults), event_types
                return
            if depth > level > 0:
                return
            if depth == 2:
                if tag == "trace":
                    trace = Trace(self.traces, dict(self.trace_defaults))
                    self.traces += 1
                    level, target, types = 2, trace.attributes, trace_types
                elif tag == "event":
                    raise BadInput(
                        "The file holds events outside of traces, so nothing says which case they belong to.",
                        reason="EVENTS_WITHOUT_CASE",
                    )
                elif tag == "global":
                    scope = attributes[attributes.index("scope") + 1] if "scope" in attributes else "event"
                    level = 2
                    target, types = (
                        (self.event_defaults, event_types) if scope == "event" else (self.trace_defaults, trace_types)
                    )
            elif depth == 1 and tag != "log":
                raise BadInput(
                    f"The file is XML, but no XES: its root is <{tag[:60]}> instead of <log>.", reason="NOT_XES"
                )

        def end(tag: str) -> None:
            nonlocal depth, level, target, types
            depth -= 1
            if depth >= level or level < 0:
                return
            if level == 3:
                held.append((trace, target))
                level, target, types = 2, trace.attributes, trace_types
                if (
                    len(held) >= 10_000
                ):  # a trace that is longer than this gets the attributes that stood before its events
                    events.extend(held)
                    held.clear()
            else:
                if tag == "trace":
                    events.extend(held)
                    held.clear()
                elif tag == "global":
                    for key in _NEVER_DEFAULT:
                        target.pop(key, None)
                level = -1

        return start, end


def _refuse(*_: object) -> None:
    raise BadInput(
        "The XML declares a document type or entities, which an event log does not need and which can be used to "
        "exhaust memory: remove <!DOCTYPE …>.",
        reason="DTD_REFUSED",
    )


def _fault(fault: expat.ExpatError, final: bool, traces: int) -> BadInput:
    words = expat.ErrorString(fault.code) or "not well-formed"
    if final:
        return BadInput(
            f"The XML ends too early, in line {fault.lineno} after {traces:,} traces ({words}): the file is cut off; "
            "upload it again.",
            reason="TRUNCATED",
        )
    if words == "unknown encoding":
        return BadInput("The XML names an encoding that is unknown: save it as UTF-8.", reason="UNKNOWN_ENCODING")
    return BadInput(f"The XML is damaged in line {fault.lineno}, column {fault.offset + 1}: {words}.", reason="BAD_XML")


def chunks(read: Callable[[int], bytes], size: int = 1 << 20) -> Iterator[bytes]:
    """Bytes until there are none. Raises BadInput for a gzip stream that is cut off or damaged."""
    import zlib

    while True:
        try:
            data = read(size)
        except EOFError as fault:
            raise BadInput(
                "The gzip file ends too early: it is cut off; upload it again.", reason="TRUNCATED"
            ) from fault
        except (OSError, zlib.error) as fault:
            if isinstance(fault, OSError) and fault.errno is not None:
                raise
            raise BadInput("The gzip file is damaged: upload it again.", reason="BAD_GZIP") from fault
        if not data:
            return
        yield data
