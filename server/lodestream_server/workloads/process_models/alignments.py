"""Alignments (Adriansyah 2014): the cheapest way to lay a case and a run of the model side by side.

An activity that the model does not allow there is extra, one that the model demands and the case lacks is skipped; each
costs 1. Searched exactly, cost by cost, within a bound of states; ties are broken by the order of the net, so that a
case always gets the same alignment. r4pm searches faster and breaks ties by chance: two runs would tell different
stories, so it serves as the cross-check in the tests.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from lodestream_server.workloads.process_models.game import Game

#: States (place in the case, marking) that one alignment may look at, and markings: about two seconds and 300 MB.
MOST_STATES, MOST_MARKINGS = 100_000, 300_000
#: States between two cancel points.
_STRIDE = 5_000

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
        * (events + 1) + events done."""
        game, width = self._game, len(names) + 1
        goal = game.number(game.final) * width + len(names)
        came: dict[int, tuple[int, int]] = {}
        layer = [(game.number(game.initial) * width, -1, _NOTHING)]
        while layer:
            dearer: list[tuple[int, int, int]] = []
            layer.reverse()
            while layer:
                state, before, move = layer.pop()
                if state in came:
                    continue
                came[state] = (before, move)
                if state == goal:
                    return state, came
                if len(came) % _STRIDE == 0:
                    self._check()
                if len(came) >= self.most_states or len(game) > MOST_MARKINGS:
                    raise OutOfBounds
                self._expand(state, width, names, layer, dearer)
            layer = dearer
        raise Unreachable

    def _expand(
        self,
        state: int,
        width: int,
        names: list[str],
        same: list[tuple[int, int, int]],
        dearer: list[tuple[int, int, int]],
    ) -> None:
        """Moves for nothing go to `same`, of which the last is taken first: together before silent."""
        number, place = divmod(state, width)
        silent, visible = self._game.moves(number)
        labels = self._game.labels
        wanted = names[place] if place + 1 < width else None
        for step, there in reversed(silent):
            same.append((there * width + place, state, step))
        for step, there in reversed(visible):
            if labels[step] == wanted:
                same.append((there * width + place + 1, state, step))
        if wanted is not None:
            dearer.append((state + 1, state, _EXTRA))
        for step, there in visible:
            dearer.append((there * width + place, state, step))

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
