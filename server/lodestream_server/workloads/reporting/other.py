"""Sections about phases that have no section of their own: their figures and lists as tables, keys as the results have
them."""

import re
from collections.abc import Mapping
from typing import Any

from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.mined import name_of
from lodestream_server.workloads.reporting.model import Block, Column, Kind, Section, Table, Value
from lodestream_server.workloads.reporting.speech import Speech

#: Of each phase: lists shown, rows and columns of each, characters of a value.
_LISTS, _ROWS, _COLUMNS, _LONGEST = 6, 12, 6, 80


def other_sections(rows: list[Json], speech: Speech, number: int) -> list[Section]:
    """A section per phase; phases that returned nothing to show have none."""
    found = []
    for index, row in enumerate(rows, start=1):
        blocks = tuple(_blocks(row["results"], speech, f"{number}-{index}"))
        if blocks:
            found.append(Section(f"phase-{index}", name_of(row["phase"]), blocks))
    return found


def _blocks(results: Json, speech: Speech, name: str) -> list[Block]:
    flat = list(_scalars(results))
    blocks: list[Block] = []
    if flat:
        columns = (Column(speech.say("column.what")), Column(speech.say("column.value")))
        shown = tuple((key, _text(value, key, speech)) for key, value in flat[: _ROWS * 2])
        blocks.append(Table(f"figures-{name}", speech.say("table.figures"), columns, shown, len(flat)))
    lists = [(key, value) for key, value in results.items() if _is_table(value)]
    for place, (key, value) in enumerate(lists[:_LISTS], start=1):
        blocks.append(_table(f"list-{name}-{place}", key, value))
    return blocks


def _scalars(results: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Single values, those of inner objects under both names; explanations are left out."""
    found: list[tuple[str, Any]] = []
    for key, value in results.items():
        if key == "definitions":
            continue
        if isinstance(value, Mapping) and not prefix:
            found += _scalars(value, f"{humanised(key)}: ")
        elif isinstance(value, str | int | float | bool) and value != "":
            found.append((prefix + humanised(key), value))
    return found


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _table(name: str, key: str, rows: list[Json]) -> Table:
    fields = [field for field in rows[0] if all(isinstance(row.get(field), str | int | float | None) for row in rows)][
        :_COLUMNS
    ]
    columns = tuple(Column(humanised(field), _kind(field, [row.get(field) for row in rows])) for field in fields)
    values = tuple(tuple(_cell(row.get(field)) for field in fields) for row in rows[:_ROWS])
    return Table(name, humanised(key), columns, values, len(rows))


def _kind(key: str, values: list[Any]) -> Kind:
    if any(isinstance(value, str | bool) for value in values):
        return "text"
    if key.endswith("Seconds"):
        return "duration"
    if key.lower().endswith("share") and all(value is None or 0 <= value <= 1 for value in values):
        return "percent"
    return "count" if all(isinstance(value, int | None) for value in values) else "number"


def _cell(value: Any) -> Value:
    return name_of(value, _LONGEST) if isinstance(value, str | bool) else value


def _text(value: Any, key: str, speech: Speech) -> str:
    if isinstance(value, bool):
        return speech.say("yes" if value else "no")
    if isinstance(value, str):
        return name_of(value, _LONGEST)
    if key.endswith(" seconds"):
        return speech.duration(value)
    return speech.number(value, 3 if abs(value) < 10 else 1)


def humanised(key: str) -> str:
    """A key as words: meanAbsoluteError becomes "Mean absolute error"."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name_of(key, 60)).replace("_", " ").split()
    return " ".join(words).lower().capitalize()
