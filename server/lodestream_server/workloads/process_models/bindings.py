"""Which edges of the dependency graph are taken together: each trace is annotated with who set off whom, and the sets
that occur become the splits and joins of a causal net.

An event is set off by the nearest event before it that it depends on, and sets off the nearest one after it that
depends on it. A trace in which every event but the first is set off, and every event but the last sets one off, is
whole: a net with its bindings replays it completely.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lodestream_server.workloads.process_models.causal_net import END, START, Binding
from lodestream_server.workloads.process_models.dependencies import Edge, Trace

#: One side of an activity in a trace: whether it splits, the activity, and its partners there.
Use = tuple[bool, int, Binding]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The dependency graph from both ends."""

    before: Mapping[int, frozenset[int]]
    after: Mapping[int, frozenset[int]]


def neighbours(edges: frozenset[Edge]) -> Neighbours:
    """Sources by target and targets by source."""
    before: dict[int, set[int]] = {}
    after: dict[int, set[int]] = {}
    for source, target in edges:
        before.setdefault(target, set()).add(source)
        after.setdefault(source, set()).add(target)
    return Neighbours(
        {key: frozenset(value) for key, value in before.items()},
        {key: frozenset(value) for key, value in after.items()},
    )


def uses(trace: Trace, graph: Neighbours) -> tuple[Use, ...] | None:
    """Split and join of every event of the trace, START and END around it; None when the trace is not whole."""
    events = (START, *trace, END)
    links = _links(events, graph)
    into: list[set[int]] = [set() for _ in events]
    out_of: list[set[int]] = [set() for _ in events]
    for source, target in links:
        out_of[source].add(events[target])
        into[target].add(events[source])
    if not all(out_of[:-1]) or not all(into[1:]):
        return None
    splits = [(True, event, frozenset(out_of[place])) for place, event in enumerate(events[:-1])]
    joins = [(False, event, frozenset(into[place])) for place, event in enumerate(events) if place]
    return (*splits, *joins)


def _links(events: Sequence[int], graph: Neighbours) -> set[tuple[int, int]]:
    """Pairs of places in the trace. None spans another event of one of its two activities, so each event has one
    partner of an activity at most."""
    found = set(_nearest(events, graph.before))
    size = len(events) - 1
    backwards = _nearest(events[::-1], graph.after)
    found.update((size - there, size - here) for here, there in backwards)
    return found


def _nearest(events: Sequence[int], partners: Mapping[int, frozenset[int]]) -> list[tuple[int, int]]:
    """For each event the nearest one before it that is a partner of it, unless the event's activity came in between."""
    last: dict[int, int] = {}
    found = []
    for place, event in enumerate(events):
        nearest = max((last[partner] for partner in partners.get(event, ()) if partner in last), default=-1)
        if nearest >= 0 and last.get(event, -1) <= nearest:
            found.append((nearest, place))
        last[event] = place
    return found
