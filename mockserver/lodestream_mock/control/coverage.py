"""What the calls so far have exercised: operations per door, examples, error reasons, streams to their end.

Kept for the whole server, because sessions come and go with the tests of a suite.
"""

from collections import Counter
from collections.abc import Iterator
from html import escape

from lodestream import documented, status
from lodestream_mock.contract import methods
from lodestream_mock.routes import contract_routes
from lodestream_mock.session.journal import Entry

GROUPS = ("operations", "examples", "errors", "streams")
#: Reasons that a mock cannot get into by itself; a fault can tell them.
_RARE = frozenset({"INTERNAL", "DATA_DIR_IN_USE"})


class Coverage:
    """Counts finished calls."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, entry: Entry) -> None:
        """Counts a call that has ended."""
        if entry.method not in methods():
            return
        self._counts["operations", f"{entry.method} over {entry.door}"] += 1
        if entry.example:
            self._counts["examples", entry.example] += 1
        if entry.reason:
            self._counts["errors", entry.reason] += 1
        if "done" in entry.frames:
            self._counts["streams", f"{entry.method} to done"] += 1

    def items(self) -> list[tuple[str, str, int]]:
        """(group, name, count) of everything that there is to exercise."""
        return [(group, name, self._counts[group, name]) for group, name in _everything()]


def percent(items: list[tuple[str, str, int]]) -> float:
    """The share of items exercised, one decimal, rounded down."""
    return int(1000 * sum(1 for *_, count in items if count) / len(items)) / 10 if items else 100.0


def as_text(items: list[tuple[str, str, int]]) -> str:
    """A table for people: what is missing stands first."""
    lines = [f"{percent(items):.1f} % of {len(items)} items exercised"]
    for group in GROUPS:
        own = [(name, count) for of, name, count in items if of == group]
        lines.append(f"\n{group}: {sum(1 for _, count in own if count)} of {len(own)}")
        lines += [f"  missing  {name}" for name, count in own if not count]
        lines += [f"  {count:7}  {name}" for name, count in own if count]
    return "\n".join(lines) + "\n"


def as_junit(items: list[tuple[str, str, int]]) -> str:
    """A JUnit report: an item is a test case, a missing one is skipped."""
    missing = sum(1 for *_, count in items if not count)
    cases = [_case(group, name, count) for group, name, count in items]
    head = f'<testsuite name="lodestream-mock" tests="{len(items)}" skipped="{missing}">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *cases, "</testsuite>"]) + "\n"


def _case(group: str, name: str, count: int) -> str:
    skipped = "" if count else '<skipped message="not exercised"/>'
    return f'  <testcase classname="coverage.{escape(group)}" name="{escape(name)}">{skipped}</testcase>'


def _everything() -> Iterator[tuple[str, str]]:
    over_rest = {route.method for route in contract_routes()}
    for name, method in methods().items():
        yield "operations", f"{name} over grpc"
        if name in over_rest or method.streams:
            yield "operations", f"{name} over rest"
    for entry in documented.manifest():
        if entry["file"].endswith(".response.json"):
            yield "examples", entry["file"]
    for reason in status.STATUSES:
        if reason not in _RARE:
            yield "errors", reason
    for name, method in methods().items():
        if method.streams and name not in ("DownloadArtifact", "WatchQueue"):
            yield "streams", f"{name} to done"
