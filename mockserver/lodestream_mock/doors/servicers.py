"""The contract as gRPC servicers, made from its descriptors: every RPC has its answer in `lodestream_mock.answers`.

Validates, calls the answer, sends provenance as initial and trailing metadata, and turns errors into rich statuses.
"""

import hashlib
import inspect
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, Never

import grpc
from grpc import aio

from lodestream.errors import Internal, LodestreamError
from lodestream.rich_status import code_of, to_trailers
from lodestream_mock.answers import load
from lodestream_mock.answers.call import ANSWERS, STREAMS, UPLOADS, Call, checked
from lodestream_mock.contract import Method, methods
from lodestream_mock.doors.caller import language_in, pairs, session_key
from lodestream_mock.session.sessions import Sessions

_log = logging.getLogger(__name__)

#: Tells gRPC clients with a retry policy not to wait before they try again.
PUSHBACK = ("grpc-retry-pushback-ms", "0")


def register(server: aio.Server, sessions: Sessions) -> None:
    """Adds every service of the contract to a server (or a LocalChannel)."""
    by_service: dict[str, dict[str, Any]] = {}
    for method in methods().values():
        by_service.setdefault(method.service, {})[method.name] = _handler(method, sessions)
    for service, handlers in by_service.items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


def servicer(service: str, sessions: Sessions) -> Any:
    """One service ("JobService") as an object with a method per RPC, for the generated add_..._to_server functions."""
    found = {m.name: behaviour(m, sessions) for m in methods().values() if m.service.endswith(f".{service}")}
    return type(f"{service}Servicer", (), {name: staticmethod(function) for name, function in found.items()})()


def _handler(method: Method, sessions: Sessions) -> Any:
    kinds: dict[tuple[bool, bool], Callable[..., Any]] = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
    }
    return kinds[method.uploads, method.streams](
        behaviour(method, sessions),
        request_deserializer=method.request.FromString,
        response_serializer=method.response.SerializeToString,
    )


def behaviour(method: Method, sessions: Sessions) -> Callable[[Any, Any], Any]:
    """The function that serves an RPC."""
    load()

    def call_of(request: Any, context: Any) -> Call:
        metadata = pairs(context.invocation_metadata())
        session = sessions.of(session_key(metadata, request))
        return Call(session, method.name, language_in(metadata, session))

    async def unary(request: Any, context: Any) -> Any:
        call = call_of(request, context)
        try:
            checked(request)
            answer = await answered(call, request)
        except Exception as error:
            await refuse(context, error)
        await _tell(call, context)
        return answer

    async def upload(requests: AsyncIterator[Any], context: Any) -> Any:
        parts = [part async for part in requests]
        call = call_of(parts[0] if parts else None, context)
        try:
            answer = UPLOADS[method.name](call, parts)
        except Exception as error:
            await refuse(context, error)
        await _tell(call, context)
        return answer

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        call = call_of(request, context)
        told = False
        with call.session.watchers.open():
            try:
                checked(request)
                async for message in STREAMS[method.name](call, request):
                    if not told:
                        told = True
                        await _tell(call, context)
                    yield message
            except Exception as error:
                await refuse(context, error)

    return upload if method.uploads else stream if method.streams else unary


async def answered(call: Call, request: Any) -> Any:
    """The answer to a unary call."""
    found = ANSWERS[call.method](call, request)
    return await found if inspect.isawaitable(found) else found


async def refuse(context: Any, error: Exception) -> Never:
    """Ends a call with an error. What is no error of the contract is a bug: it is logged, and told by an id alone."""
    if isinstance(error, aio.AbortError):
        raise error
    if not isinstance(error, LodestreamError):
        error_id = hashlib.blake2b(repr(error).encode(), digest_size=6).hexdigest()
        _log.exception("Unexpected fault, error id %s", error_id, exc_info=error)
        error = Internal(details={"error_id": error_id})
    trailers = (*to_trailers(error), ("lodestream-provenance", "derived"))
    await context.abort(code_of(error), error.message[:1000].replace("\n", " "), trailers)
    raise AssertionError("abort returned")


async def _tell(call: Call, context: Any) -> None:
    metadata = call.provenance.metadata()
    await context.send_initial_metadata(metadata)
    context.set_trailing_metadata(metadata)
