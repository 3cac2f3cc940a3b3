"""The call being answered: who made it, for which project. Set by the guard, read by servicers; a context variable, so
that concurrent calls never meet."""

from contextvars import ContextVar
from dataclasses import dataclass

from lodestream_server.store.keys import ApiKey
from lodestream_server.store.reading import Scope


@dataclass(frozen=True, slots=True)
class Call:
    """A call that passed the guard. `scope` is empty for methods without a project; `method` is
    "package.Service/Method"."""

    method: str
    request_id: str
    key: ApiKey
    scope: Scope

    @property
    def by(self) -> str:
        """Who called, as answers name it."""
        return self.key.name


_current: ContextVar[Call] = ContextVar("lodestream_call")


def enter(call: Call) -> None:
    """Makes it the call of the running task."""
    _current.set(call)


def current() -> Call:
    """The call being answered. Raises LookupError outside of one."""
    return _current.get()
