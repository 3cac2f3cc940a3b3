"""The process map as SVG: boxes for activities, arrows for steps, both by frequency; bottlenecks stand out; a legend
says what is what.

Reads like a printed page: nothing moves, nothing is hidden behind a click. All texts are escaped, the picture loads
nothing.
"""

import math
from dataclasses import dataclass

from lodestream_server.workloads.mining.report import fit, labels, shapes
from lodestream_server.workloads.mining.report.frame import (
    HEADER,
    LEGEND,
    MARGIN,
    SMALL,
    Caption,
    document,
    header,
    legend,
)
from lodestream_server.workloads.mining.report.layout import Box, Direction, Layout, Link, Point, layout
from lodestream_server.workloads.mining.report.selection import END, START, Activity, MapContent, Step
from lodestream_server.workloads.mining.report.shapes import tag, text
from lodestream_server.workloads.mining.report.wording import ENGLISH, Wording

NAME_SIZE = 13.0
_LINE, _PAD, _BAND = 16.0, 12.0, 18.0
_TEXT_WIDTH, _NAME_LINES, _NARROWEST = 170.0, 3, 104.0
_MARKER = 30.0
_LEAST_WIDTH = 860.0


@dataclass(frozen=True, slots=True)
class _Node:
    """A box with its wrapped name and the lines under it."""

    activity: Activity
    name: list[str]
    facts: list[str]
    band: str
    box: Box


@dataclass(frozen=True, slots=True)
class Drawn:
    """The graph without anything around it: markup whose x runs from `left` to `right` and whose y from 0 to `height`,
    and where along x the boxes lie."""

    markup: str
    left: float
    right: float
    height: float
    boxes: tuple[tuple[float, float], ...]


def draw(
    content: MapContent, caption: Caption | None, wording: Wording = ENGLISH, direction: Direction = "topbottom"
) -> str:
    """The SVG document, without an XML declaration so that it can also stand inside an HTML page. No caption: the place
    where it stands has a title of its own."""
    graph = draw_graph(content, wording, direction)
    width = max(_LEAST_WIDTH, graph.right - graph.left + 2 * MARGIN)
    top = HEADER if caption else 0.0
    height = top + graph.height + LEGEND + 2 * MARGIN
    shift = (width - (graph.right - graph.left)) / 2 - graph.left
    body = [
        tag("rect", width=width, height=height, fill=shapes.PAPER),
        header(caption, width) if caption else "",
        tag("g", graph.markup, transform=f"translate({shift:.1f} {top + MARGIN:.1f})"),
        legend(content, top + graph.height + 2 * MARGIN, width, wording),
    ]
    return document("".join(body), width, height, content, caption, wording)


def draw_graph(content: MapContent, wording: Wording, direction: Direction) -> Drawn:
    """Boxes, arrows, labels and markers."""
    nodes = [_node(activity, wording) for activity in content.activities]
    boxes = [*(node.box for node in nodes), *_marker_boxes()]
    drawn = layout(boxes, [_link(step, len(nodes), content, wording) for step in content.steps], direction)
    centres = _label_centres(content, boxes, drawn, wording)
    left, right = _sides(content, drawn, centres, wording)
    spans = tuple((x - box.width / 2, x + box.width / 2) for box, (x, _) in zip(boxes, drawn.centres, strict=True))
    return Drawn(_graph(content, nodes, drawn, centres, wording), left, right, drawn.height, spans)


def _marker_boxes() -> list[Box]:
    return [Box(_MARKER, _MARKER, "ellipse", "first"), Box(_MARKER, _MARKER, "ellipse", "last")]


def _by_weight(content: MapContent) -> list[int]:
    """The steps in the order of drawing: rare first, bottlenecks last, so that what matters lies on top."""
    return sorted(range(len(content.steps)), key=lambda i: (content.steps[i].bottleneck, content.steps[i].count))


def _label_centres(content: MapContent, boxes: list[Box], drawn: Layout, wording: Wording) -> list[Point]:
    outlines = [
        (x - box.width / 2, y - box.height / 2, x + box.width / 2, y + box.height / 2)
        for box, (x, y) in zip(boxes, drawn.centres, strict=True)
    ]
    sizes = [_label_size(step, wording) for step in content.steps]
    return labels.place(sizes, drawn.routes, outlines, reversed(_by_weight(content)))


def _sides(content: MapContent, drawn: Layout, centres: list[Point], wording: Wording) -> tuple[float, float]:
    """Leftmost and rightmost x of boxes, arrows and labels."""
    halves = [_label_size(step, wording)[0] / 2 for step in content.steps]
    left = min((x - half for (x, _), half in zip(centres, halves, strict=True)), default=0.0)
    right = max((x + half for (x, _), half in zip(centres, halves, strict=True)), default=0.0)
    return min(0.0, left), max(drawn.width, right)


def _node(activity: Activity, wording: Wording) -> _Node:
    name = fit.wrap(activity.name, NAME_SIZE, _TEXT_WIDTH, _NAME_LINES, bold=True)
    facts = [f"{wording.count(activity.count)} ×"]
    if activity.median_service is not None:
        facts[0] += f" · {wording.say('works', duration=wording.short_duration(activity.median_service))}"
    band = wording.say("waiting_share", share=wording.percent(activity.waiting_share)) if activity.bottleneck else ""
    widest = max(
        *(fit.width(line, NAME_SIZE, bold=True) for line in name),
        *(fit.width(fact, SMALL) for fact in facts),
        fit.width(band, SMALL, bold=True),
    )
    height = _LINE * (len(name) + len(facts)) + _PAD + (_BAND if band else 0.0)
    return _Node(activity, name, facts, band, Box(max(_NARROWEST, widest + 2 * _PAD), height))


def _part(count: int, content: MapContent) -> float:
    """Frequency between 0 and 1 on the map's scale (square root, so that rare things remain visible)."""
    most = max((activity.count for activity in content.activities), default=1)
    return math.sqrt(count / most) if most else 0.0


def _thickness(step: Step, content: MapContent) -> float:
    return 1.2 + 6.3 * math.pow(min(1.0, _part(step.count, content)), 1.3)


def _step_label(step: Step, wording: Wording) -> list[str]:
    """The lines of a step's label; marked steps also tell their mean, which is what makes them a bottleneck."""
    if step.median is None:
        return [wording.count(step.count)]
    first = f"{wording.count(step.count)} · {wording.short_duration(step.median)}"
    return [first, wording.say("mean", duration=wording.short_duration(step.mean))] if step.bottleneck else [first]


def _link(step: Step, size: int, content: MapContent, wording: Wording) -> Link:
    ends = {START: size, END: size + 1}
    label = _label_size(step, wording)
    weight = max(1.0, 100.0 * _part(step.count, content) ** 2)
    return Link(
        ends.get(step.source, step.source), ends.get(step.target, step.target), weight, _thickness(step, content), label
    )


def _label_size(step: Step, wording: Wording) -> tuple[float, float]:
    lines = _step_label(step, wording)
    return max(fit.width(line, SMALL, bold=step.bottleneck) for line in lines) + 8, 3.0 + 13.0 * len(lines)


def _graph(content: MapContent, nodes: list[_Node], drawn: Layout, centres: list[Point], wording: Wording) -> str:
    order = _by_weight(content)
    arrows = "".join(_arrow(content, content.steps[i], drawn.routes[i], wording) for i in order)
    names = "".join(_label(content.steps[i], centres[i], wording) for i in order)
    boxes = "".join(_box(content, node, centre, wording) for node, centre in zip(nodes, drawn.centres, strict=False))
    return arrows + _markers(drawn, len(nodes), wording) + boxes + names


def _arrow(content: MapContent, step: Step, route: tuple[tuple[float, float], ...], wording: Wording) -> str:
    colour = shapes.SLOW if step.bottleneck else shapes.stroke(min(1.0, _part(step.count, content)))
    return tag(
        "g",
        shapes.tooltip(_step_tooltip(content, step, wording)) + shapes.arrow(route, _thickness(step, content), colour),
    )


def _step_tooltip(content: MapContent, step: Step, wording: Wording) -> str:
    names = {START: wording.say("start"), END: wording.say("end")}
    source = names.get(step.source) or content.activities[step.source].name
    target = names.get(step.target) or content.activities[step.target].name
    said = wording.say("step", source=source, target=target, count=wording.count(step.count))
    if step.median is None:
        return said
    times = wording.say("step_times", median=wording.duration(step.median), share=wording.percent(step.share))
    return f"{said}, {times}"


def _label(step: Step, centre: Point, wording: Wording) -> str:
    (width, height), (x, y) = _label_size(step, wording), centre
    colour, weight = (shapes.SLOW, 700) if step.bottleneck else (shapes.INK, 400)
    back = tag("rect", x=x - width / 2, y=y - height / 2, width=width, height=height, rx=4, fill=shapes.PAPER)
    lines = [
        text(line, x, y - height / 2 + 12 + 13 * i, SMALL, fill=colour, font_weight=weight)
        for i, line in enumerate(_step_label(step, wording))
    ]
    return back + "".join(lines)


def _markers(drawn: Layout, size: int, wording: Wording) -> str:
    half = _MARKER / 2
    (start_x, start_y), (end_x, end_y) = drawn.centres[size], drawn.centres[size + 1]
    play = f"M{start_x - 4:.1f},{start_y - 6.5:.1f} l11,6.5 l-11,6.5 Z"
    start = tag("circle", cx=start_x, cy=start_y, r=half, fill="#15803d") + tag("path", d=play, fill=shapes.PAPER)
    end = tag("circle", cx=end_x, cy=end_y, r=half, fill="#334155") + tag(
        "rect", x=end_x - 5.5, y=end_y - 5.5, width=11, height=11, rx=1.5, fill=shapes.PAPER
    )
    return tag("g", shapes.tooltip(wording.say("start_of_case")) + start) + tag(
        "g", shapes.tooltip(wording.say("end_of_case")) + end
    )


def _box(content: MapContent, node: _Node, centre: tuple[float, float], wording: Wording) -> str:
    colour, ink = shapes.fill(_part(node.activity.count, content))
    width, height = node.box.width, node.box.height
    x, y = centre[0] - width / 2, centre[1] - height / 2
    border = {"stroke": shapes.SLOW, "stroke_width": 2.5} if node.band else {"stroke": "#7b93ad", "stroke_width": 1}
    parts = [
        shapes.tooltip(_node_tooltip(node.activity, wording)),
        tag("rect", x=x, y=y, width=width, height=height, rx=7, fill=colour, **border),
    ]
    baseline = y + _PAD / 2 + 12
    for line in node.name:
        parts.append(text(line, centre[0], baseline, NAME_SIZE, font_weight=700, fill=ink))
        baseline += _LINE
    for fact in node.facts:
        parts.append(text(fact, centre[0], baseline, SMALL, fill=ink))
        baseline += _LINE
    if node.band:
        parts.append(_band(node, x, y + height))
    return tag("g", "".join(parts))


def _band(node: _Node, x: float, bottom: float) -> str:
    """The strip at the foot of a bottleneck's box, round where the box is round."""
    right, top = x + node.box.width, bottom - _BAND
    shape = (
        f"M{x:.1f},{top:.1f} H{right:.1f} V{bottom - 7:.1f} Q{right:.1f},{bottom:.1f} {right - 7:.1f},{bottom:.1f} "
        f"H{x + 7:.1f} Q{x:.1f},{bottom:.1f} {x:.1f},{bottom - 7:.1f} Z"
    )
    label = text(node.band, (x + right) / 2, bottom - 5, SMALL, fill=shapes.PAPER, font_weight=700)
    return tag("path", d=shape, fill=shapes.SLOW) + label


def _node_tooltip(activity: Activity, wording: Wording) -> str:
    said = [wording.say("activity", name=activity.name, count=wording.count(activity.count))]
    if activity.median_service is not None:
        said.append(wording.say("activity_work", duration=wording.duration(activity.median_service)))
    said.append(wording.say("activity_waiting", share=wording.percent(activity.waiting_share)))
    return ", ".join(said)
