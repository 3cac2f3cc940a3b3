"""The virtual clock of a session: whole milliseconds since the session began.

It never goes back. In `frozen`, `step` and `auto` it moves only when somebody moves it, so nothing depends on how fast
the machine is; `scaled:RATE` and `wall` run by themselves. Streams wait for it with `moved`.
"""

import asyncio
import time
from collections.abc import Callable

MODES = ("frozen", "step", "auto", "wall", "scaled:RATE")


class UnknownClock(ValueError):
    """There is no clock of that name."""


def rate_of(mode: str) -> float:
    """How many virtual seconds pass in a real one: 0 for clocks that do not run. Raises UnknownClock."""
    if mode in ("frozen", "step", "auto"):
        return 0.0
    if mode == "wall":
        return 1.0
    name, _, rate = mode.partition(":")
    try:
        value = float(rate) if name == "scaled" else 0.0
    except ValueError:
        value = 0.0
    if not 0 < value <= 1_000_000:
        raise UnknownClock(
            f"no clock is called {mode!r}: use one of {', '.join(MODES)}, with RATE above 0, like scaled:60"
        )
    return value


class Clock:
    """`on_move` is called after every jump with the new time."""

    def __init__(self, mode: str = "frozen", monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._moved = asyncio.Event()
        self._set(mode, 0)
        self.on_move: Callable[[], None] = lambda: None

    def _set(self, mode: str, now_ms: int) -> None:
        self.rate = rate_of(mode)
        self.mode = mode
        self._base = now_ms
        self._anchor = self._monotonic()

    def switch(self, mode: str) -> None:
        """Another mode from now on, at the same time. Raises UnknownClock."""
        rate_of(mode)
        self._set(mode, self.now_ms())
        self._wake()

    def now_ms(self) -> int:
        """Milliseconds since the session began."""
        return self._base + int((self._monotonic() - self._anchor) * self.rate * 1000) if self.rate else self._base

    def move_to(self, now_ms: int) -> None:
        """Jumps there; no effect when it lies behind."""
        if now_ms > self.now_ms():
            self._base = now_ms
            self._anchor = self._monotonic()
            self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        self.on_move()

    async def moved(self, due_ms: int | None = None, real_seconds: float | None = None) -> None:
        """Waits for the next jump; on a clock that runs, at the latest until `due_ms`, or for so many real seconds."""
        limits = [] if real_seconds is None else [real_seconds]
        if self.rate and due_ms is not None:
            limits.append(max(0.0, (due_ms - self.now_ms()) / 1000 / self.rate) + 0.001)
        try:
            await asyncio.wait_for(self._moved.wait(), min(limits, default=None))
        except TimeoutError:
            return
