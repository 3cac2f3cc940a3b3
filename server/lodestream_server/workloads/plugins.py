"""Own workloads of the packages that are installed: found, loaded, and made part of the catalogue.

One that cannot be used never stops the server: it is named in the log and by the doctor, and whoever submits it hears
why.
"""

import importlib.util
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.catalogue import WorkloadSpec
from lodestream_server.workloads.own import Workload
from lodestream_server.workloads.parameters import RESOURCE_ALLOCATION, Parameter
from lodestream_server.workloads.schemas import schema_check

log = logging.getLogger(__name__)

GROUP: Final = "lodestream.workloads"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
#: Formats of a schema's properties that are ids, and what they are of.
_IDS: Final = ("dataset", "resource", "run")


@dataclass(frozen=True, slots=True)
class Found:
    """An entry point: the workload behind it, or why there is none to be used."""

    name: str
    package: str
    workload: Workload | None = None
    fault: str = ""


class _Unusable(Exception):
    """The declaration makes no sense; the message says what to change."""


def found() -> tuple[Found, ...]:
    """All own workloads that are installed, by name."""
    points = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    return tuple(_look(point) for point in points)


def specs(taken: Iterable[WorkloadSpec]) -> Iterator[WorkloadSpec]:
    """The types of work that own workloads add to those that are taken already; unusable ones are refused when they
    are asked for."""
    names = {spec.type for spec in taken}
    for one in found():
        if one.name in names:
            log.error("the own workload %s of %s is left out: the name is taken", one.name, one.package)
            continue
        names.add(one.name)
        if one.workload is None:
            log.error("the own workload %s of %s cannot be used: %s", one.name, one.package, one.fault)
            yield from _refused(one)
        else:
            log.info("the own workload %s of %s is offered", one.name, one.package)
            yield from _specs(one.workload)


def _look(point: EntryPoint) -> Found:
    package = point.dist.name if point.dist else point.module
    try:
        workload = point.load()
        _check(point.name, workload)
        schema_check(workload.parameters)
    except _Unusable as fault:
        return Found(point.name, package, fault=str(fault))
    except (Exception, SystemExit) as fault:  # code of others, which may do anything when it is imported
        said = (str(fault).splitlines() or [""])[0]
        return Found(point.name, package, fault=f"{type(fault).__name__}: {said}"[:500])
    return Found(point.name, package, workload)


def _check(name: str, given: Any) -> None:
    if not isinstance(given, Workload):
        raise _Unusable(f"its entry point names {type(given).__name__}, not a lodestream_server.workloads.own.Workload")
    if given.type != name or not _NAME.fullmatch(name):
        raise _Unusable(f'its type is "{given.type}": call type and entry point alike, in letters, digits, "_.-"')
    if not given.phases or len({phase.name for phase in given.phases}) != len(given.phases):
        raise _Unusable("it needs phases, each with a name of its own")
    if not given.kinds or not set(given.kinds) <= {kind.value for kind in RunKind}:
        raise _Unusable('its kinds must be "job", "operation", or both')
    for phase in given.phases:
        module, colon, function = phase.function.partition(":")
        if not colon or not function or importlib.util.find_spec(module) is None:
            raise _Unusable(f'phase "{phase.name}": there is no module {module}; write "package.module:function"')


def _specs(workload: Workload) -> Iterator[WorkloadSpec]:
    for kind in workload.kinds:
        yield WorkloadSpec(
            RunKind(kind),
            workload.type,
            tuple(workload.phases),
            tuple(_declared(workload.parameters)),
            workload.cpu_units,
            workload.memory_bytes,
            check=schema_check(workload.parameters),
        )


def _declared(schema: Mapping[str, Any]) -> Iterator[Parameter]:
    """What the engine looks at itself: ids, and what a run asks of the machine."""
    for name, rule in (schema.get("properties") or {}).items():
        if isinstance(rule, Mapping) and rule.get("format") in _IDS:
            yield Parameter(name, str(rule["format"]))
    yield RESOURCE_ALLOCATION


def _refused(one: Found) -> Iterator[WorkloadSpec]:
    why = f"The own workload {one.name} (package {one.package}) cannot be used: {one.fault}"
    for kind in RunKind:
        yield WorkloadSpec(kind, one.name, refusal=f"{why}{'' if why.endswith('.') else '.'}")
