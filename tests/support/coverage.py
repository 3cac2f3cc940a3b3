"""What docs/coverage.md lists, and which keys a JSON document has: for the tests that hold the documentation to the
service."""

import json
import re
from pathlib import Path
from typing import Any

from tests.support.server import ROOT

PAGE = ROOT / "docs" / "coverage.md"
#: Documented keys that a recorded run had, by endpoint; tests/acceptance/test_documented_keys.py writes it.
RECORDED = Path(__file__).parent / "answered_keys.json"


def keys(value: Any, path: str = "") -> set[str]:
    """All keys of a document as paths, "stages[].metrics.errorsFound"; the entries of a list are one."""
    found: set[str] = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}".removeprefix(".")
            found |= {here} | keys(inner, here)
    elif isinstance(value, list):
        for inner in value:
            found |= keys(inner, f"{path}[]")
    return found


def listed(heading: str) -> list[list[str]]:
    """The rows of the table under that heading, without code marks."""
    section = PAGE.read_text("utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split("|")] for row in rows]


def outputs(endpoint: str) -> dict[str, str]:
    """Listed keys of an endpoint's answer and when they are there: "never" or "sometimes"."""
    rows = [(keys, when) for name, keys, when, _ in listed("Outputs") if name == endpoint]
    return {key: when for keys, when in rows for key in keys.split(", ")}


def parameters(request: str) -> set[str]:
    """Listed keys of a request."""
    return {key for name, keys, _ in listed("Parameters") if name == request for key in keys.split(", ")}


def covers(entry: str, key: str) -> bool:
    """Whether a listed key stands for this one: itself, what is in it, or anything where it says `*`."""
    pattern = re.escape(entry).replace(r"\*", r"[^.]+")
    return re.fullmatch(rf"{pattern}([.\[].*)?", key) is not None


def recorded() -> dict[str, set[str]]:
    """The recorded run."""
    return {endpoint: set(found) for endpoint, found in json.loads(RECORDED.read_text("utf-8")).items()}
