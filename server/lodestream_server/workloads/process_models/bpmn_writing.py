"""A Petri net as a BPMN 2.0 file with its picture, so that any modeller opens it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lodestream_server.workloads.mining.report.layout import Box, Layout, Link, layout
from lodestream_server.workloads.process_models.bpmn_diagram import (
    EXCLUSIVE,
    GATE,
    SIZES,
    Diagram,
    NotExpressible,
    diagram_of,
    touching,
)
from lodestream_server.workloads.process_models.net import PetriNet
from lodestream_server.workloads.process_models.xml_tree import quoted

__all__ = ["NotExpressible", "write_bpmn"]

#: Flows of a diagram that is laid out with care, about a second of work; larger ones are set in columns.
MOST_LAID_OUT = 150
_COLUMN, _LINE = 190.0, 110.0


def write_bpmn(net: PetriNet, path: Path) -> None:
    """Writes UTF-8. Raises NotExpressible for a net without start or end, and for transitions without a place on one
    side."""
    diagram = diagram_of(net)
    path.write_text("\n".join(_lines(net.name, diagram)) + "\n", "utf-8")


def _lines(name: str, diagram: Diagram) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield (
        '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" '
        'xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" '
        'xmlns:di="http://www.omg.org/spec/DD/20100524/DI" id="definitions_1" targetNamespace="urn:lodestream:model">'
    )
    yield f'  <bpmn:process id="process_1" name={quoted(name)} isExecutable="false">'
    ends: dict[str, list[str]] = {node: [] for node in diagram.nodes}
    for word, side in (("incoming", 1), ("outgoing", 0)):
        for number, flow in enumerate(diagram.flows, 1):
            ends[flow[side]].append(f"      <bpmn:{word}>flow_{number}</bpmn:{word}>")
    for node, (kind, label) in diagram.nodes.items():
        named = f" name={quoted(label)}" if label else ""
        yield f'    <bpmn:{kind} id="{node}"{named}>'
        yield from ends[node]
        yield f"    </bpmn:{kind}>"
    for number, (source, target) in enumerate(diagram.flows, 1):
        yield f'    <bpmn:sequenceFlow id="flow_{number}" sourceRef="{source}" targetRef="{target}"/>'
    yield "  </bpmn:process>"
    yield from _picture(diagram)
    yield "</bpmn:definitions>"


def _picture(diagram: Diagram) -> Iterator[str]:
    """The diagram interchange: a shape for each node, an edge for each flow."""
    places = {name: number for number, name in enumerate(diagram.nodes)}
    sizes = [SIZES.get(kind, GATE) for kind, _ in diagram.nodes.values()]
    links = [Link(places[a], places[b]) for a, b in diagram.flows]
    drawn = _columns(links, sizes) if len(links) > MOST_LAID_OUT else _laid_out(diagram, links, sizes)
    yield '  <bpmndi:BPMNDiagram id="diagram_1">'
    yield '    <bpmndi:BPMNPlane id="plane_1" bpmnElement="process_1">'
    yield from _shapes(diagram, drawn, sizes)
    for number, ((source, target), route) in enumerate(zip(diagram.flows, drawn.routes, strict=True), 1):
        ends = [
            touching(diagram.nodes[node][0], drawn.centres[places[node]], point)
            for node, point in ((source, route[0]), (target, route[-1]))
        ]
        points = "".join(f'<di:waypoint x="{x:.0f}" y="{y:.0f}"/>' for x, y in (ends[0], *route[1:-1], ends[1]))
        yield f'      <bpmndi:BPMNEdge id="edge_{number}" bpmnElement="flow_{number}">{points}</bpmndi:BPMNEdge>'
    yield "    </bpmndi:BPMNPlane>"
    yield "  </bpmndi:BPMNDiagram>"


def _laid_out(diagram: Diagram, links: list[Link], sizes: list[tuple[float, float]]) -> Layout:
    rows = {"startEvent": "first", "endEvent": "last"}
    boxes = [
        Box(*size, row=rows.get(kind, "free"))  # type: ignore[arg-type]  # words of Box
        for size, (kind, _) in zip(sizes, diagram.nodes.values(), strict=True)
    ]
    return layout(boxes, links, "leftright")


def _columns(links: list[Link], sizes: list[tuple[float, float]]) -> Layout:
    """A column for each distance from the start, flows as straight lines: plain, but quick however large it is."""
    after: list[list[int]] = [[] for _ in sizes]
    for link in links:
        after[link.source].append(link.target)
    column, queue = {0: 0}, [0]
    for here in queue:  # grows while it is walked
        for there in after[here]:
            if there not in column:
                column[there] = column[here] + 1
                queue.append(there)
    filled: Counter[int] = Counter()
    centres: list[tuple[float, float]] = []
    for node in range(len(sizes)):
        place = column.get(node, 0)
        centres.append((60 + place * _COLUMN, 60 + filled[place] * _LINE))
        filled[place] += 1
    routes = tuple((_side(link.source, 1, centres, sizes), _side(link.target, -1, centres, sizes)) for link in links)
    return Layout(0, 0, tuple(centres), routes)


def _side(
    node: int, side: int, centres: list[tuple[float, float]], sizes: list[tuple[float, float]]
) -> tuple[float, float]:
    (x, y), (width, _) = centres[node], sizes[node]
    return x + side * width / 2, y


def _shapes(diagram: Diagram, drawn: Layout, sizes: list[tuple[float, float]]) -> Iterator[str]:
    for (name, (kind, _)), (x, y), (width, height) in zip(diagram.nodes.items(), drawn.centres, sizes, strict=True):
        marked = ' isMarkerVisible="true"' if kind == EXCLUSIVE else ""
        yield (
            f'      <bpmndi:BPMNShape id="shape_{name}" bpmnElement="{name}"{marked}><dc:Bounds '
            f'x="{x - width / 2:.0f}" y="{y - height / 2:.0f}" width="{width:.0f}" height="{height:.0f}"/>'
            "</bpmndi:BPMNShape>"
        )
