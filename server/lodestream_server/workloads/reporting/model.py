"""A report without a format: sections of blocks with raw values; each writer shows values by their kind.

Kinds: text, count, number (one decimal), percent (a share of one), duration (seconds), score (of 100). Frozen; pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

Kind = Literal["text", "count", "number", "percent", "duration", "score", "change"]
Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure: a large value over a small label."""

    label: str
    value: Value
    kind: Kind


@dataclass(frozen=True, slots=True)
class Figures:
    """Key figures, in rows of cards."""

    items: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Findings:
    """Sentences, each a finding."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column; `bar` draws the share as a bar behind the value."""

    label: str
    kind: Kind = "text"
    bar: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of raw values; `total` rows exist, of which these are the first. `name` is the name of a file.

    `row_kinds`, where rows differ in kind: that of each row's last value.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    total: int
    row_kinds: tuple[Kind, ...] = ()

    def largest(self, place: int) -> float:
        """The largest number of a column; 1 where there is none, so that it can be divided by."""
        return max((float(v) for row in self.rows if isinstance(v := row[place], int | float)), default=0.0) or 1.0

    @property
    def more(self) -> int:
        """Rows that are not here."""
        return max(0, self.total - len(self.rows))


@dataclass(frozen=True, slots=True)
class Series:
    """One value for each label of a chart; None where there is none."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as data: bars (lying), columns (touching) or lines. `picture` names the drawing that pages show instead;
    `axes` are the titles of the labels' and the values' axis."""

    name: str
    title: str
    form: Literal["bars", "columns", "lines"]
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    kind: Kind
    picture: str = ""
    note: str = ""
    axes: tuple[str, str] = ("", "")

    @property
    def largest(self) -> float:
        """The largest value; 1 where there is none, so that it can be divided by."""
        return max((value for series in self.series for value in series.values if value), default=0.0) or 1.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing: SVG for pages, PNG for slides, by name; `alt` says what it shows."""

    name: str
    title: str
    alt: str


@dataclass(frozen=True, slots=True)
class AdviceItem:
    """A recommendation; `level` is high, medium or low, `priority` the same in the report's language."""

    level: str
    priority: str
    category: str
    recommendation: str
    expected: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Recommendations, the most urgent first."""

    items: tuple[AdviceItem, ...]
    bound: str
    measured: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Words and what they mean."""

    items: tuple[tuple[str, str], ...]


Block = Figures | Paragraph | Findings | Table | Chart | Picture | Advice | Terms


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it; `key` is the same in every language."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report. `facts` tell what it is about (label, text); `created` is the end of what it reports on."""

    report_type: str
    kind: str
    title: str
    subtitle: str
    language: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    footer: str
    created: datetime | None = None

    def without_charts(self) -> "Document":
        """The same in words and tables alone; sections that have nothing else fall away."""
        kept = [
            replace(section, blocks=tuple(b for b in section.blocks if not isinstance(b, Chart | Picture)))
            for section in self.sections
        ]
        return replace(self, sections=tuple(section for section in kept if section.blocks))

    def blocks(self, section: str) -> Sequence[Block]:
        """The blocks of the section with that key; none when there is no such section."""
        return next((found.blocks for found in self.sections if found.key == section), ())
