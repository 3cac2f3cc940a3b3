"""The call being answered: who made it, for which project. Set by the guard, read by servicers; context variables, so
that concurrent calls never meet.

A `Trail` is there from a call's first moment on, whoever made it, and is read by log, figures and traces.
"""

from contextvars import ContextVar
from dataclasses import dataclass

from lodestream_server.store.keys import ApiKey, Role
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


@dataclass(slots=True)
class Trail:
    """What has become known of a call so far. `reason` says why it was refused; `by` and `tenant_id` are empty until
    the guard has let it in."""

    method: str
    role: Role
    streams: bool
    request_id: str = ""
    run_id: str = ""
    by: str = ""
    tenant_id: str = ""
    reason: str = ""


_current: ContextVar[Call] = ContextVar("lodestream_call")
_trail: ContextVar[Trail | None] = ContextVar("lodestream_trail", default=None)


def enter(call: Call) -> None:
    """Makes it the call of the running task."""
    _current.set(call)
    if (seen := _trail.get()) is not None:
        seen.by, seen.tenant_id = call.by, call.scope.tenant_id


def follow(seen: Trail) -> None:
    """Makes it the trail of the running task."""
    _trail.set(seen)


def trail() -> Trail | None:
    """The trail of the call being answered; None outside of one."""
    return _trail.get()


def current() -> Call:
    """The call being answered. Raises LookupError outside of one."""
    return _current.get()
