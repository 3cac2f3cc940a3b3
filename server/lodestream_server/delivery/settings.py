"""How delivery is set up. Times in seconds. Built by `app` from the server's settings; tests build their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lodestream_server.delivery.endpoints import RetryPolicy

Tls = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The SMTP server that e-mail goes through, and who it comes from."""

    host: str
    sender: str
    port: int = 587
    tls: Tls = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """A bot's token, or an incoming-webhook address per channel ("#name"); the address wins where both are there."""

    token: str | None = field(default=None, repr=False)
    #: Channel -> address; the addresses are secrets.
    webhooks: Mapping[str, str] = field(default_factory=dict, repr=False)
    api: str = "https://slack.com/api/chat.postMessage"

    def reaches(self, channel: str) -> bool:
        """Whether a message for that channel can be sent at all."""
        return self.token is not None or channel in self.webhooks


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """See the module."""

    #: Networks (CIDR) that may be dialled though they are not public.
    allow_networks: tuple[str, ...] = ()
    #: PEM file of authorities beside the usual ones.
    ca_file: Path | None = None
    #: To the first byte sent.
    connect_s: float = 5.0
    #: One attempt in all, from the name to the end of the answer.
    attempt_s: float = 15.0
    #: Attempts under way for one endpoint, and for all together.
    per_endpoint: int = 8
    at_once: int = 256
    #: Deliveries of one endpoint that may be begun and not settled; its reading of the log waits beyond that.
    window: int = 256
    #: For registrations that say nothing; the documented example's figures.
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    #: An endpoint is disabled when so many deliveries in a row were given up, the first of them so long ago.
    disable_after: int = 20
    disable_after_s: float = 24 * 3600.0
    #: Documented: a subscription made at 10:45:33 expires at 18:45:33.
    subscription_s: float = 8 * 3600.0
    #: Webhooks of a project, subscriptions to a job.
    webhooks_per_project: int = 100
    subscriptions_per_job: int = 100
    #: How long the secret before the last one still signs.
    rotation_s: float = 24 * 3600.0
    #: Least step between two onProgress calls, percent: a call has no filter of its own to say so.
    callback_step: float = 5.0
    #: Cursors that moved without a delivery are written this often.
    save_s: float = 5.0
    #: Before the next try when the store could not take what became of an attempt, or a feed failed unexpectedly.
    trouble_s: float = 5.0
    #: Where people reach the REST door, for links in messages to people; no links without it.
    public_url: str = ""
    mail: MailSettings | None = None
    slack: SlackSettings = field(default_factory=SlackSettings)
