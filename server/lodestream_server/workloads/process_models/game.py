"""The token game of a net: markings by number, and what each allows. Shared by replay, alignments and precision.

Markings are made when they are met and remembered until `tidy`, so that the cases of a log, which pass the same ones
again and again, cost a look-up each. A place holds at most 255 tokens.
"""

from collections import Counter
from collections.abc import Mapping

from lodestream_server.workloads.process_models.net import PetriNet

#: Markings remembered from one variant to the next, and silent moves looked through at a time.
MOST_KEPT, MOST_SILENT = 200_000, 2_000
_FULL = 255

#: (number of the transition, number of the marking it leads to)
Move = tuple[int, int]


class Game:
    """Transitions have their index in `net.transitions`; labels are texts."""

    def __init__(self, net: PetriNet) -> None:
        self.net = net
        self.age = 0
        places = {name: number for number, name in enumerate(net.places)}
        steps = {step.name: number for number, step in enumerate(net.transitions)}
        self.before: list[list[int]] = [[] for _ in steps]
        self.after: list[list[int]] = [[] for _ in steps]
        for source, target in net.arcs:
            if source in places:
                self.before[steps[target]].append(places[source])
            else:
                self.after[steps[source]].append(places[target])
        self._producers = _sides(self.after, len(places))
        self._consumers = _sides(self.before, len(places))
        self.labels = [step.label for step in net.transitions]
        #: label -> its transitions
        self.named: dict[str, list[int]] = {}
        for number, label in enumerate(self.labels):
            if label is not None:
                self.named.setdefault(label, []).append(number)
        self._quiet = self._by_place([step for step, label in enumerate(self.labels) if label is None], len(places))
        self._loud = self._by_place([step for step, label in enumerate(self.labels) if label is not None], len(places))
        self.initial, self.final = (_marking(places, tokens) for tokens in (net.initial, net.final))
        self._numbers: dict[bytes, int] = {}
        self._markings: list[bytes] = []
        self._silent: dict[int, list[Move]] = {}
        self._visible: dict[int, list[Move]] = {}
        self._must: dict[int, tuple[tuple[str, int], ...] | None] = {}

    def _by_place(self, steps: list[int], places: int) -> list[list[int]]:
        """Transitions by the first place that they need; those that need none come last."""
        found: list[list[int]] = [[] for _ in range(places + 1)]
        for step in steps:
            found[self.before[step][0] if self.before[step] else places].append(step)
        return found

    def __len__(self) -> int:
        """Markings remembered."""
        return len(self._markings)

    def tidy(self) -> None:
        """Forgets all markings when they have become many; numbers of an earlier `age` are void then."""
        if len(self._markings) > MOST_KEPT:
            self._numbers, self._markings, self._must = {}, [], {}
            self._silent, self._visible = {}, {}
            self.age += 1

    def number(self, marking: bytes) -> int:
        """The number of a marking: tokens by place, one byte each."""
        found = self._numbers.get(marking)
        if found is None:
            found = self._numbers[marking] = len(self._markings)
            self._markings.append(marking)
        return found

    def marking(self, number: int) -> bytes:
        """The marking of a number."""
        return self._markings[number]

    def silent(self, number: int) -> list[Move]:
        """The silent transitions that are enabled."""
        if number not in self._silent:
            self._silent[number] = self._enabled(self._markings[number], self._quiet)
        return self._silent[number]

    def visible(self, number: int) -> list[Move]:
        """The labelled transitions that are enabled."""
        if number not in self._visible:
            self._visible[number] = self._enabled(self._markings[number], self._loud)
        return self._visible[number]

    def allows(self, number: int, step: int) -> bool:
        """Whether a transition is enabled."""
        marking = self._markings[number]
        return all(marking[place] for place in self.before[step])

    def fired(self, number: int, step: int) -> int | None:
        """Where an enabled transition leads; None where a place would overflow."""
        after = self._fired(self._markings[number], step)
        return None if after is None else self.number(after)

    def _enabled(self, marking: bytes, by_place: list[list[int]]) -> list[Move]:
        """In the order of places, then of the net."""
        found: list[Move] = []
        steps = by_place[-1] + [step for place, count in enumerate(marking) if count for step in by_place[place]]
        for step in steps:
            if all(marking[place] for place in self.before[step]) and (fired := self._fired(marking, step)) is not None:
                found.append((step, self.number(fired)))
        return found

    def _fired(self, marking: bytes, step: int) -> bytes | None:
        """None where a place would overflow."""
        tokens = bytearray(marking)
        for place in self.before[step]:
            tokens[place] -= 1
        for place in self.after[step]:
            if tokens[place] == _FULL:
                return None
            tokens[place] += 1
        return bytes(tokens)

    def must(self, number: int) -> tuple[tuple[str, int], ...] | None:
        """Labels that every way from here to the final marking passes, with the number of transitions that are sure to
        fire; None when there is certainly no way."""
        if number not in self._must:
            steps = self._sure(self._markings[number])
            labels = Counter(label for step in steps or () if (label := self.labels[step]) is not None)
            self._must[number] = None if steps is None else tuple(labels.items())
        return self._must[number]

    def _sure(self, marking: bytes) -> set[int] | None:
        """Transitions that must fire: the only ones that can take a token away that must go, or bring one that must
        come; and so on for the tokens that they bring and need."""
        found: set[int] = set()
        open_: list[list[int]] = []
        for place, (here, wanted) in enumerate(zip(marking, self.final, strict=True)):
            if here != wanted:
                open_.append((self._consumers if here > wanted else self._producers)[place])
        while open_:
            able = open_.pop()
            if not able:
                return None
            if len(able) > 1 or able[0] in found:
                continue
            found.add(able[0])
            open_ += [self._consumers[p] for p in self.after[able[0]] if marking[p] >= self.final[p]]
            open_ += [self._producers[p] for p in self.before[able[0]] if not marking[p]]
        return found

    def forced(self, number: int, step: int) -> tuple[int, int]:
        """A transition fires although tokens are missing: how many, and where that leads."""
        tokens, missing = bytearray(self._markings[number]), 0
        for place in self.before[step]:
            missing += not tokens[place]
            tokens[place] -= bool(tokens[place])
        for place in self.after[step]:
            tokens[place] += tokens[place] < _FULL
        return missing, self.number(bytes(tokens))

    def silently(self, number: int) -> tuple[dict[int, tuple[int, int]], bool]:
        """All markings that silent moves lead to, the nearest first: number -> (number before, transition), and whether
        these are all. The first is the marking itself, with (-1, -1)."""
        found = {number: (-1, -1)}
        queue = [number]
        for here in queue:  # grows while it is walked
            for step, there in self.silent(here):
                if there not in found:
                    if len(found) >= MOST_SILENT:
                        return found, False
                    found[there] = (here, step)
                    queue.append(there)
        return found, True


def _sides(steps: list[list[int]], places: int) -> list[list[int]]:
    """The transitions of each place."""
    found: list[list[int]] = [[] for _ in range(places)]
    for step, touched in enumerate(steps):
        for place in touched:
            found[place].append(step)
    return found


def _marking(places: Mapping[str, int], tokens: Mapping[str, int]) -> bytes:
    marking = bytearray(len(places))
    for place, count in tokens.items():
        marking[places[place]] = count
    return bytes(marking)
