"""`joins`: columns of other datasets for the events of this one, found by the case or by a key. Pure.

{"datasetId": …, "on": "case" or {"left": column here, "right": column there}, "columns": […], "prefix": "crm_",
"keep": "first", "last" or "only"}. Whichever rows match: an event stays one event.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lodestream_server.workloads.enrichment.faults import fault
from lodestream_server.workloads.enrichment.wishes import Wishes

#: More are a mistake, and each of them writes the keys of the log to the disk.
MOST_JOINS = 10


@dataclass(frozen=True, slots=True)
class Join:
    """One join. No `left`: by the case; no `columns`: all but the key. `field` is the path of where it was asked
    for."""

    dataset_id: str
    left: str
    right: str
    columns: tuple[str, ...]
    prefix: str
    keep: str
    field: str

    @property
    def by_case(self) -> bool:
        """Whether events are matched by their case."""
        return not self.left


def joins_of(parameters: Mapping[str, Any]) -> tuple[Join, ...]:
    """The joins, in order. Raises BadInput."""
    given = parameters.get("joins")
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        raise fault("parameters.joins", "must be a list of joins")
    if len(given) > MOST_JOINS:
        raise fault("parameters.joins", f"must not hold more than {MOST_JOINS} joins")
    return tuple(_join(item, f"parameters.joins[{number}]") for number, item in enumerate(given))


def _join(given: object, field: str) -> Join:
    if not isinstance(given, Mapping):
        raise fault(field, "must be an object with datasetId, on and columns")
    wishes = Wishes(given, field, also=("on",))
    dataset_id = wishes.text("datasetId")
    if not dataset_id:
        raise fault(wishes.at("datasetId"), "is required")
    left, right = _keys(given.get("on", "case"), wishes.at("on"))
    join = Join(
        dataset_id,
        left,
        right,
        wishes.texts("columns"),
        wishes.text("prefix"),
        wishes.word("keep", ("first", "last", "only"), "first"),
        field,
    )
    wishes.end()
    return join


def _keys(given: object, field: str) -> tuple[str, str]:
    if given == "case":
        return "", ""
    if isinstance(given, str) and given:
        return given, given
    if not isinstance(given, Mapping):
        raise fault(field, 'must be "case", a column that both have, or an object with left and right')
    wishes = Wishes(given, field)
    left, right = wishes.text("left"), wishes.text("right")
    wishes.end()
    if not left or not right:
        raise fault(field, "must name left, a column of this log, and right, a column of the other dataset")
    return left, right
