"""What a test holds in its hands: the addresses of the mock, and handles to its session's clock, faults, journal and
webhooks. Used by the pytest plugin; other test frameworks use it directly. Blocking; safe in threads.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import grpc

from lodestream import documented
from lodestream.wire.freeform import read_object
from lodestream_mock.v1 import control_pb2 as control
from lodestream_mock.v1 import control_pb2_grpc

_PROJECT = "660e8400-e29b-41d4-a716-446655440000"
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class LodestreamServer:
    """A running mock. `rest_url` is "" where that door is shut."""

    grpc_target: str
    rest_url: str = ""


class Wrong(AssertionError):
    """The calls were not as expected."""


class Clock:
    """The virtual clock of a session."""

    def __init__(self, owner: "Lodestream") -> None:
        self._owner = owner

    def advance(self, seconds: float) -> float:
        """Moves on; returns the seconds since the session began, when everything due has been told and posted."""
        asked = control.AdvanceClockRequest(session=self._owner.tenant_id)
        asked.by.FromMilliseconds(round(seconds * 1000))
        return self._elapsed(self._owner.control.AdvanceClock(asked, timeout=_TIMEOUT_S))

    def next(self) -> float:
        """Moves on to the next thing that is due."""
        asked = control.AdvanceClockRequest(session=self._owner.tenant_id)
        return self._elapsed(self._owner.control.AdvanceClock(asked, timeout=_TIMEOUT_S))

    def switch(self, mode: str) -> None:
        """frozen, step, auto, wall or scaled:RATE."""
        asked = control.SwitchClockRequest(session=self._owner.tenant_id, clock=mode)
        self._owner.control.SwitchClock(asked, timeout=_TIMEOUT_S)

    @property
    def elapsed(self) -> float:
        """Seconds since the session began."""
        asked = control.GetSessionRequest(session=self._owner.tenant_id)
        return self._elapsed(self._owner.control.GetSession(asked, timeout=_TIMEOUT_S))

    @staticmethod
    def _elapsed(answer: Any) -> float:
        return float(answer.session.elapsed.ToMilliseconds() / 1000)


class FaultQueue:
    """The faults of a session."""

    def __init__(self, owner: "Lodestream") -> None:
        self._owner = owner

    def add(self, method: str, *, delay_seconds: float = 0, **fault: Any) -> str:
        """Queues a fault; returns its id. Keywords: kind, code, reason, message, after_messages, times."""
        asked = control.AddFaultRequest(session=self._owner.tenant_id, method=method, **fault)
        if delay_seconds:
            asked.delay.FromMilliseconds(round(delay_seconds * 1000))
        return str(self._owner.control.AddFault(asked, timeout=_TIMEOUT_S).fault.fault_id)

    def unfired(self) -> list[str]:
        """What still waits to fire, in words."""
        asked = control.ListFaultsRequest(session=self._owner.tenant_id)
        answer = self._owner.control.ListFaults(asked, timeout=_TIMEOUT_S)
        return [
            f"fault {fault.fault_id} ({fault.kind} {fault.code or fault.reason} for {fault.method}) "
            f"fired {fault.fired} of {fault.times or 'any number of'} times"
            for fault in answer.faults
            if fault.fault_id in answer.unfired
        ]

    def clear(self) -> None:
        """Forgets them all."""
        self._owner.control.ClearFaults(control.ClearFaultsRequest(session=self._owner.tenant_id), timeout=_TIMEOUT_S)


class Journal:
    """The calls of a session."""

    def __init__(self, owner: "Lodestream") -> None:
        self._owner = owner

    def calls(self, method: str = "") -> list[control.JournalEntry]:
        """In order."""
        asked = control.GetJournalRequest(session=self._owner.tenant_id, method=method)
        return list(self._owner.control.GetJournal(asked, timeout=_TIMEOUT_S).entries)

    def verify(self, *expected: dict[str, Any], in_order: bool = False, nothing_else: bool = False) -> None:
        """Raises Wrong unless these calls came, each with its method and, as wanted, times, request, code and door."""
        asked = control.VerifyCallsRequest(session=self._owner.tenant_id, in_order=in_order, nothing_else=nothing_else)
        for one in expected:
            request = one.get("request")
            call = asked.calls.add(**{key: value for key, value in one.items() if key != "request"})
            if request:
                read_object(request, call.request)
        answer = self._owner.control.VerifyCalls(asked, timeout=_TIMEOUT_S)
        if not answer.verified:
            raise Wrong("; ".join(answer.failures))


class Webhooks:
    """What was posted to webhooks, callbacks and subscribers."""

    def __init__(self, owner: "Lodestream") -> None:
        self._owner = owner

    def deliveries(self) -> list[control.Post]:
        """Oldest first."""
        asked = control.ListPostsRequest(session=self._owner.tenant_id)
        return list(self._owner.control.ListPosts(asked, timeout=_TIMEOUT_S).deliveries)

    def misbehave(self, *modes: str) -> None:
        """duplicate, out-of-order, bad-signature, late; none of them has deliveries behave again."""
        asked = control.SetDeliveryModesRequest(session=self._owner.tenant_id, modes=modes)
        self._owner.control.SetDeliveryModes(asked, timeout=_TIMEOUT_S)


class Examples:
    """The documented payloads."""

    def __call__(self, name: str, language: str = "en") -> dict[str, Any]:
        """ "get-job.response" or "submit-job.request", parsed. Raises KeyError."""
        return documented.example(name, language)

    def names(self) -> list[str]:
        """All of them."""
        return documented.names()


class Lodestream:
    """A session of the mock for one test: its tenant is its key, so tests that run side by side never meet."""

    def __init__(
        self,
        server: LodestreamServer,
        tenant_id: str,
        *,
        scenario: str = "",
        clock: str = "",
        language: str = "",
        seed: int = 0,
    ) -> None:
        self.grpc_target = server.grpc_target
        self.rest_url = server.rest_url
        self.tenant_id = tenant_id
        self.project_id = _PROJECT
        self.channel = grpc.insecure_channel(server.grpc_target)
        self.control = control_pb2_grpc.MockControlServiceStub(self.channel)
        self.clock, self.faults, self.journal = Clock(self), FaultQueue(self), Journal(self)
        self.webhooks, self.examples = Webhooks(self), Examples()
        settings = {"scenario": scenario, "clock": clock, "language": language, "seed": seed}
        given = {key: value for key, value in settings.items() if value}
        self.control.ConfigureSession(
            control.ConfigureSessionRequest(session=tenant_id, **given),  # type: ignore[arg-type]  # mixed keywords
            timeout=_TIMEOUT_S,
        )

    @cached_property
    def aio_channel(self) -> grpc.aio.Channel:
        """A channel for async clients; belongs to the loop that asks for it first."""
        return grpc.aio.insecure_channel(self.grpc_target)

    def problems(self) -> list[str]:
        """Why the test should fail although it passed: faults that did not fire, calls that nothing explains."""
        unexplained = [entry for entry in self.journal.calls() if not entry.explained]
        return [*self.faults.unfired(), *_unexplained(unexplained)]

    def close(self) -> None:
        """Closes the channel."""
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _unexplained(entries: Iterable[control.JournalEntry]) -> list[str]:
    return [
        f"call {entry.number} over {entry.door} is not in the contract: {entry.method} ({entry.reason or entry.code})"
        for entry in entries
    ]
