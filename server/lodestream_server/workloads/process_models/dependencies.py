"""Which activity depends on which: the heuristics miner's dependency graph (Weijters and van der Aalst, 2003).

How strongly b follows from a: (ab - ba) / (ab + ba + 1), where ab counts b directly after a; for a loop of one activity
aa / (aa + 1), for a loop of two (aba + bab) / (aba + bab + 1).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lodestream_server.workloads.process_models.causal_net import END, START

#: An edge is more than noise when so large a share of what leaves its source or of what enters its target takes it.
SHARE = 0.02

Edge = tuple[int, int]
Trace = tuple[int, ...]


@dataclass(slots=True)
class Follows:
    """`steps`: how often one activity directly follows another, START and END included; `returns`: how often a b a
    occurs."""

    steps: Counter[Edge] = field(default_factory=Counter)
    returns: Counter[Edge] = field(default_factory=Counter)
    leaving: Counter[int] = field(default_factory=Counter)
    entering: Counter[int] = field(default_factory=Counter)

    def add_steps(self, steps: Iterable[tuple[Edge, int]]) -> None:
        """More of the directly-follows relation."""
        for (source, target), count in steps:
            self.steps[source, target] += count
            self.leaving[source] += count
            self.entering[target] += count

    def add_returns(self, trace: Trace, cases: int) -> None:
        """Every a b a of a trace."""
        for first, between, last in zip(trace, trace[1:], trace[2:], strict=False):
            if first == last != between:
                self.returns[first, between] += cases

    def dependency(self, edge: Edge) -> float:
        """Between -1 and 1."""
        source, target = edge
        there, back = self.steps[edge], self.steps[target, source]
        if source == target:
            return there / (there + 1)
        again = self.returns[edge] + self.returns[target, source]
        return max((there - back) / (there + back + 1), again / (again + 1) if again else 0.0)

    def share(self, edge: Edge) -> float:
        """The larger one of its shares in what leaves the source and what enters the target."""
        source, target = edge
        return max(self.steps[edge] / self.leaving[source], self.steps[edge] / self.entering[target])


def dependencies(follows: Follows, activities: Sequence[int], least: float) -> frozenset[Edge]:
    """The edges of the dependency graph, from START to END: at least so strong, and no noise. Every activity has one
    edge in and one out, whatever they are worth."""
    strong = (edge for edge in follows.steps if follows.dependency(edge) >= least and follows.share(edge) >= SHARE)
    return _best(follows, activities).union(strong)


def _best(follows: Follows, activities: Sequence[int]) -> frozenset[Edge]:
    """The strongest edge into and out of each activity, loops aside."""
    into: dict[int, Edge] = {}
    out_of: dict[int, Edge] = {}
    for edge in sorted(follows.steps):
        source, target = edge
        if source == target:
            continue
        rank = _rank(follows, edge)
        if source != START and (source not in out_of or rank > _rank(follows, out_of[source])):
            out_of[source] = edge
        if target != END and (target not in into or rank > _rank(follows, into[target])):
            into[target] = edge
    return frozenset(edge for name in activities for edge in (into.get(name), out_of.get(name)) if edge)


def _rank(follows: Follows, edge: Edge) -> tuple[float, int]:
    return follows.dependency(edge), follows.steps[edge]
