"""The generated document, as bytes for callers and as the routes that connexion needs."""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml


@lru_cache(1)
def text() -> bytes:
    """The document, as committed."""
    return files("lodestream.rest").joinpath("openapi.yaml").read_bytes()


@lru_cache(1)
def parsed() -> Mapping[str, Any]:
    """The document as plain Python; shared, so nobody changes it."""
    # The parser in C is ten times as fast where PyYAML has it. Both are safe loaders.
    loaded: Mapping[str, Any] = yaml.load(text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return loaded


def routes() -> dict[str, Any]:
    """A fresh document of paths, operations and media types alone.

    connexion resolves, copies and validates all that it is given; schemas and examples, which it would not use here,
    are nine tenths of the document and of its start.
    """
    paths = {
        path: {verb: _route(operation) for verb, operation in verbs.items()}
        for path, verbs in parsed()["paths"].items()
    }
    return {"openapi": parsed()["openapi"], "info": {"title": "Lodestream", "version": "1"}, "paths": paths}


def _route(operation: Mapping[str, Any]) -> dict[str, Any]:
    answer = operation["responses"]["200"]
    made: dict[str, Any] = {
        "operationId": operation["operationId"],
        "responses": {"200": {"description": answer["description"], "content": _types(answer)}},
    }
    return (
        {**made, "requestBody": {"content": _types(operation["requestBody"])}} if "requestBody" in operation else made
    )


def _types(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {media_type: {} for media_type in holder.get("content", ())}
