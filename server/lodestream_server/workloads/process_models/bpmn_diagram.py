"""A Petri net as a BPMN diagram: tasks for activities, exclusive gateways for places, parallel gateways for transitions
with several places before or behind them. Written by `bpmn_writing`, drawn by `model_drawing`.

The complete runs are those of the net. Where a choice depends on more than one place, the diagram chooses earlier than
the net does and may get stuck; what does not get stuck is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lodestream_server.workloads.mining.report.layout import Point
from lodestream_server.workloads.process_models.net import PetriNet, Transition

#: Width and height of nodes in px.
SIZES = {"task": (120.0, 70.0), "startEvent": (36.0, 36.0), "endEvent": (36.0, 36.0)}
GATE = (50.0, 50.0)
EXCLUSIVE, PARALLEL = "exclusiveGateway", "parallelGateway"


class NotExpressible(ValueError):
    """The net is no process that begins, works and ends, as BPMN needs it; the text says why."""


@dataclass(slots=True)
class Diagram:
    """Nodes (id -> kind and name) and flows between them, in order."""

    nodes: dict[str, tuple[str, str]] = field(default_factory=dict)
    flows: list[tuple[str, str]] = field(default_factory=list)


def diagram_of(net: PetriNet) -> Diagram:
    """The diagram of a net. Raises NotExpressible for a net without start or end, and for transitions without a place
    on one side."""
    return _contracted(_everything(_useful(net)))


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


def _everything(net: PetriNet) -> Diagram:
    """Everything as nodes; those that do nothing go afterwards."""
    found = Diagram()
    place_ids = {place: f"gateway_p{number}" for number, place in enumerate(net.places, 1)}
    found.nodes["start"], found.nodes["end"] = ("startEvent", ""), ("endEvent", "")
    for place in net.places:
        found.nodes[place_ids[place]] = (EXCLUSIVE, "")
    starts = [place_ids[place] for place, count in net.initial.items() for _ in range(count)]
    ends = [place_ids[place] for place, count in net.final.items() for _ in range(count)]
    _gate(found, "gateway_start", ["start"], starts)
    _gate(found, "gateway_end", ends, ["end"])
    for number, step in enumerate(net.transitions, 1):
        before = [place_ids[p] for p, t in net.arcs if t == step.name]
        after = [place_ids[p] for t, p in net.arcs if t == step.name]
        _step(found, number, step, before, after)
    return found


def _step(found: Diagram, number: int, step: Transition, before: list[str], after: list[str]) -> None:
    if step.label is None:
        _gate(found, f"gateway_t{number}", before, after)
        return
    task = f"task_{number}"
    found.nodes[task] = ("task", step.label)
    _gate(found, f"gateway_in{number}", before, [task])
    _gate(found, f"gateway_out{number}", [task], after)


def _gate(found: Diagram, name: str, before: Sequence[str], after: Sequence[str]) -> None:
    """A parallel gateway between nodes; one with a single flow on both sides is contracted later. One that would join
    and split becomes two."""
    found.nodes[name] = (PARALLEL, "")
    found.flows += [(node, name) for node in before]
    leave = name
    if len(before) > 1 and len(after) > 1:
        leave = f"{name}_split"
        found.nodes[leave] = (PARALLEL, "")
        found.flows.append((name, leave))
    found.flows += [(leave, node) for node in after]


def _contracted(found: Diagram) -> Diagram:
    """Without gateways that have one flow in and one out."""
    after: dict[str, list[str]] = {name: [] for name in found.nodes}
    before: dict[str, list[str]] = {name: [] for name in found.nodes}
    for source, target in found.flows:
        after[source].append(target)
        before[target].append(source)
    nodes = dict(found.nodes)
    for name, (kind, _) in found.nodes.items():
        if kind not in (EXCLUSIVE, PARALLEL) or len(before[name]) != 1 or len(after[name]) != 1:
            continue
        source, target = before[name][0], after[name][0]
        if source == name:
            continue
        after[source][after[source].index(name)] = target
        before[target][before[target].index(name)] = source
        del nodes[name], before[name], after[name]
    return Diagram(nodes, [(source, target) for source in nodes for target in after[source]])


def touching(kind: str, centre: Point, end: Point) -> Point:
    """The end of a flow, moved onto the outline where the node is a gateway: a diamond in its box."""
    if kind in SIZES:
        return end
    (x, y), half = centre, GATE[0] / 2
    if abs(end[1] - y) > half - 0.5:  # from above or below
        reach = max(0.0, half - abs(end[0] - x))
        return end[0], y + (reach if end[1] > y else -reach)
    reach = max(0.0, half - abs(end[1] - y))
    return x + (reach if end[0] > x else -reach), end[1]
