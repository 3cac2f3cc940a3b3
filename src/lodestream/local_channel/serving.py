"""Runs one call's servicer: finds its handler through the interceptors, decodes, runs, encodes, ends the exchange.

Called by the channel as the coroutine of the call's own task. Whatever the servicer does, the exchange has an ending
when this returns, the servicer's generator is closed and its done callbacks have run.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import grpc
from grpc import StatusCode

from lodestream.local_channel.context import Context, Handler, Requests
from lodestream.local_channel.exchange import Ending, Exchange
from lodestream.local_channel.metadata import Pairs
from lodestream.local_channel.pipe import CallOver

_log = logging.getLogger("lodestream.local_channel")

Find: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"


_UNKNOWN_METHOD: Final = Ending(StatusCode.UNIMPLEMENTED, "Method not found!")
_CANCELLED: Final = Ending(StatusCode.CANCELLED, "The servicer was cancelled.")
_OVER: Final = Ending(StatusCode.CANCELLED, "The call is over.")
_NO_STATUS: Final = Ending(StatusCode.UNKNOWN, "The servicer ended without a status.")


class Details(grpc.HandlerCallDetails):
    """What interceptors and generic handlers are told of a call."""

    def __init__(self, method: str, metadata: Pairs) -> None:
        self.method = method
        self.invocation_metadata = metadata


async def serve(exchange: Exchange, handler: "Handler | None", find: Find, over: Callable[[Exchange], None]) -> None:
    """Runs `handler`, or what `find` gives (None: there is no such method); calls `over` last."""
    exchange.begun = True
    if exchange.ending is not None:
        over(exchange)
        return
    context = Context(exchange)
    try:
        if handler is None:
            handler = await find(Details(exchange.method, exchange.metadata))
        if handler is None:
            exchange.finish(_UNKNOWN_METHOD)
        else:
            await _run(handler, exchange, context)
    except asyncio.CancelledError:
        # The client has ended already, unless the servicer or the loop's owner cancelled this task.
        exchange.finish(_CANCELLED)
    except CallOver:
        exchange.finish(_OVER)
    except Exception as error:
        if not context.is_own(error):
            _log.exception("Unexpected [%s] raised by servicer method [%s]", type(error).__name__, exchange.method)
            # The network's words; an interceptor of the server replaces what must not reach callers.
            context.fail(f"Unexpected {type(error)}: {error}")
    finally:
        exchange.finish(_NO_STATUS)
        context.over()
        over(exchange)


async def _run(handler: Handler, exchange: Exchange, context: Context) -> None:
    if handler.request_streaming:
        context.use(handler)
        request: Any = Requests(context)
    else:
        frame = await exchange.receive()
        if frame is None:
            raise ValueError("the call brought no request message")
        request = frame if handler.request_deserializer is None else handler.request_deserializer(frame)
    if handler.response_streaming:
        context.use(handler)
        await _answer_with_a_stream(_behaviour(handler)(request, context), context)
        context.finish()
        return
    answer = _behaviour(handler)(request, context)
    if hasattr(answer, "__await__"):
        answer = await answer
    if context.succeeds():
        await exchange.send(answer if handler.response_serializer is None else handler.response_serializer(answer))
    context.finish()


def _behaviour(handler: Handler) -> Any:
    if handler.request_streaming:
        return handler.stream_stream if handler.response_streaming else handler.stream_unary
    return handler.unary_stream if handler.response_streaming else handler.unary_unary


async def _answer_with_a_stream(answers: Any, context: Context) -> None:
    """A servicer either yields its answers or writes them itself and returns."""
    if hasattr(answers, "__await__"):
        await answers
        return
    if not hasattr(answers, "__aiter__"):
        for answer in answers:
            await context.write(answer)
        return
    try:
        async for answer in answers:
            await context.write(answer)
    finally:
        # Not left to the garbage collector: what the generator holds is released with the call.
        if hasattr(answers, "aclose"):
            await answers.aclose()
