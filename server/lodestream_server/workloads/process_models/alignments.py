"""Alignments (Adriansyah 2014): the cheapest way to lay a case and a run of the model side by side.

An activity that the model does not allow there is extra, one that the model demands and the case lacks is skipped; each
costs 1. Searched exactly (A*: the estimate counts activities that the model must still do and the case does not have
left) within a bound of states; ties are broken by the order of the net, so that a
case always gets the same alignment. r4pm searches faster and breaks ties by chance: two runs would tell different
stories, so it serves as the cross-check in the tests.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from lodestream_server.workloads.process_models.game import Game

#: States (place in the case, marking) that one alignment may look at, and markings: about two seconds and 300 MB.
MOST_STATES, MOST_MARKINGS = 100_000, 300_000
#: States between two cancel points.
_STRIDE = 500

_EXTRA, _NOTHING = -1, -2

Kind = Literal["together", "extra", "skipped", "silent"]


@dataclass(frozen=True, slots=True)
class Move:
    """`activity` is None for silent moves, `state` the marking in which it happened (before silent moves)."""

    kind: Kind
    activity: str | None
    state: bytes


@dataclass(frozen=True, slots=True)
class Aligned:
    """An optimal alignment; `states` were looked at to find it."""

    cost: int
    moves: tuple[Move, ...]
    states: int


class OutOfBounds(Exception):
    """The bound of states was reached before an alignment was found."""


class Unreachable(Exception):
    """The net has no way from its initial marking to its final one."""


class Aligner:
    """Aligns cases with one net; `check` is called now and then."""

    def __init__(self, game: Game, check: Callable[[], None], most_states: int = MOST_STATES) -> None:
        self._game = game
        self._check = check
        self.most_states = most_states

    def trace(self, activities: Sequence[str]) -> Aligned:
        """Raises OutOfBounds, Unreachable."""
        game = self._game
        game.tidy()
        known = [place for place, name in enumerate(activities) if name in game.named]
        names = [activities[place] for place in known]
        last, came = self._search(names)
        moves = self._told(last, came, activities, known)
        cost = sum(move.kind in ("extra", "skipped") for move in moves)
        return Aligned(cost, tuple(moves), len(came))

    def _search(self, names: list[str]) -> tuple[int, dict[int, tuple[int, int]]]:
        """The last state, and for every state the one before and the move: a transition, or _EXTRA. A state is marking
        * (events + 1) + events done. The cheapest estimate goes first, of equals the latest."""
        game, search = self._game, _Frontier(self._game, names)
        goal = game.number(game.final) * search.width + len(names)
        search.add(game.number(game.initial) * search.width, 0, -1, _NOTHING)
        while (found := search.next()) is not None:
            state, cost = found
            if state == goal:
                return state, search.came
            if search.visited % _STRIDE == 0:
                self._check()
            if len(search.came) >= self.most_states or len(game) > MOST_MARKINGS:
                raise OutOfBounds
            search.expand(state, cost)
        raise Unreachable

    def _told(self, last: int, came: dict[int, tuple[int, int]], events: Sequence[str], known: list[int]) -> list[Move]:
        """The moves from the beginning; activities that the model does not know are put back at their places."""
        game, width = self._game, len(known) + 1
        way = []
        while came[last][1] != _NOTHING:
            before, move = came[last]
            way.append((before, move, last))
            last = before
        moves: list[Move] = []
        state, done = game.initial, 0

        def up_to(place: int) -> None:
            nonlocal done
            moves.extend(Move("extra", events[strange], state) for strange in range(done, place))
            done = place

        up_to(known[0] if known else len(events))
        for before, step, after in reversed(way):
            number = before % width
            if step == _EXTRA:
                moves.append(Move("extra", events[known[number]], state))
            elif game.labels[step] is None:
                moves.append(Move("silent", None, state))
            else:
                moves.append(Move("together" if after % width > number else "skipped", game.labels[step], state))
                state = game.marking(after // width)
            if after % width > number:
                done += 1
                up_to(known[number + 1] if number + 1 < len(known) else len(events))
        return moves


class _Frontier:
    """States by what a whole alignment through them costs at least: what they cost, and what must still be skipped."""

    def __init__(self, game: Game, names: list[str]) -> None:
        self._game = game
        self._names = names
        self.width = len(names) + 1
        self.came: dict[int, tuple[int, int]] = {}
        self.visited = 0
        self._cost: dict[int, int] = {}
        self._queue: list[list[tuple[int, int]]] = []
        self._lowest = 0
        self._places: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            self._places.setdefault(name, []).append(place)

    def add(self, state: int, cost: int, before: int, move: int) -> None:
        """A state that can be reached at this cost; nothing when it is known to be as cheap, or leads nowhere."""
        if self._cost.get(state, cost + 1) <= cost:
            return
        must = self._game.must(state // self.width)
        if must is None:
            return
        estimate, done = cost, state % self.width
        for label, times in must:
            places = self._places.get(label, ())
            estimate += max(0, times - len(places) + bisect_left(places, done))
        self._cost[state] = cost
        self.came[state] = (before, move)
        while len(self._queue) <= estimate:
            self._queue.append([])
        self._queue[estimate].append((state, cost))
        self._lowest = min(self._lowest, estimate)

    def next(self) -> tuple[int, int] | None:
        """The most promising state and its cost; None when there is none left."""
        while self._lowest < len(self._queue):
            waiting = self._queue[self._lowest]
            while waiting:
                state, cost = waiting.pop()
                if self._cost[state] == cost:
                    self.visited += 1
                    return state, cost
            self._lowest += 1
        return None

    def expand(self, state: int, cost: int) -> None:
        """All moves from a state; together is added last, so that it is tried first."""
        number, place = divmod(state, self.width)
        silent, visible = self._game.silent(number), self._game.visible(number)
        labels = self._game.labels
        wanted = self._names[place] if place + 1 < self.width else None
        if wanted is not None:
            self.add(state + 1, cost + 1, state, _EXTRA)
        for step, there in reversed(visible):
            self.add(there * self.width + place, cost + 1, state, step)
        for step, there in reversed(silent):
            self.add(there * self.width + place, cost, state, step)
        for step, there in reversed(visible):
            if labels[step] == wanted:
                self.add(there * self.width + place + 1, cost, state, step)
