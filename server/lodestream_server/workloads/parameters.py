"""What parameters a workload knows, and whether given ones fit: checked at submission, so that no run fails on a
typo an hour later.

Keys that are not declared are free-form and pass through. Pure; imports no mining library.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lodestream.errors import Violation


@dataclass(frozen=True, slots=True)
class Parameter:
    """A known key: `kind` is text, number, whole, flag, texts, date, object, objects (a list of them), dataset,
    resource or run; `inside` are the known keys of an object, or of each object of a list. The last three are ids of
    what must exist in the project; `of` is the type that a resource must have, empty for any. `words` are the only
    ones allowed, of a text or in a list of texts."""

    name: str
    kind: str = "text"
    required: bool = False
    words: Sequence[str] = ()
    at_least: float | None = None
    at_most: float | None = None
    inside: Sequence["Parameter"] = ()
    of: str = ""


#: Documented for every workload: what a run asks the machine for.
RESOURCE_ALLOCATION = Parameter(
    "resourceAllocation",
    "object",
    inside=(
        Parameter("cpuUnits", "number", at_least=0.1, at_most=1024),
        Parameter("memoryGB", "number", at_least=0.1, at_most=65536),
        Parameter("priority", words=("Low", "Normal", "High", "Critical")),
        # A worker gives a sign of life every three seconds.
        Parameter("heartbeatSeconds", "number", at_least=5, at_most=3600),
    ),
)


#: Kinds whose values are ids.
IDS = ("dataset", "resource", "run")


@dataclass(frozen=True, slots=True)
class Reference:
    """An id that a parameter of a kind in IDS was given, the parameter's path, and the type that it asks for."""

    kind: str
    path: str
    id: str
    of: str = ""


def references(declared: Sequence[Parameter], given: Mapping[str, Any], path: str = "parameters") -> list[Reference]:
    """What the given values refer to, in the order of declaration; of values without violations."""
    found: list[Reference] = []
    for parameter in declared:
        here, value = f"{path}.{parameter.name}", given.get(parameter.name)
        if parameter.kind in IDS and value:
            found.append(Reference(parameter.kind, here, value, parameter.of))
        elif isinstance(value, Mapping):
            found += references(parameter.inside, value, here)
        elif parameter.kind == "objects":
            for number, item in enumerate(value or ()):
                found += references(parameter.inside, item, f"{here}[{number}]")
    return found


def violations(declared: Sequence[Parameter], given: Mapping[str, Any], path: str = "parameters") -> list[Violation]:
    """Every known key whose value does not fit, in the order of declaration; empty when all is well. null means
    absent."""
    found: list[Violation] = []
    for parameter in declared:
        here, value = f"{path}.{parameter.name}", given.get(parameter.name)
        if value is None:
            if parameter.required:
                found.append(Violation(here, "is required"))
        elif fault := _fault(parameter, value):
            found.append(Violation(here, fault))
        elif isinstance(value, Mapping):
            found += violations(parameter.inside, value, here)
        elif parameter.kind == "objects":
            for number, item in enumerate(value):
                found += violations(parameter.inside, item, f"{here}[{number}]")
    return found


def _fault(parameter: Parameter, value: Any) -> str | None:
    fits, expected = _KINDS[parameter.kind]
    if not fits(value):
        return f"must be {expected}, not {_kind_of(value)}"
    if parameter.required and value == "":
        return "must not be empty"
    named = value if isinstance(value, list) else [value]
    if parameter.words and not all(word in parameter.words for word in named):
        return f"must {'hold only' if isinstance(value, list) else 'be one of'} {', '.join(parameter.words)}"
    if parameter.at_least is not None and value < parameter.at_least:
        return f"must be {parameter.at_least:g} or more"
    if parameter.at_most is not None and value > parameter.at_most:
        return f"must be {parameter.at_most:g} or less"
    return None


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value) is not None
    except ValueError:
        return False


_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "text": (lambda value: isinstance(value, str), "a text"),
    "dataset": (lambda value: isinstance(value, str), "the id of a dataset"),
    "resource": (lambda value: isinstance(value, str), "the id of a resource"),
    "run": (lambda value: isinstance(value, str), "the id of a run"),
    "number": (_is_number, "a number"),
    "whole": (lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()), "a whole number"),
    "flag": (lambda value: isinstance(value, bool), "true or false"),
    "texts": (
        lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
        "a list of texts",
    ),
    "date": (_is_date, "a date (2024-01-31) or an instant (2024-01-31T12:00:00Z)"),
    "object": (lambda value: isinstance(value, Mapping), "an object"),
    "objects": (
        lambda value: isinstance(value, list) and all(isinstance(item, Mapping) for item in value),
        "a list of objects",
    ),
}


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number" if _is_number(value) else "NaN or infinity"
    if isinstance(value, str):
        return "this text"
    return "a list" if isinstance(value, list) else "an object"
