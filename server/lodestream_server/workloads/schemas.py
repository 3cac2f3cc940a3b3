"""JSON Schemas of own workloads' parameters: compiled once, checked at every submission."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lodestream.errors import Violation

#: Every run may say what it asks of the machine; schemas need not know of it.
_OURS: Final = "resourceAllocation"
_MOST: Final = 20
_LONGEST: Final = 300


def schema_check(schema: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], list[Violation]]:
    """A function that finds every parameter that does not fit. Raises ImportError without jsonschema-rs, ValueError
    for a schema that is none."""
    import jsonschema_rs

    validator = jsonschema_rs.validator_for(dict(schema), retriever=_nothing_from_elsewhere)
    known = _OURS in (schema.get("properties") or {})

    def check(given: Mapping[str, Any]) -> list[Violation]:
        seen = {name: value for name, value in given.items() if known or name != _OURS}
        return [_violation(error) for error, _ in zip(validator.iter_errors(seen), range(_MOST), strict=False)]

    return check


def _violation(error: Any) -> Violation:
    path = [str(part) for part in error.instance_path]
    message = str(error.message)
    if (missing := getattr(error.kind, "property", None)) is not None and "required" in message:
        path.append(str(missing).strip('"'))
        message = "is required"
    return Violation(".".join(["parameters", *path]), message[:_LONGEST])


def _nothing_from_elsewhere(address: str) -> Any:
    raise ValueError(f"a schema may not refer to {address}: write it into the schema")
