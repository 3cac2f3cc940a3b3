"""Faults that a test has set: queued per session, each call takes the first one that is for its method and not used up.

The same on both doors, because the interceptor that lets them fire stands behind both.
"""

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from grpc import StatusCode

from lodestream import status

KINDS = ("status", "delay", "reset", "stall", "duplicate")
#: The reason that stands for a code, so that both doors tell a whole error of the contract.
_REASONS = {
    StatusCode.INVALID_ARGUMENT: "MALFORMED",
    StatusCode.NOT_FOUND: "NOT_FOUND",
    StatusCode.UNAUTHENTICATED: "UNAUTHENTICATED",
    StatusCode.PERMISSION_DENIED: "ROLE_TOO_LOW",
    StatusCode.RESOURCE_EXHAUSTED: "QUOTA_EXCEEDED",
    StatusCode.FAILED_PRECONDITION: "RUN_NOT_FINISHED",
    StatusCode.UNAVAILABLE: "SERVER_DRAINING",
    StatusCode.UNIMPLEMENTED: "NOT_BUILT",
    StatusCode.INTERNAL: "INTERNAL",
}


class WrongFault(ValueError):
    """A fault that can never fire, or whose words nobody knows."""


@dataclass(slots=True)
class Fault:
    """`times` 0 means always; `after_messages` counts the messages of a stream that come before it.

    `code` and `reason` say what a status fault tells; one follows from the other where only one is given.
    """

    fault_id: str
    method: str
    kind: str = "status"
    code: str = ""
    reason: str = ""
    message: str = ""
    after_messages: int = 0
    delay_ms: int = 0
    times: int = 1
    fired: int = 0

    @property
    def used_up(self) -> bool:
        """It fires no more."""
        return bool(self.times) and self.fired >= self.times

    @property
    def status_code(self) -> StatusCode:
        """The gRPC code of a status or reset fault."""
        if self.kind == "reset":
            return StatusCode.UNAVAILABLE
        return StatusCode[self.code] if self.code else status.of(self.reason).code

    @property
    def told_reason(self) -> str:
        """The reason of the contract; "" for codes that no reason has."""
        return self.reason or _REASONS.get(self.status_code, "")


class Faults:
    """The faults of a session in the order in which they were set."""

    def __init__(self) -> None:
        self.all: list[Fault] = []

    def add(self, fault: Fault, methods: Collection[str], streaming: Collection[str]) -> Fault:
        """Queues a fault. Raises WrongFault, naming the fix, for unknown methods, kinds, codes and reasons."""
        fault.method = fault.method.rsplit("/", 1)[-1].rsplit(".", 1)[-1]
        if fault.method not in ("*", *methods):
            near = difflib.get_close_matches(fault.method, methods, 3, 0.5)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise WrongFault(f"no method is called {fault.method!r}: {hint}use a name of the contract, or * for all")
        if fault.kind not in KINDS:
            raise WrongFault(f"no fault is of kind {fault.kind!r}: use one of {', '.join(KINDS)}")
        if fault.kind == "status":
            _check_status(fault)
        if fault.after_messages and fault.method != "*" and fault.method not in streaming:
            raise WrongFault(
                f"{fault.method} is no stream, so nothing comes before its answer: leave after_messages out"
            )
        if fault.kind == "delay" and fault.delay_ms <= 0:
            raise WrongFault("a delay needs its length: give delay, more than 0")
        self.all.append(fault)
        return fault

    def take(self, method: str) -> Fault | None:
        """The fault for a call; firing is counted by whoever lets it fire."""
        return next((fault for fault in self.all if fault.method in ("*", method) and not fault.used_up), None)

    def unfired(self) -> list[Fault]:
        """Those that a test waits for in vain."""
        return [fault for fault in self.all if not fault.fired or (fault.times and fault.fired < fault.times)]


def _check_status(fault: Fault) -> None:
    codes = [code.name for code in StatusCode if code is not StatusCode.OK]
    fault.code = fault.code.upper()
    if fault.code and fault.code not in codes:
        raise WrongFault(f"no status code is called {fault.code!r}: use one of {', '.join(codes)}")
    if fault.reason and fault.reason not in status.STATUSES:
        raise WrongFault(f"no reason is called {fault.reason!r}: use one of {', '.join(sorted(status.STATUSES))}")
    if not fault.code and not fault.reason:
        raise WrongFault("a status fault needs a code, like UNAVAILABLE, or a reason, like QUOTA_EXCEEDED")
