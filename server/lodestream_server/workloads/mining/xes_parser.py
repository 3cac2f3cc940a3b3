"""XES as a stream of events, on expat: constant memory, DTDs and entities refused, damage named.

An event is a dict of texts by attribute key. Values nested inside an attribute, lists and containers are passed over.
Pure parsing: no frames here.
"""

import zlib
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

#: A trace that is longer than this gets the attributes that stand before its events; as a rule all do.
LONGEST_HELD = 10_000

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
        except LookupError as fault:  # the declaration names an encoding that Python does not know either
            raise BadInput(
                "The XML names an encoding that is unknown: save it as UTF-8.", reason="UNKNOWN_ENCODING"
            ) from fault

    def _handlers(self) -> tuple[Callable[[str, list[str]], None], Callable[[str], None]]:
        # Called for every element of the file: closures over local names are the fastest that Python has.
        depth = 0
        #: The depth of the element that takes attributes now: 3 an event, 2 a trace or a global, 0 none.
        level = 0
        target: Row = {}
        types: dict[str, str] = {}
        event_types, trace_types, events, held = self.event_types, self.trace_types, self.events, self._held
        event_defaults = self.event_defaults
        trace = Trace(-1)
        known = frozenset(TYPES)

        def start(tag: str, attributes: list[str]) -> None:
            nonlocal depth, level, target, types
            depth += 1
            if depth != level + 1:
                if depth == 2 and level == 0:
                    begin(tag, attributes)
            elif tag in known:
                # As good as always ["key", key, "value", value].
                if len(attributes) == 4 and attributes[0] == "key" and attributes[2] == "value":
                    key, value = attributes[1], attributes[3]
                else:
                    named = dict(zip(attributes[::2], attributes[1::2], strict=True))
                    if "key" not in named or "value" not in named:
                        return
                    key, value = named["key"], named["value"]
                target[key] = value
                if types.get(key) != tag:
                    types[key] = "string" if key in types else tag
            elif level == 2 and tag == "event":
                level, target, types = 3, event_defaults.copy(), event_types
            elif level == 0 and tag != "log":
                raise BadInput(
                    f"The file is XML, but no XES: its root is <{tag[:60]}> instead of <log>.", reason="NOT_XES"
                )

        def begin(tag: str, attributes: list[str]) -> None:
            """A child of the log: a trace, a global, or something that is passed over."""
            nonlocal level, target, types, trace
            if tag == "trace":
                trace = Trace(self.traces, dict(self.trace_defaults))
                self.traces += 1
                level, target, types = 2, trace.attributes, trace_types
            elif tag == "global":
                scope = dict(zip(attributes[::2], attributes[1::2], strict=True)).get("scope", "event")
                of_events = scope == "event"
                target, types = (event_defaults, event_types) if of_events else (self.trace_defaults, trace_types)
                level = 2
            elif tag == "event":
                raise BadInput(
                    "The file holds events outside of traces, so nothing says which case they belong to.",
                    reason="EVENTS_WITHOUT_CASE",
                )

        def end(tag: str) -> None:
            nonlocal depth, level, target, types
            depth -= 1
            if depth >= level:
                return
            if level == 3:
                held.append((trace, target))
                level, target, types = 2, trace.attributes, trace_types
                if len(held) >= LONGEST_HELD:
                    events.extend(held)
                    held.clear()
                return
            if tag == "trace":
                events.extend(held)
                held.clear()
            else:
                for key in _NEVER_DEFAULT:
                    target.pop(key, None)
            level = 0

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
