"""The kinds of work: each type's phases, as names of functions that only the worker process imports, and the
parameters it knows.

The engine looks types up here at submission; tests bring catalogues of their own. Imports no mining library.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lodestream.errors import InvalidField, NotBuilt, Violation
from lodestream_server.runs.shapes import words
from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.parameters import Parameter

#: Finds faults of a run's parameters.
Check = Callable[[Mapping[str, Any]], list[Violation]]


@dataclass(frozen=True, slots=True)
class PhaseSpec:
    """A phase: its documented name, "module:function", its share of the overall percent, and who its log lines come
    from.

    `version` rises when the function's files or results change their meaning: older checkpoints are then not taken
    over. Which parameters a phase depends on is not declared; the worker notes which ones it reads.
    """

    name: str
    function: str
    weight: float = 1.0
    component: str = ""
    version: int = 1


@dataclass(frozen=True, slots=True)
class WorkloadSpec:
    """A type of work. No phases: it cannot be done here, and `refusal` says why; without one it is documented, but not
    built yet. `check` finds what `parameters` cannot say: a function, or "module:function" of a module of a workload
    that imports no mining library."""

    kind: RunKind
    type: str
    phases: tuple[PhaseSpec, ...] = ()
    parameters: Sequence[Parameter] = ()
    cpu_units: float = 2.0
    #: 0: what one seat of the machine has.
    memory_bytes: int = 0
    refusal: str = ""
    check: Check | str | None = None

    def faults(self, parameters: Mapping[str, Any]) -> list[Violation]:
        """What `check` finds."""
        check = self.check
        if isinstance(check, str):
            module, _, name = check.partition(":")
            found: Check = getattr(importlib.import_module(module), name)
            return found(parameters)
        return check(parameters) if check else []

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules that its phases live in."""
        return tuple(dict.fromkeys(phase.function.partition(":")[0] for phase in self.phases))


class Catalogue:
    """All types of work that a server knows."""

    def __init__(self, workloads: Iterable[WorkloadSpec]) -> None:
        self._by_name = {(spec.kind, spec.type): spec for spec in workloads}

    def __iter__(self) -> Iterator[WorkloadSpec]:
        return iter(self._by_name.values())

    def find(self, kind: RunKind, type_: str) -> WorkloadSpec:
        """The workload of that type. Raises InvalidField for an unknown type, NotBuilt for one without phases."""
        spec = self._by_name.get((kind, type_))
        if spec is None:
            raise InvalidField.of(self._unknown(kind, type_))
        if not spec.phases:
            kinds = f"{kind.value.capitalize()} type {type_}"
            raise NotBuilt(spec.refusal or f"{kinds} is documented, but not built yet.")
        return spec

    def _unknown(self, kind: RunKind, type_: str) -> Violation:
        own = words.custom_type(type_) is not None
        known = [name for its, name in self._by_name if its is kind and (words.custom_type(name) is not None) == own]
        if own and not known:
            return Violation("custom_type", f"names no type that this server has: it has no own {kind.value} types")
        return Violation("custom_type" if own else f"{kind.value}_type", f"must be one of {', '.join(sorted(known))}")

    def preload(self) -> tuple[str, ...]:
        """Every module that workers should have loaded before their first run."""
        return tuple(dict.fromkeys(module for spec in self._by_name.values() for module in spec.preload))
