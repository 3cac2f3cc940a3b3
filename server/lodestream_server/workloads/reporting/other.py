"""Sections about phases that have no section of their own: their figures and lists as tables, keys as the results have
them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.advice import advice_of
from lodestream_server.workloads.reporting.mined import FIRST_ADVICE
from lodestream_server.workloads.reporting.mined_charts import bottleneck_chart
from lodestream_server.workloads.reporting.model import (
    Block,
    Chart,
    Column,
    Figure,
    Figures,
    Kind,
    Section,
    Table,
    Value,
)
from lodestream_server.workloads.reporting.names import name_of
from lodestream_server.workloads.reporting.speech import Speech

#: Of each phase: figures and lists shown; rows and columns of a list, characters of a value; how deep objects go.
_FIGURES, _LISTS, _ROWS, _COLUMNS, _LONGEST, _DEEP = 40, 12, 12, 6, 80, 3

#: Keys that others show, or that explain other keys.
_UNSHOWN = {"definitions", "recommendations", "outputs", "mapping", "reportsCreated"}


@dataclass(frozen=True, slots=True)
class Other:
    """A source whose type has no sections of its own: the figures that any type may have, then its phases."""

    source: Json
    speech: Speech
    number: int

    def sections(self, *, detailed: bool) -> list[Section]:
        """A summary without the phases, where there is something for it and no more is wanted."""
        say, rows = self.speech.say, self.source["recommendations"]
        found = []
        if figures := self._figures():
            found.append(Section("summary", say("section.summary"), (figures,)))
        if chart := self._bottlenecks():
            found.append(Section("bottlenecks", say("section.bottlenecks"), (chart,)))
        if advice := advice_of(rows, self.speech, 20 if detailed else FIRST_ADVICE):
            found.append(Section("recommendations", say("section.recommendations"), (advice,)))
        return found + (
            other_sections(self.source["others"], self.speech, self.number) if detailed or not found else []
        )

    def _result(self, key: str) -> Any:
        """The last phase's word on it."""
        found = [row["results"][key] for row in self.source["others"] if key in row["results"]]
        return found[-1] if found else None

    def _figures(self) -> Figures | None:
        cycle = self._result("cycleTimes")
        cycle = cycle if isinstance(cycle, Mapping) else {}
        rows: list[tuple[str, Any, Kind]] = [
            ("cases", self._result("cases"), "count"),
            ("events", self._result("events"), "count"),
            ("activities", self._result("activities"), "count"),
            ("median_cycle", cycle.get("medianSeconds"), "duration"),
            ("average_cycle", cycle.get("averageSeconds"), "duration"),
            ("most_within", cycle.get("p90Seconds"), "duration"),
            ("quality", self._result("dataQualityScore"), "score"),
        ]
        known = [(key, value, kind) for key, value, kind in rows if isinstance(value, int | float)]
        return (
            Figures(tuple(Figure(self.speech.say(f"figure.{k}"), v, kind) for k, v, kind in known)) if known else None
        )

    def _bottlenecks(self) -> Chart | None:
        found = self._result("bottleneck")
        if not isinstance(found, Mapping) or not found.get("ranking"):
            return None
        return bottleneck_chart(found["ranking"], found["waiting"]["totalSeconds"], self.number, self.speech)


def other_sections(rows: list[Json], speech: Speech, number: int) -> list[Section]:
    """A section per phase; phases that returned nothing to show have none."""
    found = []
    for index, row in enumerate(rows, start=1):
        blocks = tuple(_blocks(row["results"], speech, f"{number}-{index}"))
        if blocks:
            found.append(Section(f"phase-{number}-{index}", name_of(row["phase"]), blocks))
    return found


def _blocks(results: Json, speech: Speech, name: str) -> list[Block]:
    shown = {key: value for key, value in results.items() if key not in _UNSHOWN}
    flat = list(_scalars(shown))
    blocks: list[Block] = []
    if flat:
        columns = (Column(speech.say("column.what")), Column(speech.say("column.value")))
        rows = tuple((_label(key), _text(value, key, speech)) for key, value in flat[:_FIGURES])
        blocks.append(Table(f"figures-{name}", speech.say("table.figures"), columns, rows, len(flat)))
    for place, (key, value) in enumerate(list(_lists(shown))[:_LISTS], start=1):
        blocks.append(_table(f"list-{name}-{place}", key, value, speech))
    return blocks


def _scalars(results: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Single values, those of inner objects under both names."""
    for key, value in results.items():
        if isinstance(value, Mapping):
            if path.count(": ") < _DEEP:
                yield from _scalars(value, f"{path}{humanised(key)}: ")
        elif isinstance(value, str | int | float | bool) and value != "":
            yield path + humanised(key), value


def _lists(results: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, list[Json]]]:
    """Lists of rows, wherever they are."""
    for key, value in results.items():
        if isinstance(value, Mapping) and path.count(": ") < _DEEP:
            yield from _lists(value, f"{path}{humanised(key)}: ")
        elif _is_table(value):
            yield path + humanised(key), value


def _label(key: str) -> str:
    """Durations are shown in their own units, whatever the key says."""
    return name_of(key.removesuffix(" seconds"))


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _table(name: str, key: str, rows: list[Json], speech: Speech) -> Table:
    fields = [field for field in rows[0] if all(isinstance(row.get(field), str | int | float | None) for row in rows)][
        :_COLUMNS
    ]
    columns = tuple(
        Column(_label(humanised(field)), _kind(field, [row.get(field) for row in rows])) for field in fields
    )
    values = tuple(tuple(_cell(row.get(field), speech) for field in fields) for row in rows[:_ROWS])
    return Table(name, name_of(key), columns, values, len(rows))


def _kind(key: str, values: list[Any]) -> Kind:
    if any(isinstance(value, str | bool) for value in values):
        return "text"
    if key.endswith("Seconds"):
        return "duration"
    if key.lower().endswith("share") and all(value is None or 0 <= value <= 1 for value in values):
        return "percent"
    return "count" if all(isinstance(value, int | None) for value in values) else "number"


def _cell(value: Any, speech: Speech) -> Value:
    if isinstance(value, bool):
        return speech.say("yes" if value else "no")
    return name_of(value, _LONGEST) if isinstance(value, str) else value


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
