"""Functions compiled once per message type, also for types that contain themselves and from several threads at once."""

from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
F = TypeVar("F", bound=Callable[..., Any])


class Compiled(Generic[K, F]):
    """`compiled(key)` is the function that `compile(key)` made the first time it was asked for.

    While a type is being compiled, those inside it get a function that looks the finished one up when it is called.
    A compilation that raises leaves nothing behind.
    """

    def __init__(self, compile: Callable[[K], F]) -> None:
        self._compile = compile
        self._ready: dict[K, F] = {}
        self._under_way: set[K] = set()
        self._lock = RLock()

    def __call__(self, key: K) -> F:
        """The function of this key."""
        found = self._ready.get(key)
        return self._made(key) if found is None else found

    def _made(self, key: K) -> F:
        with self._lock:  # held by another thread only while it compiles
            if key in self._ready:
                return self._ready[key]
            if key in self._under_way:
                return lambda *arguments: self(key)(*arguments)  # type: ignore[return-value]  # has the signature it forwards to
            self._under_way.add(key)
            try:
                self._ready[key] = self._compile(key)
            finally:
                self._under_way.discard(key)
            return self._ready[key]
