"""The heuristics miner: dependencies from counts, parallelism from traces, a causal net from both, a Petri net from
that.

The net is made of the bindings of whole traces (see `bindings`), so each of its transitions takes part in a trace of
the log that it replays completely, and noise leaves no trace in it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lodestream_server.workloads.process_models.behaviour import Behaviour
from lodestream_server.workloads.process_models.bindings import Neighbours, Use, neighbours, uses
from lodestream_server.workloads.process_models.causal_net import END, START, CausalNet, choices, petri_net
from lodestream_server.workloads.process_models.dependencies import Edge, Follows, Trace, dependencies
from lodestream_server.workloads.process_models.net import PetriNet

#: Rarer activities than the 100 most frequent ones are left out: no net of more is read by anybody.
MOST_ACTIVITIES = 100
#: How strong an edge must be, strictest first. Weaker ones come in only where the net replays too little without them:
#: 0.5 takes an order that is three times as frequent as the other for a sequence.
DEPENDENCIES = (0.9, 0.7, 0.5)
#: Share of cases that a net should replay.
ENOUGH = 0.9
#: A set of several partners is more than chance when so large a share of its activity's events have it.
BINDING_SHARE = 0.02
#: Traces between two looks at whether to stop.
_TRACES_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Mined:
    """The net; activities without a transition; the dependency that edges had to reach; the share of cases (of those at
    hand) whose traces the net is made of, so that it surely replays them."""

    net: PetriNet
    left_out: tuple[str, ...]
    dependency: float
    replayed: float


def heuristics_net(behaviour: Behaviour, check: Callable[[], None], title: str = "process") -> Mined:
    """Mines the net: the strictest one that replays enough, else the one that replays most. Bounded by the variants at
    hand and by MOST_ACTIVITIES."""
    names = list(behaviour.activities)[:MOST_ACTIVITIES]
    traces = _traces(behaviour, names, check)
    follows = _follows(behaviour, names, traces)
    best: Mined | None = None
    for dependency in DEPENDENCIES:
        edges = dependencies(follows, range(len(names)), dependency)
        causal, cases = _causal(_whole(traces, neighbours(edges), check), len(names))
        if best and cases <= best.replayed * behaviour.listed:
            continue
        causal = causal if cases else choices(sorted(_on_the_way(edges)))
        left_out = [name for number, name in enumerate(names) if number not in causal.joins]
        left_out += list(behaviour.activities)[MOST_ACTIVITIES:]
        net = petri_net(causal, names, check, title)
        best = Mined(net, tuple(left_out), dependency, cases / max(1, behaviour.listed))
        if best.replayed >= ENOUGH:
            break
    assert best is not None, "DEPENDENCIES is not empty"
    return best


def _traces(behaviour: Behaviour, names: Sequence[str], check: Callable[[], None]) -> list[tuple[Trace, int]]:
    """The variants in numbers, without the activities that have no name here, equal ones as one."""
    numbers = {name: number for number, name in enumerate(names)}
    found: Counter[Trace] = Counter()
    for place, (variant, cases) in enumerate(behaviour.variants):
        if place % _TRACES_AT_ONCE == 0:
            check()
        found[tuple(numbers[name] for name in variant if name in numbers)] += cases
    del found[()]
    return found.most_common()


def _follows(behaviour: Behaviour, names: Sequence[str], traces: list[tuple[Trace, int]]) -> Follows:
    """Counts of the whole log; of the variants at hand where activities are left out, for then others meet."""
    found = Follows()
    for trace, cases in traces:
        found.add_returns(trace, cases)
    if len(names) < len(behaviour.activities):
        for trace, cases in traces:
            found.add_steps((edge, cases) for edge in zip((START, *trace), (*trace, END), strict=True))
        return found
    numbers = {name: number for number, name in enumerate(names)}
    found.add_steps(((START, numbers[name]), cases) for name, cases in behaviour.starts.items())
    found.add_steps(((numbers[a], numbers[b]), count) for (a, b), count in behaviour.steps.items())
    found.add_steps(((numbers[name], END), cases) for name, cases in behaviour.ends.items())
    return found


Whole = list[tuple[frozenset[Use], int]]


def _whole(traces: list[tuple[Trace, int]], graph: Neighbours, check: Callable[[], None]) -> Whole:
    """The different uses of each trace that is whole, and its cases."""
    found = []
    for place, (trace, cases) in enumerate(traces):
        if place % _TRACES_AT_ONCE == 0:
            check()
        if used := uses(trace, graph):
            found.append((frozenset(used), cases))
    return found


def _causal(whole: Whole, size: int) -> tuple[CausalNet, int]:
    """The bindings of all whole traces that show nothing rare, and of the most frequent one for each activity that is
    missing then; and the cases of these traces."""
    often = _frequent(whole)
    usual = [(used, cases) for used, cases in whole if used <= often]
    kept: set[Use] = set().union(*(used for used, _ in usual))
    cases = sum(count for _, count in usual)
    missing = set(range(size)) - {activity for _, activity, _ in kept}
    for used, count in whole:
        here = {activity for _, activity, _ in used}
        if here & missing:
            kept |= used
            cases += count
            missing -= here
    return CausalNet(_side(kept, False), _side(kept, True)), cases


def _frequent(whole: Whole) -> set[Use]:
    """Single partners, whose edges are no noise, and sets that enough of the activity's traces show."""
    counts: Counter[Use] = Counter()
    sides: Counter[tuple[bool, int]] = Counter()
    for used, cases in whole:
        for use in used:
            counts[use] += cases
            sides[use[:2]] += cases
    return {use for use, count in counts.items() if len(use[2]) == 1 or count >= BINDING_SHARE * sides[use[:2]]}


def _side(kept: set[Use], splits: bool) -> dict[int, frozenset[frozenset[int]]]:
    found: dict[int, set[frozenset[int]]] = {}
    for split, activity, partners in kept:
        if split == splits:
            found.setdefault(activity, set()).add(partners)
    return {activity: frozenset(sets) for activity, sets in found.items()}


def _on_the_way(edges: frozenset[Edge]) -> frozenset[Edge]:
    """The edges that lie between START and END."""
    ahead = _reached(edges, START)
    back = _reached(frozenset((target, source) for source, target in edges), END)
    return frozenset(edge for edge in edges if edge[0] in ahead and edge[1] in back)


def _reached(edges: frozenset[Edge], begin: int) -> set[int]:
    found, waiting = {begin}, [begin]
    while waiting:
        here = waiting.pop()
        fresh = {target for source, target in edges if source == here} - found
        found |= fresh
        waiting += fresh
    return found
