"""Filters at work: which rows of whole cases stay, as one polars expression."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from lodestream_server.workloads.analysis.filters import Filter
from lodestream_server.workloads.enrichment.faults import fault, unknown
from lodestream_server.workloads.enrichment.patterns import pattern_fault
from lodestream_server.workloads.enrichment.wishes import instant
from lodestream_server.workloads.mining.sift import STANDARD, attribute_name

#: Operators that deny, and what they deny.
_DENIES = {"not_equals": "equals", "not_in": "in", "is_not_empty": "is_empty"}

_COMPARED: Mapping[str, Callable[[pl.Expr, Any], pl.Expr]] = {
    "equals": lambda column, value: column == value,
    "greater": lambda column, value: column > value,
    "at_least": lambda column, value: column >= value,
    "less": lambda column, value: column < value,
    "at_most": lambda column, value: column <= value,
}

_TEXTS: Mapping[str, Callable[[pl.Expr, str], pl.Expr]] = {
    "contains": lambda column, value: column.str.contains(value, literal=True),
    "starts_with": lambda column, value: column.str.starts_with(value),
    "ends_with": lambda column, value: column.str.ends_with(value),
    "matches": lambda column, value: column.str.contains(value),
}

_ROLES = {
    "caseIdColumn": "case_id",
    "activityNameColumn": "activity",
    "activityTimeColumn": "timestamp",
    "startTimeColumn": "start_timestamp",
    "resourceColumn": "resource",
}


def bound(filters: Sequence[Filter], schema: Mapping[str, pl.DataType], mapping: Mapping[str, str]) -> pl.Expr:
    """Which rows of whole cases stay. Raises BadInput for a column that is not there (and names the nearest), and for
    a value that is none of the column's kind."""
    stays = pl.lit(True)
    for item in filters:
        name = _resolved(item, schema, mapping)
        base = _expression(item, pl.col(name), schema[name]).fill_null(False)
        denied = item.operator in _DENIES
        if item.keep == "cases":
            base = base.any().over("case_id")
        stays = stays & (~base if denied else base)
    return stays


def _resolved(item: Filter, schema: Mapping[str, pl.DataType], mapping: Mapping[str, str]) -> str:
    named = {mapping[role]: name for role, name in _ROLES.items() if role in mapping and name in schema}
    known = {name: name for name in schema if name != "position"} | named
    if attribute_name(item.column) in schema and item.column in STANDARD and item.column not in named:
        return item.column
    if item.column not in known:
        raise fault(f"{item.field}.column", unknown(item.column, known, "column of this log"), "MISSING_COLUMN")
    return known[item.column]


def _expression(item: Filter, column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    operator = _DENIES.get(item.operator, item.operator)
    if operator == "is_empty":
        return column.is_null() | (column == "") if kind == pl.String else column.is_null()
    if operator == "matches" and (wrong := pattern_fault(str(item.value))):
        raise fault(f"{item.field}.value", f"is no regular expression: {wrong}")
    if operator in _TEXTS:
        return _TEXTS[operator](column.cast(pl.String), str(item.value))
    if operator == "in":
        return pl.any_horizontal([column == _value(value, kind, item) for value in item.value])
    if operator == "between":
        low, high = (_value(value, kind, item, end) for value, end in zip(item.value, (False, True), strict=True))
        return (column >= low) & (column <= high)
    return _COMPARED[operator](column, _value(item.value, kind, item, operator in ("at_most", "greater")))


def _value(value: Any, kind: pl.DataType, item: Filter, end_of_day: bool = False) -> pl.Expr:
    field = f"{item.field}.value"
    if isinstance(kind, pl.Datetime):
        return pl.lit(instant(value, field, end_of_day)).cast(pl.Datetime("us", "UTC"))
    if kind == pl.Boolean:
        if not isinstance(value, bool):
            raise fault(field, f'must be true or false: the column "{item.column}" holds nothing else')
    elif kind.is_numeric():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise fault(field, f'must be a number: the column "{item.column}" holds numbers')
    elif not isinstance(value, str):
        return pl.lit(f"{value:g}" if isinstance(value, float) else str(value))
    return pl.lit(value)
