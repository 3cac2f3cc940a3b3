"""Every call seen from outside the guard: who called what, how it ended, how long it took.

`observed` wraps a guarded handler. Log, figures and traces are observers: told when a call begins and when it is over,
in the call's own context. An observer that fails must not fail the call.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, Protocol

from lodestream import status
from lodestream_server.grpc_door import call
from lodestream_server.grpc_door.call import Trail
from lodestream_server.grpc_door.methods import Method

log = logging.getLogger(__name__)

Behaviour = Callable[[Any, Any], Any]
#: Fields that name a run, in requests and in answers.
_RUNS: Final = ("job_id", "operation_id", "batch_id")
#: What strangers send as an id is no longer than this in our log.
_LONGEST: Final = 64
#: Refusals that operators look for; other faults of callers are their own affair.
_NOTABLE: Final = frozenset({"UNAUTHENTICATED", "ROLE_TOO_LOW", "QUOTA_EXCEEDED", "DISK_FULL", "STORE_UNAVAILABLE"})


class Observer(Protocol):
    """Somebody who wants to know of calls."""

    def begins(self, trail: Trail, metadata: Any) -> None:
        """A call came in; nothing is known of it but its method and its id."""

    def ends(self, trail: Trail, seconds: float) -> None:
        """It is over: `trail.reason` is empty when it went well, CANCELLED when the caller went away."""


def observed(method: Method, behaviour: Behaviour, observers: Sequence[Observer]) -> Behaviour:
    """The behaviour, of any kind, with the observers around it."""
    if not method.server_streams:

        async def unary(request: Any, context: Any) -> Any:
            with _Seen(method, request, context, observers) as seen:
                answer = await behaviour(request, context)
                seen.trail.run_id = seen.trail.run_id or run_of(answer)
                return answer

        return unary

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        with _Seen(method, request, context, observers):
            async with aclosing(behaviour(request, context)) as answers:
                async for answer in answers:
                    yield answer

    return stream


class _Seen:
    """One call, from its beginning to its end however that comes."""

    def __init__(self, method: Method, request: Any, context: Any, observers: Sequence[Observer]) -> None:
        self.trail = Trail(method.name, method.role, method.server_streams, run_id=run_of(request))
        self._metadata = context.invocation_metadata()
        self._observers = observers
        self._began = time.perf_counter()

    def __enter__(self) -> "_Seen":
        call.follow(self.trail)
        for observer in self._observers:
            try:
                observer.begins(self.trail, self._metadata)
            except Exception:
                log.exception("an observer of calls fell over")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not self.trail.reason:
            self.trail.reason = "CANCELLED"
        seconds = time.perf_counter() - self._began
        for observer in reversed(self._observers):
            try:
                observer.ends(self.trail, seconds)
            except Exception:
                log.exception("an observer of calls fell over")


class CallLog:
    """Calls in the server's log: what changes something and what operators look for as INFO, the rest as DEBUG."""

    def begins(self, trail: Trail, metadata: Any) -> None:
        """See `Observer`."""

    def ends(self, trail: Trail, seconds: float) -> None:
        """See `Observer`."""
        notable = trail.reason in _NOTABLE or (trail.role != "read" and not trail.reason)
        level = logging.INFO if notable else logging.DEBUG
        if not log.isEnabledFor(level):
            return
        told = {
            "method": trail.method,
            "outcome": trail.reason or "OK",
            "ms": round(1000 * seconds, 1),
            "request": trail.request_id,
            "run": trail.run_id,
            "by": trail.by,
            "tenant": trail.tenant_id,
        }
        log.log(level, "call", extra={name: value for name, value in told.items() if value != ""})


def code_of(trail: Trail) -> str:
    """The gRPC code a call ended with."""
    if trail.reason in ("", "CANCELLED"):
        return trail.reason or "OK"
    return status.of(trail.reason).code.name


def run_of(message: Any) -> str:
    """The run that a request or an answer names; empty when it names none."""
    inner = getattr(message, "request", message)
    for field in _RUNS:
        found = getattr(inner, field, "")
        if found and isinstance(found, str):
            return found[:_LONGEST]
    return ""
