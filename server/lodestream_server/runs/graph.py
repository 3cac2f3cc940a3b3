"""Steps that need each other, by their keys: an order in which each comes after what it needs, or why there is none.
Pure."""

from collections.abc import Mapping, Sequence

from lodestream.errors import DependencyProblem, Violation


def in_order(keys: Sequence[str], needs: Sequence[Sequence[str]], path: str = "operations") -> list[int]:
    """Places of the steps, each after those it needs; as given where that does not decide.

    Raises DependencyProblem naming the place: a key twice, a key that no step has, a cycle.
    """
    places = {key: place for place, key in reversed(list(enumerate(keys)))}
    found = [*_doubles(keys, places, path), *_strangers(needs, places, path)]
    if found:
        raise _problem(found)
    wanted = [[places[key] for key in dict.fromkeys(some)] for some in needs]
    order, done = list[int](), set[int]()
    while len(order) < len(keys):
        ready = [place for place in range(len(keys)) if place not in done and done.issuperset(wanted[place])]
        if not ready:
            raise _problem([_cycle(keys, wanted, done, path)])
        order += ready
        done.update(ready)
    return order


def longest_s(
    keys: Sequence[str], needs: Sequence[Sequence[str]], lengths_s: Mapping[str, float | None]
) -> float | None:
    """Length of the longest path; None when a step on the way is of unknown length."""
    if any(lengths_s[key] is None for key in keys):
        return None
    ends: dict[str, float] = {}
    for place in in_order(keys, needs):
        begin = max((ends[key] for key in needs[place]), default=0.0)
        ends[keys[place]] = begin + (lengths_s[keys[place]] or 0.0)
    return max(ends.values(), default=0.0)


def _doubles(keys: Sequence[str], places: Mapping[str, int], path: str) -> list[Violation]:
    return [
        Violation(f"{path}[{place}].operation_key", f"{key!r} is the key of {path}[{places[key]}] already")
        for place, key in enumerate(keys)
        if places[key] != place
    ]


def _strangers(needs: Sequence[Sequence[str]], places: Mapping[str, int], path: str) -> list[Violation]:
    return [
        Violation(f"{path}[{place}].dependencies[{index}]", f"no operation of the batch has the key {key!r}")
        for place, some in enumerate(needs)
        for index, key in enumerate(some)
        if key not in places
    ]


def _cycle(keys: Sequence[str], wanted: Sequence[Sequence[int]], done: set[int], path: str) -> Violation:
    """Every step left waits for one that is left too: following those comes round."""
    walked = [next(place for place in range(len(keys)) if place not in done)]
    while (step := next(place for place in wanted[walked[-1]] if place not in done)) not in walked:
        walked.append(step)
    ring = [*walked[walked.index(step) :], step]
    told = " → ".join(keys[place] for place in ring)
    return Violation(f"{path}[{ring[0]}].dependencies", f"form a cycle: {told}; each waits for the next")


def _problem(found: Sequence[Violation]) -> DependencyProblem:
    return DependencyProblem(f"{found[0].field}: {found[0].description}", violations=found)
