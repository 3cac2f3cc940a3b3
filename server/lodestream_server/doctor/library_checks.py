"""Libraries: what Lodestream asks for against what is installed. Reads the package's own metadata."""

import re
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Final

from lodestream_server.doctor.finding import Finding, good, problem

_REQUIREMENT: Final = re.compile(r"([\w.-]+)(?:\[[^]]*])?\s*([^;]*)(?:;\s*(.*))?")
_BOUND: Final = re.compile(r"(==|>=|<=|!=|<|>|~=)\s*([\w.*+!-]+)")
_EXTRA: Final = re.compile(r"extra\s*==\s*[\"']([\w-]+)[\"']")
#: A server without these cannot start; other extras may be left out.
_NEEDED: Final = frozenset({"", "server"})


def libraries(
    requires: Callable[[], list[str] | None] = lambda: metadata.requires("lodestream"),
    version_of: Callable[[str], str] = metadata.version,
) -> Iterator[Finding]:
    """What is missing or of another version than Lodestream was made with."""
    found: list[Finding] = []
    looked_at = 0
    for line in requires() or ():
        matched = _REQUIREMENT.match(line)
        if matched is None or matched[1] == "lodestream":
            continue
        name, bounds, marker = matched[1], matched[2] or "", matched[3] or ""
        extra = named[1] if (named := _EXTRA.search(marker)) else ""
        if extra == "all":  # the others, once more
            continue
        looked_at += 1
        found += _one(name, bounds, extra, version_of)
    yield from found or [good("libraries", f"All libraries have versions that are known to work ({looked_at}).")]


def _one(name: str, bounds: str, extra: str, version_of: Callable[[str], str]) -> Iterator[Finding]:
    install = f"pip install 'lodestream[{extra}]'" if extra else "pip install lodestream"
    try:
        installed = version_of(name)
    except metadata.PackageNotFoundError:
        if extra in _NEEDED:
            yield problem("libraries", f"{name} is not installed.", install)
        return
    if not all(_holds(installed, sign, bound) for sign, bound in _BOUND.findall(bounds)):
        yield problem("libraries", f"{name} is {installed}; Lodestream needs {bounds.strip()}.", install)


def _holds(installed: str, sign: str, bound: str) -> bool:
    have, want = _numbers(installed), _numbers(bound)
    match sign:
        case "==":
            return installed == bound or ("*" in bound and have[: len(want)] == want)
        case "!=":
            return installed != bound
        case ">=" | "~=":
            return have >= want
        case "<=":
            return have <= want
        case ">":
            return have > want
        case _:
            return have < want


def _numbers(version: str) -> tuple[int, ...]:
    """The release numbers; what comes after them (rc1, .post1) is not compared."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    numbers = tuple(int(part) for part in release[0].split(".")) if release else ()
    while numbers and numbers[-1] == 0:
        numbers = numbers[:-1]
    return numbers
