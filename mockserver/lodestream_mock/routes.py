"""REST paths of services, from their `google.api.http` options: which method a request line means, which is nearest.

Used for explanations and for the control service; the contract's own requests are routed by the facade.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor

from lodestream_mock.contract import methods

_VERBS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True, slots=True)
class Route:
    """A verb and a path template; `keys` are the parameters in the path, by the names that JSON has for them."""

    verb: str
    template: str
    method: str
    keys: tuple[str, ...]
    pattern: re.Pattern[str]
    with_body: bool

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters in a path, decoded; None when the path is another one."""
        found = self.pattern.fullmatch(path)
        return dict(zip(self.keys, map(unquote, found.groups()), strict=True)) if found else None


def routes_of(descriptors: Iterable[MethodDescriptor]) -> list[Route]:
    """The routes of methods that have one."""
    return [route for method in descriptors if (route := _route(method))]


def _route(method: MethodDescriptor) -> Route | None:
    options = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return None
    rule = options.Extensions[annotations_pb2.http]
    verb = next(verb for verb in _VERBS if getattr(rule, verb))
    template = str(getattr(rule, verb))
    names = re.findall(r"\{([\w.]+)\}", template)
    keys = tuple(_json_name(method, name) for name in names)
    pattern = "([^/]+)".join(re.escape(part) for part in re.split(r"\{[\w.]+\}", template))
    shown = re.sub(r"\{([\w.]+)\}", lambda found: "{" + _json_name(method, found[1]) + "}", template)
    return Route(verb.upper(), shown, method.name, keys, re.compile(pattern), bool(rule.body))


def _json_name(method: MethodDescriptor, name: str) -> str:
    field = method.input_type.fields_by_name.get(name.rsplit(".", 1)[-1])
    return str(field.json_name) if field else re.sub(r"_(\w)", lambda found: found[1].upper(), name.rsplit(".", 1)[-1])


@cache
def contract_routes() -> tuple[Route, ...]:
    """Every route of the contract."""
    return tuple(routes_of(method.descriptor for method in methods().values()))


def find(verb: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a request and the parameters in its path. Literal segments win over parameters."""
    found = [
        (route, keys) for route in contract_routes() if route.verb == verb and (keys := route.match(path)) is not None
    ]
    return min(found, key=lambda pair: len(pair[0].keys)) if found else None


def verbs_at(path: str) -> list[str]:
    """The verbs that a path takes."""
    return sorted({route.verb for route in contract_routes() if route.match(path) is not None})


def nearest(verb: str, path: str) -> list[str]:
    """The three request lines most like this one."""
    shape = _shape(path)
    lines = {f"{route.verb} {route.template}": f"{route.verb} {_shape(route.template)}" for route in contract_routes()}
    ranked = sorted(lines, key=lambda line: -difflib.SequenceMatcher(None, f"{verb} {shape}", lines[line]).ratio())
    return ranked[:3]


def _shape(path: str) -> str:
    """A path without its ids, so that ids do not count as letters in common."""
    parts = path.split("/")
    return "/".join("*" if part.startswith("{") or any(letter.isdigit() for letter in part) else part for part in parts)
