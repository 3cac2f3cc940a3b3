"""The one generic handler: any unary RPC of the contract, read from a request and answered in the documented JSON."""

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from grpc import aio

from lodestream.rest import reading, rpc_errors
from lodestream.rest.answers import Answer, Headers, Sendable, revalidated
from lodestream.rest.asked import Asked
from lodestream.rest.live import Live
from lodestream.rest.negotiation import EVENTS, TEXT
from lodestream.rest.problems import invalid
from lodestream.rest.raw_logs import as_text, wants_text
from lodestream.rest.rpcs import Rpc
from lodestream.rest.settings import Shared
from lodestream.wire import to_json
from lodestream.wire.fields import descriptor_of

_VARY = (b"vary", b"accept, accept-language, authorization")
#: As the contract's resume tokens.
_LONGEST_TOKEN = 500
#: How a poller is told to wait: while a run goes on, its progress is renewed at most twice a second.
_POLL_AFTER = (b"retry-after", b"2")
_ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "TIMED_OUT", "EXPIRED", "DISABLED", "ACTIVE", "DELIVERED")


#: Adds to an answer what only this door knows: (request, its message, answer).
Finish = Callable[[Asked, Message, Message], None]


class Unary:
    """Answers the requests to one operation."""

    def __init__(
        self, rpc: Rpc, shared: Shared, *, with_body: bool, is_get: bool, finish: Finish | None = None
    ) -> None:
        self._rpc = rpc
        self._shared = shared
        self._with_body = with_body
        self._is_get = is_get
        self._finish = finish
        self._live = Live(rpc.live, shared) if rpc.live else None
        self._replays = rpc.live is not None and "replay" in rpc.live.request.DESCRIPTOR.fields_by_name
        self._states = _states(descriptor_of(rpc.response)) if is_get else None

    async def __call__(self, asked: Asked) -> Sendable:
        """Raises Refused and Refusal for what cannot be answered."""
        if self._live and len(asked.header(b"last-event-id")) > _LONGEST_TOKEN:
            raise invalid("/Last-Event-ID", f"has more than {_LONGEST_TOKEN} characters", location="header")
        replay = self._replays and reading.take_flag(asked, "replay")
        message = reading.message(self._rpc, asked, with_body=self._with_body)
        try:
            if self._live and asked.media_type == EVENTS:
                return await self._live.open(asked, message, replay=replay)
            answer = await self._rpc.call(
                message, metadata=reading.metadata(asked), timeout=self._shared.call_timeout_s
            )
        except aio.AioRpcError as error:
            told = rpc_errors.refusal(error, descriptor_of(message), asked.path, self._with_body)
            raise error if told is None else told from None
        return self._answer(asked, message, answer)

    def _answer(self, asked: Asked, message: Message, answer: Message) -> Answer:
        self._shared.links.sign(answer, asked)
        if self._finish:
            self._finish(asked, message, answer)
        headers: Headers = [(b"content-language", asked.language.encode()), _VARY]
        headers.append((b"x-request-id", asked.request_id.encode()))
        if asked.media_type == TEXT or wants_text(message):
            return Answer(200, as_text(answer, asked.language), b"text/plain; charset=utf-8", headers)
        if self._states and getattr(answer, self._states[0]) in self._states[1]:
            headers.append(_POLL_AFTER)
        made = Answer(200, to_json(answer, asked.language), headers=headers)
        return revalidated(made, asked.headers.get(b"if-none-match")) if self._is_get else made


def _states(response: Descriptor) -> tuple[str, frozenset[int]] | None:
    """The field that says where the answer's run stands, and its values that are not the last word."""
    field = next((f for f in response.fields if f.name in ("status", "job_status") and f.enum_type), None)
    return (str(field.name), _unended(field)) if field else None


def _unended(field: FieldDescriptor) -> frozenset[int]:
    values: Any = field.enum_type and field.enum_type.values
    return frozenset(value.number for value in values if value.number and not value.name.endswith(_ENDED))
