"""What happens to every call of the contract on either door: faults fire, the journal writes.

The facade is a client behind the same interceptor, so a fault that gRPC callers see as a status REST callers see as the
problem that the facade makes of it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from grpc import StatusCode, aio

from lodestream import status
from lodestream.rich_status import from_call, to_trailers
from lodestream_mock.contract import Method, methods
from lodestream_mock.doors.caller import door_of, language_in, pairs, session_key
from lodestream_mock.doors.servicers import PUSHBACK
from lodestream_mock.session.faults import Fault
from lodestream_mock.session.journal import MOST_FRAMES, Entry
from lodestream_mock.session.session import Session
from lodestream_mock.session.sessions import Sessions


class Interceptor(aio.ServerInterceptor):
    """Wraps the handlers of the contract; calls of other services (control, health) pass untouched."""

    def __init__(self, sessions: Sessions, on_end: Callable[[Entry], None] = lambda _: None) -> None:
        self._sessions = sessions
        self._on_end = on_end

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """The handler, wrapped."""
        handler = await continuation(handler_call_details)
        path = str(handler_call_details.method)
        method = methods().get(path.rsplit("/", 1)[-1])
        if method is None or method.path != path:
            if handler is None and path.startswith("/lodestream.v1."):
                self._unknown(path, handler_call_details.invocation_metadata)
            return handler
        if method.uploads:
            return grpc.stream_unary_rpc_method_handler(
                self._upload(method, handler.stream_unary), handler.request_deserializer, handler.response_serializer
            )
        if method.streams:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method, handler.unary_stream), handler.request_deserializer, handler.response_serializer
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(method, handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )

    def _unknown(self, path: str, metadata: Any) -> None:
        session = self._sessions.of(session_key(pairs(metadata), None))
        entry = session.journal.begin(session.now_ms, "grpc", path, "", None, metadata or ())
        entry.code, entry.explained = StatusCode.UNIMPLEMENTED.name, False

    def _begin(self, method: Method, request: Any, context: Any) -> tuple[Session, Entry, Fault | None]:
        metadata = pairs(context.invocation_metadata())
        session = self._sessions.of(session_key(metadata, request))
        language = language_in(metadata, session)
        entry = session.journal.begin(
            session.now_ms, door_of(context), method.name, language, request, metadata.items()
        )
        return session, entry, session.faults.take(method.name)

    def _unary(self, method: Method, serve: Any) -> Any:
        async def served(request: Any, context: Any) -> Any:
            session, entry, fault = self._begin(method, request, context)
            try:
                if fault:
                    await _fire(session, entry, fault, context)
                    if fault.kind == "duplicate":
                        await serve(request, _Silent(context))
                answer = await serve(request, context)
            except BaseException:
                self._ended(entry, context)
                raise
            self._ended(entry, context)
            entry.answer = answer.SerializeToString(deterministic=True)
            return answer

        return served

    def _upload(self, method: Method, serve: Any) -> Any:
        async def served(requests: AsyncIterator[Any], context: Any) -> Any:
            parts = [part async for part in requests]
            first = parts[0] if parts and parts[0].WhichOneof("part") == "header" else None
            session, entry, fault = self._begin(method, first, context)

            async def again() -> AsyncIterator[Any]:
                for part in parts:
                    yield part

            try:
                if fault:
                    await _fire(session, entry, fault, context)
                    if fault.kind == "duplicate":
                        await serve(again(), _Silent(context))
                answer = await serve(again(), context)
            except BaseException:
                self._ended(entry, context)
                raise
            self._ended(entry, context)
            entry.answer = answer.SerializeToString(deterministic=True)
            return answer

        return served

    def _stream(self, method: Method, serve: Any) -> Any:
        async def served(request: Any, context: Any) -> AsyncIterator[Any]:
            session, entry, fault = self._begin(method, request, context)
            sent = 0
            messages = serve(request, context)
            try:
                if fault and not fault.after_messages and fault.kind != "duplicate":
                    await _fire(session, entry, fault, context)
                    fault = None
                async for message in messages:
                    sent += 1
                    _note(entry, message)
                    yield message
                    if fault and sent >= max(1, fault.after_messages):
                        await _fire(session, entry, fault, context)
                        if fault.kind == "duplicate":
                            yield message
                        fault = None
            finally:
                await messages.aclose()
                self._ended(entry, context)

        return served

    def _ended(self, entry: Entry, context: Any) -> None:
        _ended(entry, context)
        self._on_end(entry)


async def _fire(session: Session, entry: Entry, fault: Fault, context: Any) -> None:
    """Lets a fault happen; returns when the call goes on."""
    fault.fired += 1
    entry.fault = fault.fault_id
    if fault.kind == "delay":
        session.clock.move_to(session.now_ms + fault.delay_ms)
    elif fault.kind == "stall":
        await asyncio.Event().wait()  # until the caller gives up
    elif fault.kind in ("status", "reset"):
        await _abort(fault, context)


async def _abort(fault: Fault, context: Any) -> None:
    code, reason = fault.status_code, fault.told_reason
    message = fault.message or (
        "Connection reset by the mock." if fault.kind == "reset" else f"{code.name}, as asked for."
    )
    trailers: tuple[tuple[str, Any], ...] = (("lodestream-provenance", "derived"), ("lodestream-fault", fault.fault_id))
    if code in (StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED, StatusCode.ABORTED):
        trailers = (*trailers, PUSHBACK)
    # A reset tells nothing but that the connection is gone.
    if reason and fault.kind == "status" and status.of(reason).code is code:
        error = status.error_for(reason)(message, retry_after_s=0.0)
        trailers = (*trailers, *to_trailers(error))
    await context.abort(code, message, trailers)


def _note(entry: Entry, message: Any) -> None:
    if len(entry.frames) >= MOST_FRAMES:
        return
    kind = message.WhichOneof(message.DESCRIPTOR.oneofs[0].name) if message.DESCRIPTOR.oneofs else None
    if kind == "events":
        kind = f"events({len(message.events.events)})"
    entry.frames.append(str(kind or "message"))


def _ended(entry: Entry, context: Any) -> None:
    trailers = context.trailing_metadata() or ()
    known = {str(key): value for key, value in trailers}
    code = context.code()
    if context.cancelled():
        code = StatusCode.CANCELLED
    entry.code = _name(code)
    entry.example = str(known.get("lodestream-example", ""))
    entry.provenance = str(known.get("lodestream-provenance", "derived"))
    error = from_call(context)
    entry.reason = error.reason if error else ""
    entry.explained = entry.code not in ("UNKNOWN", "INTERNAL", "UNIMPLEMENTED") or bool(entry.fault)


def _name(code: Any) -> str:
    """grpc.aio gives the number of a code, a LocalChannel the code."""
    if isinstance(code, StatusCode):
        return code.name
    return next((known.name for known in StatusCode if known.value[0] == code), "OK")


class _Silent:
    """A context whose first serving the caller does not see: what it says is said again by the second."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def send_initial_metadata(self, metadata: Any) -> None:
        """Left to the second serving."""
