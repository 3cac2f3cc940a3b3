"""A Petri net as a BPMN 2.0 file with its picture, so that any modeller opens it: tasks for activities, exclusive
gateways for places, parallel gateways for transitions with several places before or behind them.

The complete runs are those of the net. Where a choice depends on more than one place, the diagram chooses earlier than
the net does and may get stuck; what does not get stuck is the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lodestream_server.workloads.mining.report.layout import Box, Layout, Link, Point, layout
from lodestream_server.workloads.process_models.net import PetriNet, Transition
from lodestream_server.workloads.process_models.xml_tree import quoted

#: Flows. Larger diagrams go without a picture: nobody reads them, and laying them out takes more than two seconds.
MOST_DRAWN = 100
_SIZES = {"task": (120.0, 70.0), "startEvent": (36.0, 36.0), "endEvent": (36.0, 36.0)}
_GATE = (50.0, 50.0)
_EXCLUSIVE, _PARALLEL = "exclusiveGateway", "parallelGateway"


class NotExpressible(ValueError):
    """The net is no process that begins, works and ends, as BPMN needs it; the text says why."""


@dataclass(slots=True)
class _Diagram:
    """Nodes (id -> kind and name) and flows between them, in order."""

    nodes: dict[str, tuple[str, str]] = field(default_factory=dict)
    flows: list[tuple[str, str]] = field(default_factory=list)


def write_bpmn(net: PetriNet, path: Path) -> None:
    """Writes UTF-8. Raises NotExpressible for a net without start or end, and for transitions without a place on one
    side."""
    diagram = _contracted(_diagram(_useful(net)))
    path.write_text("\n".join(_lines(net.name, diagram)) + "\n", "utf-8")


def _useful(net: PetriNet) -> PetriNet:
    """The net without what no complete run can use, looked at step by step from both ends."""
    before = {step.name: [p for p, t in net.arcs if t == step.name] for step in net.transitions}
    after = {step.name: [p for t, p in net.arcs if t == step.name] for step in net.transitions}
    for step in net.transitions:
        if not before[step.name] or not after[step.name]:
            side = "before" if not before[step.name] else "behind"
            raise NotExpressible(f"the transition {step.label or step.name!r} has no place {side} it")
    kept = {step.name for step in net.transitions}
    while True:
        marked = {place for place, count in net.initial.items() if count}
        live = _reached(marked, kept, before, after)
        wanted = {place for place, count in net.final.items() if count}
        wanted |= {place for name in live for place in before[name]}
        next_ = {name for name in live if wanted.issuperset(after[name])}
        if next_ == kept:
            break
        kept = next_
    if not kept or not net.initial or not net.final:
        raise NotExpressible("the net has no way from a start to an end")
    places = {place for name in kept for place in (*before[name], *after[name])}
    places |= {*net.initial, *net.final}
    return PetriNet(
        tuple(place for place in net.places if place in places),
        tuple(step for step in net.transitions if step.name in kept),
        tuple(arc for arc in net.arcs if kept & {*arc}),
        net.initial,
        net.final,
        net.name,
    )


def _reached(marked: set[str], kept: set[str], before: dict[str, list[str]], after: dict[str, list[str]]) -> set[str]:
    """Transitions that could fire if tokens were never used up."""
    live: set[str] = set()
    while True:
        fresh = {name for name in kept - live if marked.issuperset(before[name])}
        if not fresh:
            return live
        live |= fresh
        marked = marked.union(*(after[name] for name in fresh))


def _diagram(net: PetriNet) -> _Diagram:
    """Everything as nodes; those that do nothing go afterwards."""
    found = _Diagram()
    place_ids = {place: f"gateway_p{number}" for number, place in enumerate(net.places, 1)}
    found.nodes["start"], found.nodes["end"] = ("startEvent", ""), ("endEvent", "")
    for place in net.places:
        found.nodes[place_ids[place]] = (_EXCLUSIVE, "")
    starts = [place_ids[place] for place, count in net.initial.items() for _ in range(count)]
    ends = [place_ids[place] for place, count in net.final.items() for _ in range(count)]
    _gate(found, "gateway_start", ["start"], starts)
    _gate(found, "gateway_end", ends, ["end"])
    for number, step in enumerate(net.transitions, 1):
        before = [place_ids[p] for p, t in net.arcs if t == step.name]
        after = [place_ids[p] for t, p in net.arcs if t == step.name]
        _step(found, number, step, before, after)
    return found


def _step(found: _Diagram, number: int, step: Transition, before: list[str], after: list[str]) -> None:
    if step.label is None:
        _gate(found, f"gateway_t{number}", before, after)
        return
    task = f"task_{number}"
    found.nodes[task] = ("task", step.label)
    _gate(found, f"gateway_in{number}", before, [task])
    _gate(found, f"gateway_out{number}", [task], after)


def _gate(found: _Diagram, name: str, before: Sequence[str], after: Sequence[str]) -> None:
    """A parallel gateway between nodes; one with a single flow on both sides is contracted later. One that would join
    and split becomes two."""
    found.nodes[name] = (_PARALLEL, "")
    found.flows += [(node, name) for node in before]
    leave = name
    if len(before) > 1 and len(after) > 1:
        leave = f"{name}_split"
        found.nodes[leave] = (_PARALLEL, "")
        found.flows.append((name, leave))
    found.flows += [(leave, node) for node in after]


def _contracted(found: _Diagram) -> _Diagram:
    """Without gateways that have one flow in and one out."""
    after: dict[str, list[str]] = {name: [] for name in found.nodes}
    before: dict[str, list[str]] = {name: [] for name in found.nodes}
    for source, target in found.flows:
        after[source].append(target)
        before[target].append(source)
    nodes = dict(found.nodes)
    for name, (kind, _) in found.nodes.items():
        if kind not in (_EXCLUSIVE, _PARALLEL) or len(before[name]) != 1 or len(after[name]) != 1:
            continue
        source, target = before[name][0], after[name][0]
        if source == name:
            continue
        after[source][after[source].index(name)] = target
        before[target][before[target].index(name)] = source
        del nodes[name], before[name], after[name]
    return _Diagram(nodes, [(source, target) for source in nodes for target in after[source]])


def _lines(name: str, diagram: _Diagram) -> Iterator[str]:
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
    if len(diagram.flows) <= MOST_DRAWN:
        yield from _picture(diagram)
    yield "</bpmn:definitions>"


def _picture(diagram: _Diagram) -> Iterator[str]:
    """The diagram interchange: a shape for each node, an edge for each flow."""
    places = {name: number for number, name in enumerate(diagram.nodes)}
    sizes = [_SIZES.get(kind, _GATE) for kind, _ in diagram.nodes.values()]
    rows = {"startEvent": "first", "endEvent": "last"}
    boxes = [
        Box(*size, row=rows.get(kind, "free"))  # type: ignore[arg-type]  # words of Box
        for size, (kind, _) in zip(sizes, diagram.nodes.values(), strict=True)
    ]
    drawn = layout(boxes, [Link(places[a], places[b]) for a, b in diagram.flows], "leftright")
    yield '  <bpmndi:BPMNDiagram id="diagram_1">'
    yield '    <bpmndi:BPMNPlane id="plane_1" bpmnElement="process_1">'
    yield from _shapes(diagram, drawn, sizes)
    for number, ((source, target), route) in enumerate(zip(diagram.flows, drawn.routes, strict=True), 1):
        ends = [
            _touching(diagram.nodes[node][0], drawn.centres[places[node]], point)
            for node, point in ((source, route[0]), (target, route[-1]))
        ]
        points = "".join(f'<di:waypoint x="{x:.0f}" y="{y:.0f}"/>' for x, y in (ends[0], *route[1:-1], ends[1]))
        yield f'      <bpmndi:BPMNEdge id="edge_{number}" bpmnElement="flow_{number}">{points}</bpmndi:BPMNEdge>'
    yield "    </bpmndi:BPMNPlane>"
    yield "  </bpmndi:BPMNDiagram>"


def _touching(kind: str, centre: Point, end: Point) -> Point:
    """The end of a flow, moved sideways onto the outline where the node is a gateway: a diamond in its box."""
    if kind in _SIZES:
        return end
    reach = max(0.0, _GATE[0] / 2 - abs(end[1] - centre[1]))
    return (centre[0] + (reach if end[0] > centre[0] else -reach), end[1])


def _shapes(diagram: _Diagram, drawn: Layout, sizes: list[tuple[float, float]]) -> Iterator[str]:
    for (name, (kind, _)), (x, y), (width, height) in zip(diagram.nodes.items(), drawn.centres, sizes, strict=True):
        marked = ' isMarkerVisible="true"' if kind == _EXCLUSIVE else ""
        yield (
            f'      <bpmndi:BPMNShape id="shape_{name}" bpmnElement="{name}"{marked}><dc:Bounds '
            f'x="{x - width / 2:.0f}" y="{y - height / 2:.0f}" width="{width:.0f}" height="{height:.0f}"/>'
            "</bpmndi:BPMNShape>"
        )
