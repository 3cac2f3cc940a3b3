"""The whole document, put together."""

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.descriptor import MethodDescriptor

import lodestream.v1
from lodestream.v1 import rest_pb2
from tools.openapi.comments import comments
from tools.openapi.errors import PROBLEM
from tools.openapi.operations import http_rule, links, operation, tag
from tools.openapi.schemas import Schema, Schemas
from tools.openapi.transfers import download, upload

_ABOUT = """Runs long process-mining work and lets any client follow it live.

Every answer is JSON; addresses that have a live twin answer `Accept: text/event-stream` with server-sent events:
`id` is a resume token (send it back as `Last-Event-ID`), `event` the kind of frame, `data` JSON, the last one `done`.
Errors are `application/problem+json` (RFC 9457)."""
_HEADER = "# Generated from protos/lodestream/v1 by `make protos`; never edited.\n"


def methods() -> list[MethodDescriptor]:
    """Every method of the contract, by file and in the order of the file."""
    modules = sorted(
        module.name for module in pkgutil.iter_modules(lodestream.v1.__path__) if module.name.endswith("_pb2")
    )
    files = [importlib.import_module(f"lodestream.v1.{name}").DESCRIPTOR for name in modules]
    return [method for file in files for service in file.services_by_name.values() for method in service.methods]


def build(image: Path) -> Schema:
    """The document as a plain dict; `image` is the descriptor image with comments."""
    schemas = Schemas(comments(image))
    every = methods()
    live = {_option(method, "live_of"): method for method in every}
    served = [m for m in every if http_rule(m)[0] and _option(m, "route") != rest_pb2.GRPC_ONLY]
    operations = [(method, _operation(schemas, method, live.get(method.name))) for method in served]
    links(operations)
    paths: dict[str, Any] = {}
    for method, document in operations:
        verb, path, _ = http_rule(method)
        paths.setdefault(path, {})[verb] = document
    schemas.components["Problem"] = PROBLEM
    return {
        "openapi": "3.0.4",
        "info": {"title": "Lodestream", "version": "1", "description": _ABOUT, "license": _LICENSE},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": _tags(schemas, served),
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a JWT."}},
        },
    }


_LICENSE = {"name": "Apache 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0.html"}


def as_yaml(document: Schema) -> str:
    """The text of the file: the same for the same document on every machine."""
    return _HEADER + str(yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120))


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice, instead of anchors that few follow with their eyes, and paragraphs as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, data: str) -> Any:
        """A text; in block style when it has several lines."""
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Plain.add_representer(str, _Plain.text)


def _operation(schemas: Schemas, method: MethodDescriptor, live: MethodDescriptor | None) -> Schema:
    if _option(method, "route") != rest_pb2.BYTES_ROUTE:
        return operation(schemas, method, live)
    return upload(schemas, method) if method.client_streaming else download(schemas, method)


def _option(method: MethodDescriptor, name: str) -> Any:
    return method.GetOptions().Extensions[getattr(rest_pb2, name)]


def _tags(schemas: Schemas, served: list[MethodDescriptor]) -> list[Schema]:
    services = {tag(method): method.containing_service.full_name for method in served}
    return [{"name": name, "description": schemas.said.get(full_name, name)} for name, full_name in services.items()]
