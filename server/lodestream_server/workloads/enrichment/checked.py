"""What is wrong with the parameters of an enrichment, told at submission: the same readers as in the worker.

Loaded by the server by its name; imports no mining library.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lodestream.errors import Violation
from lodestream_server.workloads.enrichment.join import joins_of
from lodestream_server.workloads.enrichment.options import derivation
from lodestream_server.workloads.enrichment.rules import rules_of
from lodestream_server.workloads.enrichment.syntax import expressions_of
from lodestream_server.workloads.phase import BadInput

_READERS: Final[tuple[Callable[[Mapping[str, Any]], object], ...]] = (
    rules_of,
    derivation,
    expressions_of,
    joins_of,
)


def check(parameters: Mapping[str, Any]) -> list[Violation]:
    """The first fault of the cleaning rules, the derived columns, the expressions and the joins each."""
    return [fault for reader in _READERS if (fault := _fault(reader, parameters)) is not None]


def _fault(reader: Callable[[Mapping[str, Any]], object], parameters: Mapping[str, Any]) -> Violation | None:
    try:
        reader(parameters)
    except BadInput as fault:
        field = str(fault.details.get("field", "parameters"))
        return Violation(field, str(fault).removeprefix(f"{field} "))
    return None
