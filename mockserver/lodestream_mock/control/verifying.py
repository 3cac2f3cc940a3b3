"""Whether the calls of a session are those that a test expects."""

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict

from lodestream_mock.session.journal import Entry
from lodestream_mock.v1 import control_pb2 as control


def failures(
    entries: Sequence[Entry], expected: Iterable[control.ExpectedCall], *, in_order: bool, nothing_else: bool
) -> list[str]:
    """What is not as expected, in sentences; empty when everything is."""
    out: list[str] = []
    explained: set[int] = set()
    last = 0
    for wanted in expected:
        found = [entry for entry in entries if _fits(entry, wanted)]
        explained |= {entry.number for entry in found}
        said = _said(wanted)
        if wanted.HasField("times") and len(found) != wanted.times:
            out.append(
                f"{said} was called {_times(len(found))}, expected {_times(wanted.times)}{_near(entries, wanted)}"
            )
        elif not wanted.HasField("times") and not found:
            out.append(f"{said} was never called{_near(entries, wanted)}")
        elif in_order and found:
            if found[0].number < last:
                out.append(f"{said} came as call {found[0].number}, before the one expected earlier (call {last})")
            last = max(last, found[0].number)
    if nothing_else:
        rest = [entry for entry in entries if entry.number not in explained]
        out += [f"call {entry.number} was not expected: {entry.method} ({entry.code})" for entry in rest]
    return out


def _fits(entry: Entry, wanted: control.ExpectedCall) -> bool:
    return (
        entry.method == wanted.method
        and (not wanted.code or entry.code == wanted.code.upper())
        and (not wanted.door or entry.door == wanted.door)
        and _holds(entry.request, MessageToDict(wanted.request))
    )


def _holds(value: Any, part: Any) -> bool:
    """Whether a document has a part: of objects the keys named, of everything else the whole."""
    if isinstance(part, dict):
        return isinstance(value, dict) and all(key in value and _holds(value[key], item) for key, item in part.items())
    if isinstance(part, list):
        return isinstance(value, list) and len(value) == len(part) and all(map(_holds, value, part))
    return bool(value == part)


def _near(entries: Sequence[Entry], wanted: control.ExpectedCall) -> str:
    same = [entry for entry in entries if entry.method == wanted.method]
    if same:
        last = same[-1]
        return f"; the last {wanted.method} was call {last.number} over {last.door}: {last.code}, {last.request}"
    return f"; called were: {', '.join(sorted({entry.method for entry in entries})) or 'nothing'}"


def _said(wanted: control.ExpectedCall) -> str:
    request = MessageToDict(wanted.request)
    parts = [f"with {request}" if request else "", f"ending {wanted.code}" if wanted.code else ""]
    return " ".join([wanted.method, *filter(None, parts)])


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
