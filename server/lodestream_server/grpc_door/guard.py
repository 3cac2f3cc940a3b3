"""The one interceptor in front of every servicer: request id, key, limits, role, understood, valid, project; and every
fault leaves as a rich status.

Works behind grpc.aio servers and behind a channel within the process alike. Handlers are wrapped once and kept. What is
not of the contract (health, reflection) passes; reflection asks for a key where the settings say so.
"""

import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import ServerInterceptor

from lodestream.errors import Malformed, NotBuilt
from lodestream_server.grpc_door import authentication, call
from lodestream_server.grpc_door.call import Call
from lodestream_server.grpc_door.credentials import Checker
from lodestream_server.grpc_door.limits import Limits
from lodestream_server.grpc_door.methods import METHODS, Method
from lodestream_server.grpc_door.refusals import REQUEST_ID, refuse
from lodestream_server.grpc_door.validation import accepted
from lodestream_server.observing.calls import Observer, observed
from lodestream_server.store.keys import ApiKey
from lodestream_server.store.reading import Scope

Handler = Any
Behaviour = Callable[[Any, Any], Any]
_SANE_ID: Final = re.compile(r"[!-~]{1,128}")
_REFLECTION: Final = "grpc.reflection."


class Unreadable:
    """Stands for a request whose bytes are no message of its type."""


UNREADABLE: Final = Unreadable()


class Guard(ServerInterceptor):
    """See the module. One per server; shared by all its doors."""

    def __init__(
        self,
        keys: Checker,
        *,
        reflection_takes_key: bool = False,
        limits: Limits | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._keys = keys
        self._observers = observers
        self._limits = limits or Limits()
        self._reflection_takes_key = reflection_takes_key
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """The handler to use for this call."""
        handler = await continuation(handler_call_details)
        name = handler_call_details.method.lstrip("/")
        if handler is None:
            return None
        before, wrapped = self._wrapped.get(name, (None, None))
        if before is not handler:
            wrapped = self._wrap(name, handler)
            self._wrapped[name] = handler, wrapped
        return wrapped

    def _wrap(self, name: str, handler: Handler) -> Handler:
        if (method := METHODS.get(name)) is not None:
            return _Guarded(self._keys, self._limits, self._observers, method).wrap(handler)
        if name.startswith(_REFLECTION) and self._reflection_takes_key:
            return self._with_key(name, handler)
        return handler

    def _with_key(self, name: str, handler: Handler) -> Handler:
        inner = handler.stream_stream

        async def behaviour(requests: Any, context: Any) -> AsyncIterator[Any]:
            try:
                await authentication.identify(self._keys, context.invocation_metadata())
            except Exception as fault:
                await refuse(context, fault, name, request_id_of(context))
            async for answer in inner(requests, context):
                yield answer

        return grpc.stream_stream_rpc_method_handler(
            behaviour, handler.request_deserializer, handler.response_serializer
        )


class _Guarded:
    """The guarded handler of one method."""

    def __init__(self, keys: Checker, limits: Limits, observers: Sequence[Observer], method: Method) -> None:
        self._keys = keys
        self._limits = limits
        self._observers = observers
        self._method = method

    def wrap(self, handler: Handler) -> Handler:
        """The handler with the guard in front of its behaviour and its bytes."""
        method = self._method
        inner = handler.stream_unary if method.client_streams else handler.unary_stream or handler.unary_unary
        if _is_generated(inner):
            inner = _not_built_stream(method) if method.server_streams else _not_built(method)
        make, behaviour = self._of_kind(inner)
        behaviour = observed(method, behaviour, self._observers)
        return make(behaviour, _forgiving(handler.request_deserializer), _or_ready(handler.response_serializer))

    def _of_kind(self, inner: Behaviour) -> tuple[Any, Behaviour]:
        if self._method.client_streams:
            return grpc.stream_unary_rpc_method_handler, self._stream_unary(inner)
        if self._method.server_streams:
            return grpc.unary_stream_rpc_method_handler, self._unary_stream(inner)
        return grpc.unary_unary_rpc_method_handler, self._unary_unary(inner)

    def _unary_unary(self, inner: Behaviour) -> Behaviour:
        async def behaviour(request: Any, context: Any) -> Any:
            request_id = request_id_of(context)
            try:
                key = await self._key(context)
                answer = await inner(self._enter(request, key, request_id), context)
            except Exception as fault:
                await refuse(context, fault, self._method.name, request_id)
            context.set_trailing_metadata(((REQUEST_ID, request_id),))
            return answer

        return behaviour

    def _unary_stream(self, inner: Behaviour) -> Behaviour:
        async def behaviour(request: Any, context: Any) -> AsyncIterator[Any]:
            request_id = request_id_of(context)
            try:
                key = await self._key(context)
                request = self._enter(request, key, request_id)
                with self._limits.stream(key, call.current().scope):
                    async with aclosing(inner(request, context)) as answers:
                        async for answer in answers:
                            yield answer
            except Exception as fault:
                await refuse(context, fault, self._method.name, request_id)
            context.set_trailing_metadata(((REQUEST_ID, request_id),))

        return behaviour

    def _stream_unary(self, inner: Behaviour) -> Behaviour:
        async def behaviour(requests: Any, context: Any) -> Any:
            request_id = request_id_of(context)
            try:
                key = await self._key(context)
                first = await anext(aiter(requests), None)
                if first is None:
                    raise Malformed("The stream ended before its first message.")
                first = self._enter(first, key, request_id)
                with self._limits.stream(key, call.current().scope):
                    answer = await inner(_rest(first, requests), context)
            except Exception as fault:
                await refuse(context, fault, self._method.name, request_id)
            context.set_trailing_metadata(((REQUEST_ID, request_id),))
            return answer

        return behaviour

    async def _key(self, context: Any) -> ApiKey:
        key = await authentication.identify(self._keys, context.invocation_metadata())
        self._limits.call_of_key(key)
        authentication.allow(key, self._method.role)
        return key

    def _enter(self, request: Any, key: ApiKey, request_id: str) -> Any:
        """The request as the servicer gets it, after the last question: is the project the caller's?"""
        request = accepted(_readable(request))
        scope: Scope = self._method.scope_of(request)
        authentication.cover(key, scope)
        self._limits.call_of_tenant(key, scope)
        call.enter(Call(self._method.name, request_id, key, scope))
        return request


def request_id_of(context: Any) -> str:
    """The caller's id of this call, or a new one; noted on the call's trail."""
    sent = (value for name, value in context.invocation_metadata() or () if name == REQUEST_ID)
    sane = (value for value in sent if isinstance(value, str) and _SANE_ID.fullmatch(value))
    request_id = next(sane, None) or uuid.uuid4().hex
    if (seen := call.trail()) is not None:
        seen.request_id = request_id
    return request_id


def _readable(request: Any) -> Any:
    if request is UNREADABLE:
        raise Malformed("The request's bytes are no message of the type that this method takes.")
    return request


async def _rest(first: Any, requests: Any) -> AsyncIterator[Any]:
    yield first
    async for request in requests:
        yield accepted(_readable(request))


def _forgiving(deserialise: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """grpc.aio ends a call whose bytes it cannot read as INTERNAL, with its own text; this lets the guard answer."""

    def read(data: bytes) -> Any:
        try:
            return deserialise(data)
        except (DecodeError, ValueError, RecursionError):
            return UNREADABLE

    return read


def _or_ready(serialise: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Streams hand out bytes that were made once for all their readers."""
    return lambda answer: answer if type(answer) is bytes else serialise(answer)


def _is_generated(behaviour: Any) -> bool:
    """Whether it is the generated placeholder of a method that nobody wrote."""
    return bool(getattr(behaviour, "__func__", behaviour).__module__.endswith("_pb2_grpc"))


def _not_built(method: Method) -> Behaviour:
    async def behaviour(request: Any, context: Any) -> Any:
        return _say_not_built(method)

    return behaviour


def _not_built_stream(method: Method) -> Behaviour:
    async def behaviour(request: Any, context: Any) -> AsyncIterator[Any]:
        yield _say_not_built(method)

    return behaviour


def _say_not_built(method: Method) -> Any:
    raise NotBuilt(f"{method.descriptor.name} is part of the contract, but not built yet.")
