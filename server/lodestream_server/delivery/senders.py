"""The ways out: an HTTP call, an e-mail, a Slack message. One port, `Sender`; what differs is how a telling is worded
and what counts as taken."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import orjson

from lodestream_server.delivery.endpoints import Endpoint
from lodestream_server.delivery.payload import body_of
from lodestream_server.delivery.posting import Answer, Poster
from lodestream_server.delivery.settings import SlackSettings
from lodestream_server.delivery.signing import headers_of
from lodestream_server.delivery.tellings import Telling
from lodestream_server.delivery.wording import slack_text
from lodestream_server.engine.clock import Clock
from lodestream_server.runs.state import RunState

#: The resume token of a run after the event of that sequence; the Watch streams take it.
Tokens = Callable[[RunState, int], str]


@dataclass(frozen=True, slots=True)
class Sent:
    """What an attempt came to. `gone`: the receiver will never take anything again."""

    well: bool
    took_s: float
    status: int | None = None
    error: str | None = None
    gone: bool = False
    retry_after_s: float | None = None

    @classmethod
    def of(cls, answer: Answer) -> "Sent":
        """From an HTTP answer."""
        error = answer.error if answer.status is None else None
        return cls(answer.well, answer.took_s, answer.status, error, answer.status == 410, answer.retry_after_s)


class Sender(Protocol):
    """One attempt. Never raises for what the other side does."""

    async def send(self, endpoint: Endpoint, delivery_id: str, telling: Telling) -> Sent:
        """What came of it."""


class Caller:
    """Calls an endpoint's address with the signed payload."""

    def __init__(self, poster: Poster, tokens: Tokens, clock: Clock) -> None:
        self._poster = poster
        self._tokens = tokens
        self._clock = clock

    async def send(self, endpoint: Endpoint, delivery_id: str, telling: Telling) -> Sent:
        """See `Sender.send`."""
        body = body_of(telling, self._tokens(telling.run, telling.event.sequence))
        return Sent.of(await self.call(endpoint, delivery_id, body))

    async def call(self, endpoint: Endpoint, delivery_id: str, body: bytes) -> Answer:
        """Posts the body; the endpoint's own headers never replace ours."""
        registration = endpoint.registration
        ours = headers_of(registration.authentication, delivery_id, body, self._clock.now())
        return await self._poster.post(registration.address, {**registration.headers, **ours}, body)


class SlackSender:
    """Posts to a channel's incoming-webhook address, or as a bot."""

    def __init__(self, poster: Poster, settings: SlackSettings, public_url: str) -> None:
        self._poster = poster
        self._settings = settings
        self._public_url = public_url

    async def send(self, endpoint: Endpoint, delivery_id: str, telling: Telling) -> Sent:
        """See `Sender.send`."""
        channel = endpoint.registration.address
        said = {"text": slack_text(telling, endpoint.registration.people, self._public_url), "link_names": True}
        if (address := self._settings.webhooks.get(channel)) is not None:
            return Sent.of(await self._poster.post(address, {}, orjson.dumps(said)))
        if self._settings.token is None:
            return Sent(False, 0.0, error="no way to this Slack channel is configured")
        headers = {"authorization": f"Bearer {self._settings.token}"}
        body = orjson.dumps({"channel": channel, **said})
        return _bot_answer(await self._poster.post(self._settings.api, headers, body))


def _bot_answer(answer: Answer) -> Sent:
    """Slack answers 200 also when it did not do it; the body says which."""
    sent = Sent.of(answer)
    if not sent.well:
        return sent
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        said = {}
    if isinstance(said, dict) and said.get("ok") is True:
        return sent
    reason = str(said.get("error", "unreadable answer"))[:100] if isinstance(said, dict) else "unreadable answer"
    return Sent(False, sent.took_s, sent.status, f"Slack: {reason}")
