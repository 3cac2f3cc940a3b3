"""Causal nets: for each activity the sets of activities that it waits for together (joins) and that it sets off
together (splits); and the Petri net that says the same.

Activities are numbers here. A split or a join of several is an AND, several of them are an XOR.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lodestream_server.workloads.process_models.net import PetriNet, Transition

#: Before the first and behind the last activity of a case.
START, END = -1, -2

#: Silent transitions looked at between two cancel points.
_AT_ONCE = 2_000

Binding = frozenset[int]
Bindings = Mapping[int, frozenset[Binding]]


@dataclass(frozen=True, slots=True)
class CausalNet:
    """`joins` of every activity and of END, `splits` of every activity and of START; each edge stands on both sides."""

    joins: Bindings
    splits: Bindings

    @property
    def activities(self) -> tuple[int, ...]:
        """In ascending order."""
        return tuple(sorted(activity for activity in self.joins if activity != END))


def choices(edges: Sequence[tuple[int, int]]) -> CausalNet:
    """The causal net without parallelism: one edge in, one edge out."""
    joins: dict[int, set[Binding]] = {}
    splits: dict[int, set[Binding]] = {}
    for source, target in edges:
        splits.setdefault(source, set()).add(frozenset((target,)))
        joins.setdefault(target, set()).add(frozenset((source,)))
    return CausalNet(
        {activity: frozenset(sets) for activity, sets in joins.items()},
        {activity: frozenset(sets) for activity, sets in splits.items()},
    )


def petri_net(causal: CausalNet, names: Sequence[str], check: Callable[[], None], title: str) -> PetriNet:
    """A transition for each activity, silent ones for the bindings, a place for each edge; what only passes tokens on
    is then taken out, which changes no complete trace.
    """
    draft = _Draft()
    for activity in causal.activities:
        draft.add(names[activity], [("in", activity)], [("out", activity)])
    for activity in (START, *causal.activities):
        check()
        for binding in sorted(causal.splits.get(activity, ()), key=sorted):
            draft.add(None, [("out", activity)], [("edge", activity, target) for target in sorted(binding)])
    for activity in (*causal.activities, END):
        check()
        for binding in sorted(causal.joins.get(activity, ()), key=sorted):
            draft.add(None, [("edge", source, activity) for source in sorted(binding)], [("in", activity)])
    draft.fuse(check)
    return draft.net(title, check)


Place = tuple[str, int] | tuple[str, int, int]
_SOURCE: Place = ("out", START)
_SINK: Place = ("in", END)
#: Tokens come into the one and are counted in the other without any transition.
_ENDS = (_SOURCE, _SINK)


@dataclass(slots=True)
class _Draft:
    """A net being made: label, places before and places behind of each transition, and the same from the places."""

    labels: list[str | None] = field(default_factory=list)
    before: list[set[Place]] = field(default_factory=list)
    after: list[set[Place]] = field(default_factory=list)
    consumers: dict[Place, set[int]] = field(default_factory=dict)
    producers: dict[Place, set[int]] = field(default_factory=dict)

    def add(self, label: str | None, before: Sequence[Place], after: Sequence[Place]) -> None:
        number = len(self.labels)
        self.labels.append(label)
        self.before.append(set(before))
        self.after.append(set(after))
        for place in (*before, *after):
            self.consumers.setdefault(place, set())
            self.producers.setdefault(place, set())
        for place in before:
            self.consumers[place].add(number)
        for place in after:
            self.producers[place].add(number)

    def fuse(self, check: Callable[[], None]) -> None:
        """Takes out silent transitions from one place to one place where either place knows no other way."""
        waiting = [number for number, label in enumerate(self.labels) if label is None]
        while waiting:
            left = []
            for begin in range(0, len(waiting), _AT_ONCE):
                left += [number for number in waiting[begin : begin + _AT_ONCE] if not self._fused(number)]
                check()
            if len(left) == len(waiting):
                return
            waiting = left

    def _fused(self, number: int) -> bool:
        if len(self.before[number]) != 1 or len(self.after[number]) != 1:
            return False
        (here,), (there,) = self.before[number], self.after[number]
        if here == there:
            self._remove(number)
            return True
        if self.consumers[here] == {number}:
            return self._merge(number, here, there)
        return self.producers[there] == {number} and there not in _ENDS and self._merge(number, here, there)

    def _merge(self, number: int, here: Place, there: Place) -> bool:
        """One place for both, unless a transition would then need two arcs to it."""
        twice_in = (self.consumers[here] - {number}) & self.consumers[there]
        twice_out = self.producers[here] & (self.producers[there] - {number})
        if twice_in or twice_out or (here == _SOURCE and there == _SINK):
            return False
        self._remove(number)
        kept, gone = (there, here) if there in _ENDS else (here, there)
        for consumer in self.consumers.pop(gone):
            self.before[consumer] = self.before[consumer] - {gone} | {kept}
            self.consumers[kept].add(consumer)
        for producer in self.producers.pop(gone):
            self.after[producer] = self.after[producer] - {gone} | {kept}
            self.producers[kept].add(producer)
        return True

    def _remove(self, number: int) -> None:
        for place in self.before[number]:
            self.consumers[place].discard(number)
        for place in self.after[number]:
            self.producers[place].discard(number)
        self.before[number], self.after[number] = set(), set()

    def net(self, title: str, check: Callable[[], None]) -> PetriNet:
        names = {_SOURCE: "start", _SINK: "end"}
        for place in self.consumers:
            names.setdefault(place, f"p{len(names) - 1}")
        kept = [number for number in range(len(self.labels)) if self.before[number]]
        transitions = tuple(Transition(f"t{i}", self.labels[number]) for i, number in enumerate(kept, 1))
        arcs: list[tuple[str, str]] = []
        for index, (step, number) in enumerate(zip(transitions, kept, strict=True)):
            if index % _AT_ONCE == 0:
                check()
            arcs += [(names[place], step.name) for place in sorted(self.before[number])]
            arcs += [(step.name, names[place]) for place in sorted(self.after[number])]
        return PetriNet(tuple(names.values()), transitions, tuple(arcs), {"start": 1}, {"end": 1}, title)
