"""MockControlService: one method a control call, each in a few lines over the session."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import Message

from lodestream import wire
from lodestream.errors import InvalidField, Violation
from lodestream_mock.answers.call import checked
from lodestream_mock.contract import methods
from lodestream_mock.control import coverage as covering
from lodestream_mock.control.explaining import explain
from lodestream_mock.control.verifying import failures
from lodestream_mock.control.views import entry_view, fault_view, post_view, session_view
from lodestream_mock.delivery.courier import MODES
from lodestream_mock.doors.servicers import refuse
from lodestream_mock.scenarios import UnknownScenario, WrongScenario
from lodestream_mock.session.clock import UnknownClock
from lodestream_mock.session.faults import Fault, WrongFault
from lodestream_mock.session.session import Session
from lodestream_mock.session.sessions import Sessions
from lodestream_mock.session.settings import UnknownLanguage
from lodestream_mock.v1 import control_pb2 as control

#: How long `advance` waits for streams that nobody reads.
_PATIENCE_S = 10.0


class Control:
    """The control calls as plain coroutines: request -> answer. Raises errors of the contract."""

    def __init__(self, sessions: Sessions, coverage: covering.Coverage) -> None:
        self._sessions = sessions
        self._coverage = coverage

    async def answer(self, method: str, request: Any) -> Message:
        """The answer to a call by its name."""
        checked(request)
        wire.with_defaults(request)
        serve: Callable[[Any], Awaitable[Message]] = getattr(self, _snake(method))
        return await serve(request)

    def _of(self, request: Any) -> Session:
        return self._sessions.of(request.session.lower())

    async def list_sessions(self, request: Any) -> Message:
        return control.ListSessionsResponse(sessions=[session_view(session) for session in self._sessions.known()])

    async def get_session(self, request: Any) -> Message:
        return control.GetSessionResponse(session=session_view(self._of(request)))

    async def configure_session(self, request: Any) -> Message:
        settings = {
            name: getattr(request, name) for name in ("scenario", "clock", "language", "seed") if request.HasField(name)
        }
        return control.ConfigureSessionResponse(session=session_view(await self._begin(request.session, settings)))

    async def reset_session(self, request: Any) -> Message:
        now = self._of(request).settings
        settings = {"scenario": now.scenario, "clock": now.clock, "language": now.language, "seed": now.seed}
        return control.ResetSessionResponse(session=session_view(await self._begin(request.session, settings)))

    async def _begin(self, key: str, settings: dict[str, Any]) -> Session:
        before = self._sessions.of(key.lower())
        try:
            session = self._sessions.configure(key.lower(), **settings)
        except (UnknownScenario, WrongScenario) as error:
            raise InvalidField.of(Violation("scenario", str(error))) from None
        except UnknownClock as error:
            raise InvalidField.of(Violation("clock", str(error))) from None
        except UnknownLanguage as error:
            raise InvalidField.of(Violation("language", str(error))) from None
        if before.courier:
            await before.courier.close()
        return session

    async def advance_clock(self, request: Any) -> Message:
        session = self._of(request)
        target = session.now_ms + request.by.seconds * 1000 + request.by.nanos // 1_000_000
        if not request.HasField("by"):
            target = _next_due(session)
        session.clock.move_to(target)
        try:
            await asyncio.wait_for(session.settled(), _PATIENCE_S)
        except TimeoutError:
            return control.AdvanceClockResponse(session=session_view(session), settled=False)
        return control.AdvanceClockResponse(session=session_view(session), settled=True)

    async def switch_clock(self, request: Any) -> Message:
        session = self._of(request)
        try:
            session.clock.switch(request.clock)
        except UnknownClock as error:
            raise InvalidField.of(Violation("clock", str(error))) from None
        return control.SwitchClockResponse(session=session_view(session))

    async def add_fault(self, request: Any) -> Message:
        session = self._of(request)
        fault = Fault(
            fault_id=f"fault-{session.count('fault')}",
            method=request.method,
            kind=request.kind,
            code=request.code,
            reason=request.reason,
            message=request.message,
            after_messages=request.after_messages,
            delay_ms=request.delay.seconds * 1000 + request.delay.nanos // 1_000_000,
            times=request.times,
        )
        streaming = [name for name, method in methods().items() if method.streams]
        try:
            session.faults.add(fault, list(methods()), streaming)
        except WrongFault as error:
            raise InvalidField.of(Violation("fault", str(error))) from None
        return control.AddFaultResponse(fault=fault_view(fault))

    async def list_faults(self, request: Any) -> Message:
        faults = self._of(request).faults
        return control.ListFaultsResponse(
            faults=[fault_view(fault) for fault in faults.all], unfired=[fault.fault_id for fault in faults.unfired()]
        )

    async def clear_faults(self, request: Any) -> Message:
        faults = self._of(request).faults
        cleared, faults.all = len(faults.all), []
        return control.ClearFaultsResponse(cleared=cleared)

    async def get_journal(self, request: Any) -> Message:
        entries = [
            entry_view(entry)
            for entry in self._of(request).journal.entries
            if entry.number > request.after and request.method in ("", entry.method)
        ]
        return control.GetJournalResponse(entries=entries)

    async def verify_calls(self, request: Any) -> Message:
        entries = list(self._of(request).journal.entries)
        found = failures(entries, request.calls, in_order=request.in_order, nothing_else=request.nothing_else)
        return control.VerifyCallsResponse(verified=not found, failures=found)

    async def list_posts(self, request: Any) -> Message:
        courier = self._of(request).courier
        return control.ListPostsResponse(
            deliveries=[post_view(delivery) for delivery in courier.deliveries.values()] if courier else []
        )

    async def set_delivery_modes(self, request: Any) -> Message:
        courier = self._of(request).courier
        wrong = [mode for mode in request.modes if mode not in MODES]
        if wrong:
            raise InvalidField.of(Violation("modes", f"{wrong[0]!r} is no mode: use some of {', '.join(MODES)}"))
        if courier:
            courier.modes = frozenset(request.modes)
        return control.SetDeliveryModesResponse(modes=sorted(request.modes))

    async def explain(self, request: Any) -> Message:
        return await explain(self._of(request), request)

    async def get_coverage(self, request: Any) -> Message:
        items = self._coverage.items()
        out = control.GetCoverageResponse(percent=covering.percent(items))
        for group, name, count in items:
            out.items.add(group=group, name=name, count=count)
        return out


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda found: f"_{found[1].lower()}", name).lower()


def _next_due(session: Session) -> int:
    times = [run.began + item.at for run in session.runs.values() for item in session.played(run).happenings]
    if session.courier:
        times += [d.next_at for d in session.courier.deliveries.values() if d.next_at is not None]
    return min((at for at in times if at > session.now_ms), default=session.now_ms)


def register(server: Any, service: Control) -> None:
    """Adds the control service to a server."""
    handlers = {}
    for method in control.DESCRIPTOR.services_by_name["MockControlService"].methods:
        handlers[method.name] = _handler(service, method)
    name = control.DESCRIPTOR.services_by_name["MockControlService"].full_name
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))


def _handler(service: Control, method: Any) -> Any:
    async def serve(request: Any, context: Any) -> Any:
        try:
            return await service.answer(method.name, request)
        except Exception as error:
            await refuse(context, error)

    request_type = getattr(control, method.input_type.name)
    response_type = getattr(control, method.output_type.name)
    return grpc.unary_unary_rpc_method_handler(serve, request_type.FromString, response_type.SerializeToString)
