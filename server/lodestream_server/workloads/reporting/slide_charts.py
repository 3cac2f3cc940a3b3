"""Native charts on slides, which PowerPoint draws and whose data it can edit."""

from typing import Any

from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION, XL_LEGEND_POSITION, XL_TICK_LABEL_POSITION
from pptx.oxml.ns import qn
from pptx.util import Pt

from lodestream_server.workloads.mining.report import fit
from lodestream_server.workloads.reporting.model import Chart
from lodestream_server.workloads.reporting.slide_parts import BLUE, MUTED, PALE, SLOW, SLOW_PALE, Box, rgb
from lodestream_server.workloads.reporting.speech import Speech

_SERIES = (BLUE, SLOW_PALE, PALE, SLOW)

_FORMS = {
    "bars": XL_CHART_TYPE.BAR_CLUSTERED,
    "columns": XL_CHART_TYPE.COLUMN_CLUSTERED,
    "lines": XL_CHART_TYPE.LINE,
}


def add_chart(slide: Any, box: Box, chart: Chart, speech: Speech) -> None:
    """Puts the chart into the box. Bars run from top to bottom in the order of the labels."""
    size, unit = scale(chart)
    order = slice(None, None, -1) if chart.form == "bars" else slice(None)
    data: Any = CategoryChartData(number_format=NUMBERS.get(chart.kind, "General"))  # type: ignore[no-untyped-call]  # python-pptx is not annotated
    data.categories = [fit.wrap(label, 12, 230, 1)[0] for label in chart.labels][order]
    for series in chart.series[order]:
        data.add_series(series.name[:60], [None if value is None else value / size for value in series.values][order])
    frame = slide.shapes.add_chart(_FORMS[chart.form], Pt(box.x), Pt(box.y), Pt(box.width), Pt(box.height), data)
    frame._element.nvGraphicFramePr.cNvPr.set("descr", chart.title)
    dress(frame.chart, chart, speech.say(f"map.unit_{unit}") if unit else "", label_format(chart, speech))


#: Labels of an axis that stand side by side.
_LABELS = 12

#: Number formats of values in charts.
NUMBERS = {"percent": "0.0 %", "count": "#,##0", "duration": "#,##0.0", "number": "#,##0.0"}


def label_format(chart: Chart, speech: Speech) -> str:
    """How values beside bars are written: the sign of percentages stands where the language has it, and what is not
    quite nothing does not look like nothing."""
    if chart.kind == "percent":
        return str(speech.manner["percent"]).format("0.0").replace("\u00a0", " ")
    return "[=0]0;[<0.1]0.000;#,##0.0" if chart.kind == "duration" else NUMBERS[chart.kind]


def scale(chart: Chart) -> tuple[float, str]:
    """What values are divided by, and the unit's word: durations are shown in one unit."""
    if chart.kind != "duration":
        return 1.0, ""
    for size, unit in ((86_400.0 * 730, "year"), (86_400.0 * 2, "day"), (3_600.0, "hour"), (60.0, "minute")):
        if chart.largest >= size:
            return (31_557_600.0 if unit == "year" else min(size, 86_400.0)), unit
    return 1.0, "second"


def dress(made: Any, chart: Chart, unit: str, numbers: str) -> None:
    """Our colours and as few lines as needed."""
    made.has_title = False
    made.font.size, made.font.color.rgb = Pt(12), rgb(MUTED)
    many = len(chart.series) > 1
    made.has_legend = many
    if many:
        made.legend.position, made.legend.include_in_layout = XL_LEGEND_POSITION.TOP, False
    labels, values = made.category_axis, made.value_axis
    labels.has_major_gridlines = False
    labels.format.line.color.rgb = rgb("B8C4D0")
    labels.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    values.format.line.fill.background()
    values.major_gridlines.format.line.color.rgb = rgb("E7ECF1")
    _axis_title(labels, chart.axes[0])
    _axis_title(values, unit or (chart.axes[1] if chart.form != "bars" else ""))
    plot = made.plots[0]
    if chart.form == "bars":
        values.visible = False
        values.has_major_gridlines = False
        values.minimum_scale = 0
        plot.gap_width, plot.overlap = (45 if many else 55), (-5 if many else 0)
        plot.has_data_labels = True
        plot.data_labels.position = XL_LABEL_POSITION.OUTSIDE_END
        plot.data_labels.number_format, plot.data_labels.number_format_is_linked = numbers, False
        plot.data_labels.font.size = Pt(12)
    elif chart.form == "columns":
        plot.gap_width = 8
    if len(chart.labels) > _LABELS:
        _skip_labels(labels, -(-len(chart.labels) // _LABELS))
    colours = _SERIES[: len(chart.series)]
    for series, colour in zip(plot.series, reversed(colours) if chart.form == "bars" else colours, strict=True):
        _paint(series, chart, (SLOW_PALE if chart.form == "bars" and not many else colour))
    if chart.form == "bars" and not many:
        first = plot.series[0].points[len(chart.labels) - 1].format.fill
        first.solid()
        first.fore_color.rgb = rgb(SLOW)


def _skip_labels(axis: Any, every: int) -> None:
    """Shows one label in so many; python-pptx has no word for it."""
    for name in ("tickLblSkip", "tickMarkSkip"):
        element = axis._element.makeelement(qn(f"c:{name}"), {"val": str(every)})
        axis._element.find(qn("c:noMultiLvlLbl")).addprevious(element)


def _paint(series: Any, chart: Chart, colour: str) -> None:
    painted = rgb(colour)
    if chart.form == "lines":
        series.smooth = False
        series.format.line.color.rgb, series.format.line.width = painted, Pt(2)
        return
    series.format.fill.solid()
    series.format.fill.fore_color.rgb = painted


def _axis_title(axis: Any, text: str) -> None:
    axis.has_title = bool(text)
    if text:
        frame = axis.axis_title.text_frame
        frame.text = text
        font = frame.paragraphs[0].runs[0].font
        font.size, font.bold, font.color.rgb = Pt(12), False, rgb(MUTED)
