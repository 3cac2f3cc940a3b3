"""A document as an Excel workbook: a sheet a table, numbers as numbers, a native chart beside the bottlenecks.

The only module that knows xlsxwriter. Texts are written as texts, never as formulas or links.
"""

import io
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]  # ships no annotations

from lodestream_server.workloads.reporting.model import Chart, Column, Document, Kind, Table, Value
from lodestream_server.workloads.reporting.speech import Speech
from lodestream_server.workloads.reporting.tables import tables_of
from lodestream_server.workloads.reporting.typesetting import EPOCH

_BLUE, _SLOW, _LINE = "#2F6FB0", "#C2410C", "#DFE5EC"
_SERIES = (_BLUE, "#F0B08C", "#9FC1E3", _SLOW)

#: Number formats by kind; durations are numbers in the unit that the label names.
_FORMATS = {
    "count": "#,##0",
    "number": "#,##0.0##",
    "percent": "0.0%",
    "change": "+0.0%;−0.0%;0.0%",
    "score": "0.0",
    "duration": "#,##0.00",
}
#: From how many seconds on durations are shown in which unit.
_UNITS = ((2 * 86_400.0, 86_400.0, "day"), (3_600.0, 3_600.0, "hour"), (60.0, 60.0, "minute"))
Unit = tuple[float, str] | None

#: Rows and columns that a chart covers; its data stand far to the right of it.
_CHART_ROWS, _CHART_COLUMNS, _DATA_COLUMN = 26, 14, 40

#: What Excel allows in a sheet's name, and its length.
_FORBIDDEN, _NAME = str.maketrans(dict.fromkeys("[]:*?/\\'", " ")), 31


def write(document: Document, speech: Speech) -> bytes:
    """The workbook."""
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(
        stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    created = (document.created or EPOCH).replace(tzinfo=None, microsecond=0)
    book.set_properties({"title": document.title[:250], "author": "Lodestream", "created": created})
    sheets = _Sheets(book, speech)
    sheets.cover(document)
    for _, table in tables_of(document):
        sheets.table(table)
    sheets.charts(document)
    book.close()
    return stream.getvalue()


class _Sheets:
    """Sheets with names of their own."""

    def __init__(self, book: Any, speech: Speech) -> None:
        self.book, self.speech = book, speech
        self.names = set[str]()
        self.plain = book.add_format({"valign": "top", "text_wrap": True, "align": "left", "indent": 1})
        head = {"bold": True, "font_color": "white", "bg_color": _BLUE, "valign": "vcenter", "text_wrap": True}
        self.head, self.head_right = (
            book.add_format({**head, "align": "left", "indent": 1}),
            book.add_format({**head, "align": "right"}),
        )
        self.kinds = {kind: book.add_format({"num_format": form, "valign": "top"}) for kind, form in _FORMATS.items()}

    def cover(self, document: Document) -> None:
        """Title, facts, findings and the meaning of units."""
        sheet = self._sheet(document.kind)
        sheet.hide_gridlines(2)
        sheet.set_column(0, 0, 22)
        sheet.set_column(1, 1, 110)
        title = self.book.add_format({"bold": True, "font_size": 20, "font_color": _BLUE})
        label = self.book.add_format({"font_color": "#5B6877", "valign": "top"})
        sheet.write_string(0, 0, document.title[:1000], title)
        row = 1
        if document.subtitle:
            sheet.write_string(row, 0, document.subtitle[:1000], label)
            row += 1
        for name, text in document.facts:
            row += 1
            sheet.write_string(row, 0, name, label)
            sheet.write_string(row, 1, text, self.plain)
        for section in document.sections:
            for block in section.blocks:
                for text in getattr(block, "items", ()) if type(block).__name__ == "Findings" else ():
                    row += 1
                    sheet.write_string(row, 0, section.title, label)
                    sheet.write_string(row, 1, text, self.plain)
        sheet.write_string(row + 2, 0, document.footer, label)

    def table(self, table: Table) -> None:
        """A sheet with a frozen header and a filter."""
        sheet = self._sheet(table.title)
        sheet.freeze_panes(1, 0)
        sheet.set_row(0, 30)
        sheet.repeat_rows(0)
        widths = [_width(column, [row[place] for row in table.rows]) for place, column in enumerate(table.columns)]
        units = [_unit(column.kind, table.largest(place)) for place, column in enumerate(table.columns)]
        for place, (column, width) in enumerate(zip(table.columns, widths, strict=True)):
            sheet.set_column(place, place, width)
            label = self._labelled(column.label, units[place])
            sheet.write_string(0, place, label, self.head if column.kind == "text" else self.head_right)
        for number, row in enumerate(table.rows, start=1):
            lines = max(-(-len(v) // int(w)) if isinstance(v, str) else 1 for v, w in zip(row, widths, strict=True))
            if lines > 1:
                sheet.set_row(number, 15.0 * min(lines, 20))
            own = _unit(table.row_kinds[number - 1], row[-1]) if table.row_kinds else None
            for place, (column, value) in enumerate(zip(table.columns, row, strict=True)):
                last = place == len(row) - 1
                kind = table.row_kinds[number - 1] if table.row_kinds and last else column.kind
                unit = own if last and own else units[place]
                shown = self._labelled(str(value), own) if place == 0 and own else value
                self._cell(sheet, number, place, kind, shown, unit)
        sheet.autofilter(0, 0, max(1, len(table.rows)), len(table.columns) - 1)
        if table.more:
            said = self.speech.counted("more_rows", table.more)
            sheet.write_string(len(table.rows) + 2, 0, said)

    def _labelled(self, label: str, unit: Unit) -> str:
        return f"{label} ({self.speech.say(f'map.unit_{unit[1]}')})" if unit else label

    def _cell(self, sheet: Any, row: int, place: int, kind: Kind, value: Value, unit: Unit) -> None:
        if value is None:
            return
        if isinstance(value, str):
            sheet.write_string(row, place, value[:32_000], self.plain)
            return
        kind = "number" if kind == "text" else kind
        sheet.write_number(row, place, value / unit[0] if unit else value, self.kinds[kind])

    def charts(self, document: Document) -> None:
        """Every chart on one sheet, its data beside it."""
        charts = [block for section in document.sections for block in section.blocks if isinstance(block, Chart)]
        if not charts:
            return
        sheet = self._sheet(self.speech.say("sheet.charts"))
        sheet.hide_gridlines(2)
        column, row = _DATA_COLUMN, 0
        for chart in charts:
            self._chart(sheet, chart, row, column)
            row += _CHART_ROWS
            column += len(chart.series) + 2
        sheet.print_area(0, 0, row, _CHART_COLUMNS)
        sheet.set_h_pagebreaks(list(range(_CHART_ROWS, row, _CHART_ROWS)))

    def _chart(self, sheet: Any, chart: Chart, row: int, column: int) -> None:
        """Data stand far to the right, out of the way."""
        kind = {"bars": "bar", "columns": "column", "lines": "line"}[chart.form]
        made = self.book.add_chart({"type": kind})
        sheet.write_column(1, column, list(chart.labels))
        last = len(chart.labels)
        unit = _unit(chart.kind, chart.largest)
        for place, series in enumerate(chart.series, start=1):
            sheet.write_string(0, column + place, series.name)
            raw = [None if value is None else value / (unit[0] if unit else 1.0) for value in series.values]
            sheet.write_column(1, column + place, raw, self.kinds[chart.kind])
            colour = _SERIES[(place - 1) % 4]
            look = {"line": {"color": colour, "width": 2}} if kind == "line" else {"fill": {"color": colour}}
            made.add_series(
                {
                    "name": [sheet.name, 0, column + place],
                    "categories": [sheet.name, 1, column, last, column],
                    "values": [sheet.name, 1, column + place, last, column + place],
                    "gap": 50 if kind == "bar" else 10,
                    **look,
                }
            )
        made.set_title({"name": chart.title, "name_font": {"size": 13}, "overlay": False})
        labels = {"name": chart.axes[0], "reverse": kind == "bar"}
        grid = {"visible": True, "line": {"color": _LINE}}
        named = self.speech.say(f"map.unit_{unit[1]}") if unit else chart.axes[1]
        values = {"name": named, "num_format": _FORMATS[chart.kind], "major_gridlines": grid}
        # In a bar chart the values run along x; with the labels reversed they would stand at the top.
        made.set_x_axis(values if kind == "bar" else labels)
        made.set_y_axis({**labels, "crossing": "max"} if kind == "bar" else values)
        made.set_legend({"position": "top"} if len(chart.series) > 1 else {"none": True})
        made.set_size({"width": 900, "height": 480})
        sheet.insert_chart(row, 0, made, {"description": chart.title})

    def _sheet(self, title: str) -> Any:
        base = title.translate(_FORBIDDEN).strip()[:_NAME] or "-"
        name, number = base, 1
        while name.casefold() in self.names:
            number += 1
            name = f"{base[: _NAME - 4]} ({number})"
        self.names.add(name.casefold())
        sheet = self.book.add_worksheet(name)
        sheet.set_paper(9)  # A4
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        return sheet


def _unit(kind: Kind, largest: Value) -> Unit:
    """Seconds in the unit in which durations are shown, and its word; None for what is no duration."""
    if kind != "duration" or not isinstance(largest, int | float):
        return None
    return next(((size, word) for least, size, word in _UNITS if largest >= least), (1.0, "second"))


def _width(column: Column, values: list[Value]) -> float:
    longest = max((len(value) for value in values if isinstance(value, str)), default=0)
    return float(min(64, max(12, len(column.label) + 3, longest + 2 if column.kind == "text" else 0)))
