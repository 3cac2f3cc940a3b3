"""What is wrong with an analysis' parameters beyond their words, found at submission: values of filters, pairs of
activities, spans of time. Pure; imports no mining library."""

from collections.abc import Callable, Mapping
from typing import Any

from lodestream.errors import Violation
from lodestream_server.workloads.analysis.filters import filters_of
from lodestream_server.workloads.analysis.wishes import against, pairs_of
from lodestream_server.workloads.declared.analysis import JOB
from lodestream_server.workloads.parameters import violations
from lodestream_server.workloads.phase import BadInput

_READERS: tuple[Callable[[Mapping[str, Any]], object], ...] = (
    lambda parameters: filters_of(parameters.get("filters")),
    against,
    pairs_of,
)


def check(parameters: Mapping[str, Any]) -> list[Violation]:
    """The faults that the phases would find without looking at the log; the first of each parameter. None
    while words or kinds are wrong: the readers count on them."""
    if violations(JOB.parameters, parameters):
        return []
    found = []
    for read in _READERS:
        try:
            read(parameters)
        except BadInput as wrong:
            field = str(wrong.details.get("field", "parameters"))
            found.append(Violation(field, str(wrong).removeprefix(field).strip()))
    return found
