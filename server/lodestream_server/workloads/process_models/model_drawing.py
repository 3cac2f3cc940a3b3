"""A process model as an SVG, from top to bottom in BPMN's signs, with what cases do against it at each activity."""

from collections.abc import Mapping
from dataclasses import dataclass

from lodestream_server.workloads.mining.report.fit import wrap
from lodestream_server.workloads.mining.report.layout import Box, Link, Point, layout
from lodestream_server.workloads.mining.report.shapes import FONT, INK, SLOW, arrow, tag, text, tooltip
from lodestream_server.workloads.mining.spoken import short_count
from lodestream_server.workloads.process_models.bpmn_diagram import (
    EXCLUSIVE,
    GATE,
    SIZES,
    NotExpressible,
    diagram_of,
    touching,
)
from lodestream_server.workloads.process_models.net import PetriNet

#: Nodes and flows of a drawing that can still be read.
MOST_NODES, MOST_FLOWS = 90, 150
_TASK = (150.0, 62.0)
_FILL, _EDGE, _LINE, _MARKED = "#eef4fa", "#8fb3d6", "#5f7387", "#fdf0e7"
_MARGIN = 8.0


@dataclass(frozen=True, slots=True)
class Marks:
    """How often cases skip an activity, and how often they do it where the model does not allow it."""

    skipped: int = 0
    extra: int = 0

    @property
    def said(self) -> str:
        """In a few words; empty without any."""
        parts = ((self.skipped, "skipped"), (self.extra, "extra"))
        return ", ".join(f"{short_count(count)} {word}" for count, word in parts if count)


def draw(net: PetriNet, marks: Mapping[str, Marks]) -> str | None:
    """The drawing; `marks` by activity. None for a net that no diagram can say, or that is too large to be read."""
    try:
        diagram = diagram_of(net)
    except NotExpressible:
        return None
    if len(diagram.nodes) > MOST_NODES or len(diagram.flows) > MOST_FLOWS:
        return None
    places = {name: number for number, name in enumerate(diagram.nodes)}
    boxes = [Box(*_size(kind), row=_row(kind)) for kind, _ in diagram.nodes.values()]  # type: ignore[arg-type]  # words of Box
    drawn = layout(boxes, [Link(places[a], places[b]) for a, b in diagram.flows])
    parts = []
    for (source, target), route in zip(diagram.flows, drawn.routes, strict=True):
        ends = [
            touching(diagram.nodes[node][0], drawn.centres[places[node]], point)
            for node, point in ((source, route[0]), (target, route[-1]))
        ]
        parts.append(arrow([ends[0], *route[1:-1], ends[1]], 1.3, _LINE))
    for (kind, label), centre in zip(diagram.nodes.values(), drawn.centres, strict=True):
        parts.append(_node(kind, label, centre, marks.get(label, Marks())))
    width, height = drawn.width + 2 * _MARGIN, drawn.height + 2 * _MARGIN
    view = f"{-_MARGIN:.0f} {-_MARGIN:.0f} {width:.0f} {height:.0f}"
    described = {"role": "img", "aria_label": "Process model"}
    spread = tag("rect", x=-_MARGIN, y=-_MARGIN, width=width, height=height, fill="white")
    return tag(
        "svg",
        spread + "".join(parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=view,
        width=width,
        height=height,
        font_family=FONT,
        **described,
    )


def _size(kind: str) -> tuple[float, float]:
    return _TASK if kind == "task" else SIZES.get(kind, GATE)


def _row(kind: str) -> str:
    return {"startEvent": "first", "endEvent": "last"}.get(kind, "free")


def _node(kind: str, label: str, centre: Point, marks: Marks) -> str:
    x, y = centre
    if kind == "task":
        return _task(label, centre, marks)
    if kind in SIZES:
        return tag(
            "circle", cx=x, cy=y, r=16.0, fill="white", stroke=INK, stroke_width=1.4 if kind == "startEvent" else 4
        )
    half = GATE[0] / 2
    shape = f"M{x},{y - half} L{x + half},{y} L{x},{y + half} L{x - half},{y} Z"
    arm = 8.0
    turned = 0.72 * arm
    signs = (
        f"M{x - turned},{y - turned} L{x + turned},{y + turned} M{x - turned},{y + turned} L{x + turned},{y - turned}"
        if kind == EXCLUSIVE
        else f"M{x - arm},{y} L{x + arm},{y} M{x},{y - arm} L{x},{y + arm}"
    )
    return tag("path", d=shape, fill="white", stroke=_LINE, stroke_width=1.4) + tag(
        "path", d=signs, fill="none", stroke=_LINE, stroke_width=2.6
    )


def _task(label: str, centre: Point, marks: Marks) -> str:
    (x, y), (width, height), said = centre, _TASK, marks.said
    lines = wrap(label, 12.5, width - 16, 2)
    box = tag(
        "rect",
        x=x - width / 2,
        y=y - height / 2,
        width=width,
        height=height,
        rx=8,
        fill=_MARKED if said else _FILL,
        stroke=SLOW if said else _EDGE,
        stroke_width=1.6 if said else 1.2,
    )
    top = y + 4.5 - 8 * (len(lines) - 1) - (8 if said else 0)
    words = "".join(text(line, x, top + 16 * number, 12.5) for number, line in enumerate(lines))
    if said:
        words += text(said, x, y + height / 2 - 8, 11.5, fill=SLOW, font_weight=600)
    return tag("g", tooltip(f"{label}: {said}" if said else label) + box + words)
