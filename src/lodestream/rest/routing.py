"""connexion's routing middleware with our own table: a walk along the segments of the path instead of a scan over the
routes, each of which would cost a regular expression.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from lodestream.rest.framework import METHODS, ROUTING_CONTEXT, Specification, SpecMiddleware
from lodestream.rest.problems import Refusal


@dataclass(slots=True)
class Route:
    """An operation and the names of the parameters in its path."""

    operation_id: str
    names: tuple[str, ...]


@dataclass(slots=True)
class Branch:
    """A point in the tree of paths: what may follow, and what ends here."""

    literal: dict[str, "Branch"] = field(default_factory=dict)
    anything: "Branch | None" = None
    routes: dict[str, Route] = field(default_factory=dict)

    def grow(self, segments: Sequence[str]) -> "Branch":
        """The point at the end of a path template, made if it is new."""
        branch = self
        for segment in segments:
            if re.fullmatch(r"\{\w+\}", segment):
                branch.anything = branch.anything or Branch()
                branch = branch.anything
            else:
                branch = branch.literal.setdefault(segment, Branch())
        return branch

    def straight(self, segments: Sequence[str]) -> tuple["Branch", tuple[str, ...]] | None:
        """Where a path leads when the literal segment is taken wherever there is one: nearly always the answer."""
        branch, taken = self, []
        for segment in segments:
            following = branch.literal.get(segment)
            if following is None:
                following = branch.anything
                if following is None or not segment:
                    return None
                taken.append(segment)
            branch = following
        return branch, tuple(taken)

    def find(self, segments: Sequence[str], taken: tuple[str, ...] = ()) -> Iterator[tuple["Branch", tuple[str, ...]]]:
        """Every point that a path leads to, literal segments first, with the values of the parameters on the way."""
        if not segments:
            if self.routes:
                yield self, taken
            return
        first, rest = segments[0], segments[1:]
        if first in self.literal:
            yield from self.literal[first].find(rest, taken)
        if self.anything is not None and first:
            yield from self.anything.find(rest, (*taken, first))


class Routing(SpecMiddleware):  # type: ignore[misc]  # connexion ships no types
    """Finds the operation of a request and puts its id and path parameters into the scope."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._root = Branch()
        self._base_path = ""

    def add_api(self, specification: Specification, base_path: str | None = None, **_: Any) -> None:
        """Takes the routes of a document."""
        self._base_path = specification.base_path if base_path is None else base_path
        for path, operations in specification["paths"].items():
            names = tuple(re.findall(r"\{(\w+)\}", path))
            branch = self._root.grow(f"{self._base_path}{path}".split("/"))
            for verb in operations.keys() & METHODS:
                branch.routes[verb.upper()] = Route(operations[verb]["operationId"], names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on to its operation. Raises Refusal for unknown addresses and methods."""
        if scope["type"] == "http":
            route, values = self._route(scope["path"], scope["method"])
            scope["path_params"] = dict(zip(route.names, values, strict=True))
            found = {"api_base_path": self._base_path, "operation_id": route.operation_id}
            scope.setdefault("extensions", {})[ROUTING_CONTEXT] = found
        await self._app(scope, receive, send)

    def _route(self, path: str, method: str) -> tuple[Route, tuple[str, ...]]:
        verb = "GET" if method == "HEAD" else method
        segments = path.split("/")
        found = self._root.straight(segments)
        if found is not None and verb in found[0].routes:
            return found[0].routes[verb], found[1]
        allowed: set[str] = set()
        for branch, values in self._root.find(segments):
            if verb in branch.routes:
                return branch.routes[verb], values
            allowed |= branch.routes.keys()
        if not allowed:
            raise Refusal("ROUTE_NOT_FOUND", "No operation has this path; /openapi.yaml lists those that there are.")
        methods = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
        raise Refusal("METHOD_NOT_ALLOWED", f"Allowed here: {methods}.", headers=[(b"allow", methods.encode())])
