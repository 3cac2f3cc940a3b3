"""`filters`: which cases, or which events, are analysed. Every filter must hold.

A filter names a column, as in the source or as in the log, an operator and a value. With `keep: "cases"` (the usual) a
case stays whole when one of its events fits, and with an operator that denies (not_equals, not_in …) when all of them
do; with `keep: "events"` the events that fit stay. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lodestream_server.workloads.enrichment.faults import fault


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter as given; `field` is the path of where."""

    column: str
    operator: str
    value: Any
    keep: str
    field: str

    @property
    def said(self) -> str:
        """As a reader would say it: region equals North."""
        value = self.value
        shown = " and ".join(map(str, value)) if self.operator == "between" and isinstance(value, list) else value
        shown = ", ".join(map(str, shown)) if isinstance(shown, list) else "" if shown is None else shown
        limit = " (events)" if self.keep == "events" else ""
        return f"{self.column} {self.operator.replace('_', ' ')} {shown}".strip() + limit


def filters_of(given: object, field: str = "parameters.filters") -> tuple[Filter, ...]:
    """The filters; their words were checked at submission. Raises BadInput for values that do not fit the operator."""
    if given is None:
        return ()
    if not isinstance(given, list):
        raise fault(field, "must be a list of objects with column, operator and value")
    return tuple(_filter(item, f"{field}[{number}]") for number, item in enumerate(given))


def _filter(given: object, field: str) -> Filter:
    if not isinstance(given, Mapping) or not isinstance(given.get("column"), str):
        raise fault(field, "must be an object with column, operator and value")
    operator, value = str(given.get("operator") or "equals"), given.get("value")
    match operator:
        case "is_empty" | "is_not_empty":
            fits, needed = value is None, "no value"
        case "in" | "not_in":
            fits, needed = isinstance(value, list) and bool(value), "a list of values"
        case "between":
            fits, needed = isinstance(value, list) and len(value) == 2, "a list of two values"
        case "contains" | "starts_with" | "ends_with" | "matches":
            fits, needed = isinstance(value, str) and bool(value), "a text"
        case _:
            fits, needed = isinstance(value, str | int | float), "a text, a number, or true or false"
    if not fits:
        raise fault(f"{field}.value", f"must be {needed} for the operator {operator}")
    return Filter(str(given["column"]), operator, value, str(given.get("keep") or "cases"), field)
