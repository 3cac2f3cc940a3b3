"""A Petri net as SVG, in the manner of the process map: boxes for activities, black bars for silent transitions,
circles for places, a legend that says so."""

from dataclasses import dataclass
from xml.sax.saxutils import escape

from lodestream_server.workloads.mining.report import fit, shapes
from lodestream_server.workloads.mining.report.frame import MARGIN, SMALL, Caption, header
from lodestream_server.workloads.mining.report.layout import Box, Layout, Link, layout
from lodestream_server.workloads.mining.report.shapes import tag, text
from lodestream_server.workloads.process_models.net import PetriNet, Transition

#: Arcs of a net that is laid out within about two seconds; one with more is no picture that anybody reads.
MOST_DRAWN = 130
_HEADER, _LEGEND = 64.0, 34.0
_NAME_SIZE, _TEXT_WIDTH, _NAME_LINES, _LINE, _PAD = 13.0, 150.0, 3, 16.0, 12.0
_PLACE, _BAR = 24.0, (34.0, 10.0)
_LEAST_WIDTH = 860.0
_EDGE = "#7b93ad"
_START, _END = "#15803d", "#334155"


@dataclass(frozen=True, slots=True)
class _Step:
    """A transition with its wrapped name; none for a silent one."""

    step: Transition
    lines: list[str]
    box: Box


def picture(net: PetriNet, caption: Caption) -> str | None:
    """The SVG document; None for a net that is too large to be looked at."""
    if len(net.arcs) > MOST_DRAWN:
        return None
    steps = [_step(step) for step in net.transitions]
    boxes = [*(_circle(net, place) for place in net.places), *(step.box for step in steps)]
    numbers = {name: i for i, name in enumerate((*net.places, *(step.name for step in net.transitions)))}
    where = layout(boxes, [Link(numbers[source], numbers[target]) for source, target in net.arcs])
    width = max(_LEAST_WIDTH, where.width + 2 * MARGIN)
    height = _HEADER + where.height + _LEGEND + 2 * MARGIN
    shift = (width - where.width) / 2
    body = [
        tag("rect", width=width, height=height, fill=shapes.PAPER),
        header(caption, width),
        tag("g", _graph(net, steps, where), transform=f"translate({shift:.1f} {_HEADER + MARGIN:.1f})"),
        _legend(_HEADER + where.height + 2 * MARGIN, width),
    ]
    return _document("".join(body), width, height, caption, net)


def _circle(net: PetriNet, place: str) -> Box:
    """Start and end stand in the first and the last row where nothing comes before them or after."""
    entered = any(target == place for _, target in net.arcs)
    left = any(source == place for source, _ in net.arcs)
    row = "first" if place in net.initial and not entered else "last" if place in net.final and not left else "free"
    return Box(_PLACE, _PLACE, "ellipse", row)  # type: ignore[arg-type]  # one of the words of Box


def _step(step: Transition) -> _Step:
    if step.label is None:
        return _Step(step, [], Box(*_BAR))
    lines = fit.wrap(step.label, _NAME_SIZE, _TEXT_WIDTH, _NAME_LINES, bold=True)
    widest = max(fit.width(line, _NAME_SIZE, bold=True) for line in lines)
    return _Step(step, lines, Box(max(64.0, widest + 2 * _PAD), _LINE * len(lines) + _PAD))


def _graph(net: PetriNet, steps: list[_Step], where: Layout) -> str:
    arrows = "".join(shapes.arrow(route, 1.4, "#5b6f86") for route in where.routes)
    places = "".join(_place(net, name, centre) for name, centre in zip(net.places, where.centres, strict=False))
    boxes = "".join(_box(step, centre) for step, centre in zip(steps, where.centres[len(net.places) :], strict=True))
    return arrows + places + boxes


def _place(net: PetriNet, name: str, centre: tuple[float, float]) -> str:
    x, y = centre
    half = _PLACE / 2
    if name in net.initial:
        token = tag("circle", cx=x, cy=y, r=5.0, fill=_START)
        return tag("g", shapes.tooltip("Start") + _ring(x, y, half, _START, 2.5) + token)
    if name in net.final:
        return tag("g", shapes.tooltip("End") + _ring(x, y, half, _END, 2.5) + _ring(x, y, half - 4.5, _END, 1.5))
    return _ring(x, y, half, _EDGE, 1.5)


def _ring(x: float, y: float, radius: float, colour: str, thickness: float) -> str:
    return tag("circle", cx=x, cy=y, r=radius, fill=shapes.PAPER, stroke=colour, stroke_width=thickness)


def _box(step: _Step, centre: tuple[float, float]) -> str:
    x, y, width, height = centre[0], centre[1], step.box.width, step.box.height
    left, top = x - width / 2, y - height / 2
    if step.step.label is None:
        bar = tag("rect", x=left, y=top, width=width, height=height, rx=2, fill=shapes.INK)
        return tag("g", shapes.tooltip("Silent step") + bar)
    colour, ink = shapes.fill(0.12)
    lines = [
        text(line, x, top + _PAD / 2 + 12 + _LINE * i, _NAME_SIZE, font_weight=700, fill=ink)
        for i, line in enumerate(step.lines)
    ]
    outline = tag("rect", x=left, y=top, width=width, height=height, rx=7, fill=colour, stroke=_EDGE, stroke_width=1)
    return tag("g", shapes.tooltip(step.step.label) + outline + "".join(lines))


def _legend(top: float, width: float) -> str:
    y, x = top + 14, MARGIN
    parts = [tag("line", x1=MARGIN, y1=top - 6, x2=width - MARGIN, y2=top - 6, stroke="#d8dfe7")]
    for mark, room, said in (
        (_ring(x + 9, y - 3, 8.0, _START, 2.0) + tag("circle", cx=x + 9, cy=y - 3, r=3.5, fill=_START), 24, "start"),
        (_ring(x + 99, y - 3, 8.0, _END, 2.0) + _ring(x + 99, y - 3, 4.5, _END, 1.5), 114, "end"),
        (_ring(x + 179, y - 3, 8.0, _EDGE, 1.5), 194, "state between activities"),
        (tag("rect", x=x + 370, y=y - 8, width=28, height=9, rx=2, fill=shapes.INK), 406, "silent step: nobody works"),
    ):
        parts += [mark, text(said, x + room, y + 1, SMALL, text_anchor="start", fill=shapes.MUTED)]
    return "".join(parts)


def _document(body: str, width: float, height: float, caption: Caption, net: PetriNet) -> str:
    labels = [step.label for step in net.transitions if step.label is not None]
    said = f"Petri net of a process from start to end. {caption.subtitle}. Activities: {', '.join(labels[:12])}."
    title = f'<title id="process-model-title">{escape(fit.clean(caption.title))}</title>'
    return tag(
        "svg",
        f'{title}<desc id="process-model-desc">{escape(fit.clean(said))}</desc>{body}',
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        role="img",
        aria_labelledby="process-model-title process-model-desc",
        font_family=shapes.FONT,
    )
