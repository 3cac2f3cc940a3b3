"""E-mail through the configured SMTP server: one message to all who asked, with an id that stays the same in every
attempt."""

import asyncio
import re
from email.message import EmailMessage
from email.utils import format_datetime
from time import monotonic
from typing import Final

import aiosmtplib

from lodestream_server.delivery.endpoints import Endpoint
from lodestream_server.delivery.senders import Sent
from lodestream_server.delivery.settings import MailSettings
from lodestream_server.delivery.tellings import Telling
from lodestream_server.delivery.wording import subject, text

#: One address without quoting, comments or blanks: what people write.
_ADDRESS: Final = re.compile(r"[^\s<>@,;:\"()\[\]\\]{1,64}@[A-Za-z0-9.-]{1,255}")


def addresses(given: list[str]) -> tuple[str, ...]:
    """Those that can be written to, in order, each once."""
    return tuple(dict.fromkeys(one for one in map(str.strip, given) if _ADDRESS.fullmatch(one)))


class MailSender:
    """See `Sender`."""

    def __init__(self, settings: MailSettings, public_url: str, timeout_s: float) -> None:
        self._settings = settings
        self._public_url = public_url
        self._timeout_s = timeout_s

    async def send(self, endpoint: Endpoint, delivery_id: str, telling: Telling) -> Sent:
        """See `Sender.send`."""
        began, chosen = monotonic(), self._settings
        try:
            async with asyncio.timeout(self._timeout_s):
                await aiosmtplib.send(
                    self._message(endpoint, delivery_id, telling),
                    hostname=chosen.host,
                    port=chosen.port,
                    username=chosen.username,
                    password=chosen.password,
                    use_tls=chosen.tls == "tls",
                    start_tls=chosen.tls == "starttls",
                    timeout=self._timeout_s,
                )
        except aiosmtplib.SMTPResponseException as fault:
            # The server's own text may quote addresses and more; its number says enough.
            return Sent(False, monotonic() - began, error=f"the SMTP server answered {fault.code}")
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            return Sent(False, monotonic() - began, error="the SMTP server did not take the message")
        return Sent(True, monotonic() - began)

    def _message(self, endpoint: Endpoint, delivery_id: str, telling: Telling) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = ", ".join(endpoint.registration.people)
        message["Subject"] = subject(telling)
        message["Date"] = format_datetime(telling.time)
        # The same id in each attempt, so that mailboxes show a repetition once.
        message["Message-ID"] = f"<{delivery_id}@{self._settings.sender.rpartition('@')[2].strip('> ')}>"
        message.set_content(text(telling, self._public_url))
        return message
