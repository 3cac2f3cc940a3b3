"""Who is told: webhooks of a project, subscriptions to a job, callbacks and notifications of one run. Plain values;
`rows` keeps them.

Secrets live in `Registration` and nowhere else, and no `repr` shows them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from lodestream_server.runs.states import Priority


class Kind(StrEnum):
    """What an endpoint is."""

    WEBHOOK = "webhook"
    SUBSCRIPTION = "subscription"
    #: One address of an operation's `callbacks`; each is served on its own, so that a dead one delays no other.
    CALLBACK = "callback"
    #: One address of a batch's `batchCallbacks`; `run_id` is the batch's id, the cursor a position.
    BATCH_CALLBACK = "batch-callback"
    EMAIL = "email"
    SLACK = "slack"


class Status(StrEnum):
    """Whether an endpoint is served."""

    ACTIVE = "ACTIVE"
    #: Not any more, after too many failures or because the receiver said that it is gone.
    DISABLED = "DISABLED"
    #: Not any more: its time is over.
    EXPIRED = "EXPIRED"
    #: Not any more: the run has ended and everything is settled.
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits between the attempts of one delivery. The defaults are the documented example's."""

    max_retries: int = 5
    delay_s: float = 60.0
    multiplier: float = 2.0
    max_delay_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Authentication:
    """How the receiver knows that it is us. `previous` signs too until `previous_until`."""

    type: Literal["hmac-sha256", "bearer"]
    secret: str = field(repr=False)
    previous: str = field(default="", repr=False)
    previous_until: datetime | None = None

    def secrets(self, now: datetime) -> tuple[str, ...]:
        """All that are good now, the newest first."""
        old = self.previous_until is not None and now < self.previous_until
        return (self.secret, self.previous) if old else (self.secret,)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an endpoint wants to be told. Empty filters let everything through; `step` is in percent."""

    events: tuple[str, ...]
    types: tuple[str, ...] = ()
    priorities: tuple[Priority, ...] = ()
    step: float = 1.0
    #: The step as registered; None when it was left out.
    registered_step: int | None = None
    debug: bool = False
    errors: bool = False


@dataclass(frozen=True, slots=True)
class Registration:
    """What was asked for. `address` is a URL, a Slack channel, or empty for e-mail."""

    wishes: Wishes
    address: str = ""
    name: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    authentication: Authentication | None = None
    #: None: the server's default.
    retry: RetryPolicy | None = None
    #: E-mail addresses, or users to mention.
    people: tuple[str, ...] = ()
    #: False for a subscription over WebSocket: it is shown, and served elsewhere.
    served: bool = True


@dataclass(frozen=True, slots=True)
class Stats:
    """What became of an endpoint's deliveries; `begun` counts all."""

    begun: int = 0
    delivered: int = 0
    failed: int = 0
    mean_answer_s: float | None = None
    last_delivery: datetime | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A registration and how far it has been told. `run_id` is None for those of a whole project."""

    number: int
    endpoint_id: str
    kind: Kind
    tenant_id: str
    project_id: str
    run_id: str | None
    status: Status
    #: Sequence of the run, or position of the store for what follows several: everything up to it is settled.
    cursor: int
    created: datetime
    registration: Registration
    expires: datetime | None = None
    stats: Stats = Stats()

    def status_at(self, now: datetime) -> Status:
        """The status, with a time that is over taken into account."""
        over = self.expires is not None and now >= self.expires
        return Status.EXPIRED if over and self.status is not Status.DISABLED else self.status
