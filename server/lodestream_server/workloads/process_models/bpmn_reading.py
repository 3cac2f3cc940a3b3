"""A BPMN diagram as a Petri net, after Dijkman, Dumas and Ouyang (2008): a place for each sequence flow, a transition
for each thing a node can do.

Tasks become labelled transitions, all else is silent. Several flows into a task or event merge, several out of it
split. An inclusive gateway must meet its branches again in one inclusive one, so that it is known what that waits for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from lodestream_server.workloads.process_models.bpmn_elements import (
    BY_EVENT,
    EXCLUSIVE,
    INCLUSIVE,
    PARALLEL,
    TASKS,
    Drawn,
    Node,
    drawn,
)
from lodestream_server.workloads.process_models.net import PetriNet, Transition
from lodestream_server.workloads.process_models.xml_tree import Element, read_tree, refused

#: Branches of an inclusive gateway: each subset of them is a transition.
MOST_BRANCHES = 8
_START, _END = "start", "end"


def read_bpmn(path: Path) -> PetriNet:
    """The net of a file. Raises BadInput for what is no BPMN, has no start or no end, or is not understood."""
    return bpmn_net(read_tree(path))


def bpmn_net(root: Element) -> PetriNet:
    """The net of the process below <definitions>. Raises BadInput."""
    return _Reading(drawn(root)).net()


@dataclass(slots=True)
class _Reading:
    """Collects places, transitions and arcs, node by node."""

    diagram: Drawn
    places: list[str] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    arcs: list[tuple[str, str]] = field(default_factory=list)
    joined: set[str] = field(default_factory=set)

    def net(self) -> PetriNet:
        nodes = self.diagram.nodes
        for kind, what in (("startEvent", "start"), ("endEvent", "end")):
            if not any(node.kind == kind for node in nodes.values()):
                raise refused(f"has no {what} event: draw one")
        self.places = [_START, *(f"flow:{flow}" for flow in self.diagram.flows)]
        final = self._ends()
        for node in nodes.values():
            match node.kind:
                case "startEvent":
                    self._add(node, "start", [_START], _flows(node.outgoing))
                case "endEvent":
                    for number, flow in enumerate(node.incoming):
                        self._add(node, f"end {number}", _flows([flow]), list(final))
                case _ if node.kind == PARALLEL:
                    self._add(node, "gate", _flows(node.incoming), _flows(node.outgoing))
                case _ if node.kind in (EXCLUSIVE, BY_EVENT):
                    self._choice(node)
                case _ if node.kind == INCLUSIVE:
                    self._inclusive(node)
                case _:
                    self._work(node)
        for node in nodes.values():
            if _joins(node) and node.id not in self.joined:
                raise refused(f"has an {node.said} that joins what no inclusive gateway split: use another gateway")
        arcs = tuple(dict.fromkeys(self.arcs))
        return PetriNet(tuple(self.places), tuple(self.transitions), arcs, {_START: 1}, final, self.diagram.name)

    def _ends(self) -> dict[str, int]:
        """One token at the end; none at all where parallel branches may end one by one, for then a case is over when no
        token is left."""
        ends = [node for node in self.diagram.nodes.values() if node.kind == "endEvent"]
        splits = any(
            len(node.outgoing) > 1 and node.kind not in (EXCLUSIVE, BY_EVENT) for node in self.diagram.nodes.values()
        )
        if splits and any(node.terminates for node in ends):
            raise refused("ends parallel work by a terminate event, which is not understood: join the branches first")
        if splits and sum(len(node.incoming) for node in ends) > 1:
            return {}
        self.places.append(_END)
        return {_END: 1}

    def _add(self, node: Node, what: str, before: list[str], after: list[str], label: str | None = None) -> None:
        name = f"{node.id}:{what}"
        self.transitions.append(Transition(name, label))
        self.arcs += [(place, name) for place in before] + [(name, place) for place in after]

    def _place(self, name: str) -> str:
        self.places.append(name)
        return name

    def _work(self, node: Node) -> None:
        """A task or an event: flows into it merge, flows out of it split."""
        entry = f"flow:{node.incoming[0]}"
        if len(node.incoming) > 1:
            entry = self._place(f"into:{node.id}")
            for number, flow in enumerate(node.incoming):
                self._add(node, f"merge {number}", _flows([flow]), [entry])
        self._add(node, "work", [entry], _flows(node.outgoing), node.name if node.kind in TASKS else None)

    def _choice(self, node: Node) -> None:
        middle = self._place(f"at:{node.id}")
        for number, flow in enumerate(node.incoming):
            self._add(node, f"from {number}", _flows([flow]), [middle])
        for number, flow in enumerate(node.outgoing):
            self._add(node, f"to {number}", [middle], _flows([flow]))

    def _inclusive(self, node: Node) -> None:
        """A split puts a token on each branch: on its flow when it is taken, past it when it is not. The join waits for
        one token from each."""
        if len(node.outgoing) == 1:
            if not _joins(node):
                self._work(node)
            return  # a join is made with its split
        if len(node.incoming) != 1 or len(node.outgoing) > MOST_BRANCHES:
            raise refused(
                f"has an {node.said} that joins and splits, or with more than {MOST_BRANCHES} branches: draw two "
                "gateways"
            )
        join, entries = self._join_of(node)
        ready = []
        for number, (flow, entry) in enumerate(zip(node.outgoing, entries, strict=True)):
            self._place(f"past:{flow}")
            ready.append(self._place(f"ready:{flow}"))
            self._add(join, f"came {number}", _flows([entry]), [ready[-1]])
            self._add(join, f"past {number}", [f"past:{flow}"], [ready[-1]])
        self._add(join, "gate", ready, _flows(join.outgoing))
        for number, taken in enumerate(_subsets(node.outgoing)):
            places = [f"flow:{flow}" if flow in taken else f"past:{flow}" for flow in node.outgoing]
            self._add(node, f"takes {number}", _flows(node.incoming), places)

    def _join_of(self, split: Node) -> tuple[Node, list[str]]:
        """The gateway in which the branches meet, and the flow by which each arrives."""
        for join in self.diagram.nodes.values():
            if not _joins(join) or len(join.incoming) != len(split.outgoing) or join.id in self.joined:
                continue
            entries = [self._arrivals(flow, join, split) for flow in split.outgoing]
            found = [flows[0] for flows in entries if len(flows) == 1]
            if len(set(found)) == len(entries) and self._closed(split, join):
                self.joined.add(join.id)
                return join, found
        raise refused(
            f"has an {split.said} whose branches do not all meet again in one inclusive gateway: redraw it so, or with "
            "other gateways"
        )

    def _arrivals(self, flow: str, join: Node, split: Node) -> list[str]:
        """Flows into the join that can be reached from a flow; none at all when something else can be, too: an end, or
        the split itself."""
        found, seen, open_ = [], {flow}, [flow]
        while open_:
            here = open_.pop()
            target = self.diagram.nodes[self.diagram.flows[here][1]]
            if target is join:
                found.append(here)
                continue
            if target is split or target.kind == "endEvent":
                return []
            fresh = [after for after in target.outgoing if after not in seen]
            seen.update(fresh)
            open_ += fresh
        return found

    def _closed(self, split: Node, join: Node) -> bool:
        """Whether the join can be reached through the split only."""
        seen, open_ = {split.id, join.id}, list(join.incoming)
        while open_:
            source = self.diagram.nodes[self.diagram.flows[open_.pop()][0]]
            if source.kind == "startEvent":
                return False
            if source.id not in seen:
                seen.add(source.id)
                open_ += source.incoming
        return True


def _joins(node: Node) -> bool:
    return node.kind == INCLUSIVE and len(node.outgoing) == 1 and len(node.incoming) > 1


def _flows(ids: list[str]) -> list[str]:
    return [f"flow:{flow}" for flow in ids]


def _subsets(flows: list[str]) -> Iterator[tuple[str, ...]]:
    for size in range(1, len(flows) + 1):
        yield from combinations(flows, size)
