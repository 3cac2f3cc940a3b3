"""Small nets, and what they can do: their language up to a length, by walking through all markings."""

from collections.abc import Mapping

from lodestream_server.workloads.process_models.net import PetriNet, Transition

Trace = tuple[str, ...]


def net_of(*steps: str, start: str = "s", end: str = "e") -> PetriNet:
    """A net of steps as `a b > X > c`: places before, label (. for silent), places behind."""
    arcs: list[tuple[str, str]] = []
    transitions: list[Transition] = []
    places: list[str] = [start, end]
    for number, step in enumerate(steps):
        before, label, after = (part.strip() for part in step.split(">"))
        name = f"t{number}"
        transitions.append(Transition(name, None if label == "." else label))
        arcs += [(place, name) for place in before.split()] + [(name, place) for place in after.split()]
        places += [*before.split(), *after.split()]
    return PetriNet(tuple(dict.fromkeys(places)), tuple(transitions), tuple(arcs), {start: 1}, {end: 1})


#: A, then B beside C where B may be left out, then D; all of it again, as often as one likes.
LOOPED = net_of("s > A > a b", "a > B > c", "a > . > c", "b > C > d", "c d > D > e", "e > . > s")


def language(net: PetriNet, longest: int = 6) -> set[Trace]:
    """All complete traces up to this length; places hold at most three tokens."""
    before = {step.name: [place for place, name in net.arcs if name == step.name] for step in net.transitions}
    after = {step.name: [place for name, place in net.arcs if name == step.name] for step in net.transitions}
    final = _frozen(net.final)
    begin: tuple[frozenset[tuple[str, int]], Trace] = (_frozen(net.initial), ())
    seen, open_, found = {begin}, [begin], set()
    while open_:
        marking, trace = open_.pop()
        if marking == final:
            found.add(trace)
        tokens = dict(marking)
        for step in net.transitions:
            if any(tokens.get(place, 0) < 1 for place in before[step.name]):
                continue
            fired = dict(tokens)
            for place in before[step.name]:
                fired[place] -= 1
            for place in after[step.name]:
                fired[place] = fired.get(place, 0) + 1
            longer = trace if step.label is None else (*trace, step.label)
            state = (_frozen(fired), longer)
            if len(longer) <= longest and max(fired.values()) <= 3 and state not in seen:
                seen.add(state)
                open_.append(state)
    return found


def replays(net: PetriNet, trace: Trace) -> bool:
    """Whether the net can do exactly this trace, from the initial marking to the final one."""
    before = {step.name: {place for place, name in net.arcs if name == step.name} for step in net.transitions}
    after = {step.name: {place for name, place in net.arcs if name == step.name} for step in net.transitions}
    begin = (frozenset(net.initial), 0)
    known, waiting = {begin}, [begin]
    while waiting:
        marking, done = waiting.pop()
        if done == len(trace) and marking == frozenset(net.final):
            return True
        for step in net.transitions:
            ahead = done + (step.label is not None)
            if not before[step.name] <= marking or (step.label is not None and trace[done : done + 1] != (step.label,)):
                continue
            state = (marking - before[step.name] | after[step.name], ahead)
            if state not in known:
                known.add(state)
                waiting.append(state)
    return False


def _frozen(marking: Mapping[str, int]) -> frozenset[tuple[str, int]]:
    return frozenset((place, count) for place, count in marking.items() if count)
