"""Token-based replay (Rozinat and van der Aalst 2008): each activity of a case fires its transition; tokens that are
not there are put in and count as missing, tokens left over at the end count as remaining.

Silent transitions fire where they help, by the shortest way. This is quick and errs on the side of blame: a case that
replays without missing and remaining tokens is a run of the model, one that does not may still be (then a silent choice
was taken too early); alignments tell. An activity that the model does not know counts as a transition with a place of
its own on either side: a token missing, a token remaining.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lodestream_server.workloads.process_models.game import Game

#: Steps remembered, about 200 bytes each.
MOST_STEPS = 500_000


@dataclass(frozen=True, slots=True)
class Tokens:
    """Counts of a replay."""

    consumed: int = 0
    produced: int = 0
    missing: int = 0
    remaining: int = 0

    def plus(self, other: "Tokens", times: int = 1) -> "Tokens":
        """Added up."""
        return Tokens(
            self.consumed + times * other.consumed,
            self.produced + times * other.produced,
            self.missing + times * other.missing,
            self.remaining + times * other.remaining,
        )

    @property
    def fitness(self) -> float:
        """½ (1 - missing/consumed) + ½ (1 - remaining/produced)."""
        lost = self.missing / self.consumed if self.consumed else 0.0
        left = self.remaining / self.produced if self.produced else 0.0
        return 1 - (lost + left) / 2

    @property
    def perfect(self) -> bool:
        """Nothing missing, nothing left."""
        return not self.missing and not self.remaining


@dataclass(frozen=True, slots=True)
class Replayed:
    """`states` are the markings in which the activities happened, before silent moves; one for each activity."""

    tokens: Tokens
    states: tuple[bytes, ...]


class Replay:
    """Replays cases on one net and remembers what it saw."""

    def __init__(self, game: Game) -> None:
        self._game = game
        self._age = game.age
        self._steps: dict[tuple[int, str], tuple[int, Tokens]] = {}
        self._ends: dict[int, Tokens] = {}

    def trace(self, activities: Sequence[str]) -> Replayed:
        """The whole way of a case."""
        game = self._game
        game.tidy()
        if game.age != self._age or len(self._steps) > MOST_STEPS:
            self._steps, self._ends, self._age = {}, {}, game.age
        here = game.number(game.initial)
        tokens = Tokens(produced=sum(game.initial))
        states = []
        for activity in activities:
            states.append(game.marking(here))
            found = self._steps.get((here, activity))
            if found is None:
                found = self._steps[here, activity] = self._step(here, activity)
            here, counts = found
            tokens = tokens.plus(counts)
        if here not in self._ends:
            self._ends[here] = self._end(here)
        return Replayed(tokens.plus(self._ends[here]), tuple(states))

    def _step(self, here: int, activity: str) -> tuple[int, Tokens]:
        game = self._game
        named = game.named.get(activity)
        if named is None:
            return here, Tokens(1, 1, 1, 1)
        ways, _ = game.silently(here)
        for there in ways:
            for step in named:
                if game.allows(there, step) and (after := game.fired(there, step)) is not None:
                    counts = self._silent(ways, there)
                    return after, counts.plus(Tokens(len(game.before[step]), len(game.after[step])))
        missing, after, step = min((*game.forced(here, step), step) for step in named)
        return after, Tokens(len(game.before[step]), len(game.after[step]), missing)

    def _silent(self, ways: dict[int, tuple[int, int]], there: int) -> Tokens:
        """Tokens moved on the way."""
        counts = Tokens()
        while ways[there][1] >= 0:
            there, step = ways[there]
            counts = counts.plus(Tokens(len(self._game.before[step]), len(self._game.after[step])))
        return counts

    def _end(self, here: int) -> Tokens:
        game = self._game
        needed = sum(game.final)
        ways, _ = game.silently(here)
        goal = game.number(game.final)
        if goal in ways:
            return self._silent(ways, goal).plus(Tokens(consumed=needed))
        marking = game.marking(here)
        pairs = list(zip(marking, game.final, strict=True))
        missing = sum(max(0, wanted - there) for there, wanted in pairs)
        remaining = sum(max(0, there - wanted) for there, wanted in pairs)
        return Tokens(consumed=needed, missing=missing, remaining=remaining)
