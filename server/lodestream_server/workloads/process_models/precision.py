"""Precision (van der Aalst, Adriansyah and van Dongen 2012): how much of what the model allows is ever done.

For each activity that fits, in the marking in which it happened: of the activities that the model allows there, the
share that the log does there. Precision is the mean over these activities. 1 means that the log does everything that
the model allows; a model that allows anything at any time is close to 0.
"""

from collections.abc import Callable

from lodestream_server.workloads.process_models.game import Game

#: Markings kept; with more of them precision is not told.
MOST_MARKINGS = 100_000


class Precision:
    """Collects what was done in which marking."""

    def __init__(self, game: Game) -> None:
        self._game = game
        #: marking (before silent moves) -> activity -> times
        self._done: dict[bytes, dict[str, int]] = {}
        self._known = True

    def add(self, state: bytes, activity: str, times: int) -> None:
        """An activity that fits happened in a marking."""
        done = self._done.get(state)
        if done is None:
            if len(self._done) >= MOST_MARKINGS:
                self._known = False
                return
            done = self._done[state] = {}
        done[activity] = done.get(activity, 0) + times

    def value(self, check: Callable[[], None]) -> float | None:
        """Between 0 and 1; None when nothing fitted, or when markings or silent moves were too many to tell."""
        total, whole = 0.0, 0
        for place, (state, done) in enumerate(self._done.items()):
            if place % 100 == 0:
                check()
            allowed = self._allowed(state)
            if allowed is None:
                return None
            times = sum(done.values())
            total += times * len(done) / allowed
            whole += times
        return total / whole if whole and self._known else None

    def _allowed(self, state: bytes) -> int | None:
        """Different activities that may come next."""
        game = self._game
        game.tidy()
        ways, all_ = game.silently(game.number(state))
        return len({game.labels[step] for there in ways for step, _ in game.visible(there)}) if all_ else None
