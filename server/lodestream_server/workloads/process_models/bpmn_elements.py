"""The process of a BPMN file as nodes and flows, before it means anything. What is unknown is refused by name."""

from collections import Counter
from dataclasses import dataclass, field

from lodestream_server.workloads.process_models.xml_tree import Element, refused

TASKS = (
    "task",
    "userTask",
    "manualTask",
    "serviceTask",
    "scriptTask",
    "businessRuleTask",
    "sendTask",
    "receiveTask",
    "callActivity",
)
#: Silent: they wait or tell, nobody works.
EVENTS = ("startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent")
EXCLUSIVE, PARALLEL, INCLUSIVE, BY_EVENT = (
    "exclusiveGateway",
    "parallelGateway",
    "inclusiveGateway",
    "eventBasedGateway",
)
GATEWAYS = (EXCLUSIVE, PARALLEL, INCLUSIVE, BY_EVENT)
_NODES = (*TASKS, *EVENTS, *GATEWAYS)

#: They say nothing about the order of work.
_PASSED_OVER = frozenset(
    (
        "documentation",
        "extensionElements",
        "laneSet",
        "auditing",
        "monitoring",
        "property",
        "ioSpecification",
        "dataObject",
        "dataObjectReference",
        "dataStoreReference",
        "textAnnotation",
        "association",
        "group",
        "correlationSubscription",
        "resourceRole",
        "performer",
        "humanPerformer",
        "potentialOwner",
    )
)
#: They change what a task does.
_MARKERS = ("standardLoopCharacteristics", "multiInstanceLoopCharacteristics")


@dataclass(slots=True)
class Node:
    """A flow node; `incoming` and `outgoing` are ids of flows, in the order of the file."""

    id: str
    kind: str
    name: str
    terminates: bool = False
    incoming: list[str] = field(default_factory=list)
    outgoing: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """As messages name it."""
        return f'{self.kind} "{(self.name or self.id)[:60]}"'


@dataclass(frozen=True, slots=True)
class Drawn:
    """Nodes by id, and flows: id -> (source, target)."""

    name: str
    nodes: dict[str, Node]
    flows: dict[str, tuple[str, str]]


def drawn(root: Element) -> Drawn:
    """The one process that has flow nodes. Raises BadInput."""
    if root.tag != "definitions":
        raise refused(f"is no BPMN: its root is <{root.tag[:60]}>")
    processes = [process for process in root.all("process") if any(process.all(*_NODES, "subProcess"))]
    if len(processes) != 1:
        raise refused(f"holds {len(processes)} processes with activities: it must hold one; keep one pool")
    process = processes[0]
    nodes, flows = {}, {}
    for child in process.children:
        if child.tag in _PASSED_OVER:
            continue
        if not child.get("id"):
            raise refused(f"has a <{child.tag[:60]}> without an id in line {child.line}")
        if child.tag == "sequenceFlow":
            flows[child.get("id")] = (child.get("sourceRef"), child.get("targetRef"))
        else:
            nodes[child.get("id")] = _node(child)
    _unique(process)
    for flow, (source, target) in flows.items():
        for end in (source, target):
            if end not in nodes:
                raise refused(f'has the sequence flow "{flow[:60]}" with an end "{end[:60]}", which is no node of it')
        nodes[source].outgoing.append(flow)
        nodes[target].incoming.append(flow)
    _conditions(process, nodes)
    for node in nodes.values():
        _check(node)
    return Drawn(process.get("name") or "process", nodes, flows)


def _unique(process: Element) -> None:
    seen = Counter(child.get("id") for child in process.children if child.get("id"))
    for name, count in seen.items():
        if count > 1:
            raise refused(f'has the id "{name[:60]}" twice: ids must differ')


def _node(element: Element) -> Node:
    name = element.get("name").strip()
    if "\n" in name:  # modellers break long names for the eye
        name = " ".join(name.split())
    node = Node(element.get("id"), element.tag, name)
    if element.tag == "subProcess" and not any(element.all(*_NODES, "subProcess")):
        node.kind = "task"  # drawn as one box: a task of its name
    elif element.tag not in _NODES:
        raise refused(f"has a {node.said}, which is not understood: redraw it with tasks, gateways and plain events")
    for marker in element.all(*_MARKERS):
        raise refused(f"has a {node.said} with {marker.tag}, which is not understood: draw the loop with gateways")
    node.terminates = any(element.all("terminateEventDefinition"))
    return node


def _conditions(process: Element, nodes: dict[str, Node]) -> None:
    """Conditions choose at gateways; behind a task they would make an inclusive choice that nobody drew."""
    for flow in process.all("sequenceFlow"):
        source = nodes[flow.get("sourceRef")]
        if flow.first("conditionExpression") and source.kind not in GATEWAYS and len(source.outgoing) > 1:
            raise refused(f"has conditions on the flows that leave {source.said}: draw a gateway behind it")


def _check(node: Node) -> None:
    if node.kind in TASKS and not node.name:
        raise refused(f"has a {node.kind} without a name ({node.id[:60]}): name it as the log names the activity")
    if node.kind != "startEvent" and not node.incoming:
        raise refused(f"has a {node.said} that nothing leads to: connect or remove it")
    if node.kind != "endEvent" and not node.outgoing:
        raise refused(f"has a {node.said} that leads nowhere: connect it to an end event")
    if node.kind == "startEvent" and node.incoming:
        raise refused(f"has a flow into {node.said}")
    if node.kind == "endEvent" and node.outgoing:
        raise refused(f"has a flow out of {node.said}")
