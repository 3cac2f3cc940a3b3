"""Parameters over parameters: those of a retry over its origin's, those of a job over its pipeline's."""

from collections.abc import Mapping
from typing import Any

from lodestream_server.runs.bodies import Json


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> Json:
    """The upper values over the lower ones, objects key by key; null removes a key (RFC 7396)."""
    made = {key: value for key, value in under.items() if key not in over or over[key] is not None}
    for key, value in over.items():
        below = made.get(key)
        if isinstance(value, Mapping):
            made[key] = merged(below if isinstance(below, Mapping) else {}, value)
        elif value is not None:
            made[key] = value
    return made
