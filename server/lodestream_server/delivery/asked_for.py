"""What a run's own submission asks to be told: callbacks, e-mail, Slack. Pure; the finder calls it with every
Submitted event."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from lodestream_server.delivery.endpoints import Endpoint, Kind, Registration, Status, Wishes
from lodestream_server.delivery.mailing import addresses
from lodestream_server.delivery.settings import DeliverySettings
from lodestream_server.runs.batch import Batch
from lodestream_server.runs.bodies import Submitted
from lodestream_server.runs.states import RunKind

#: The documented callbacks of an operation, and what each is called for.
CALLBACKS: Final[Mapping[str, tuple[str, ...]]] = {
    "onProgress": ("operation.progress",),
    "onCompletion": ("operation.completed",),
    "onError": ("operation.failed", "operation.cancelled"),
}
#: The same for a batch.
BATCH_CALLBACKS: Final[Mapping[str, tuple[str, ...]]] = {
    "onBatchStart": ("batch.started",),
    "onOperationComplete": ("operation.completed", "operation.failed", "operation.cancelled"),
    "onBatchComplete": ("batch.completed",),
}
_OPERATION_ENDS: Final = ("operation.completed", "operation.failed", "operation.cancelled")
_JOB_ENDS: Final = ("job.completed", "job.failed", "job.cancelled")


def callbacks_registered(extras: Mapping[str, Any]) -> int:
    """How many callback addresses a submission brought (`webhooksRegistered`)."""
    return len(_callbacks(extras))


def asked_for(run_id: str, body: Submitted, when: datetime, settings: DeliverySettings) -> list[Endpoint]:
    """The endpoints of the run, not yet numbered; ids follow from the run's, so that finding it twice adds nothing."""
    made = [
        (Kind.CALLBACK, f"{run_id}/{name}", Registration(_wishes(CALLBACKS[name], settings), url, name))
        for name, url in _callbacks(body.extras).items()
    ]
    notifications = body.extras.get("notifications") or {}
    people, ends = _mail(body.kind, notifications)
    if people and ends and settings.mail is not None:
        made.append((Kind.EMAIL, f"{run_id}/email", Registration(_wishes(ends, settings), people=people)))
    slack = notifications.get("slack") or {}
    if settings.slack.reaches(channel := str(slack.get("channel") or "")) and channel:
        mentions = tuple(map(str, slack.get("mentionUsers") or ()))
        registration = Registration(_wishes(_OPERATION_ENDS, settings), channel, people=mentions)
        made.append((Kind.SLACK, f"{run_id}/slack", registration))
    return [_endpoint(kind, name, run_id, body, when, registration) for kind, name, registration in made]


def asked_for_batch(batch: Batch, before: int, settings: DeliverySettings) -> list[Endpoint]:
    """The endpoints of a batch, told of what comes after the position `before`."""
    return [
        Endpoint(
            0,
            f"{batch.batch_id}/{name}",
            Kind.BATCH_CALLBACK,
            batch.tenant_id,
            batch.project_id,
            batch.batch_id,
            Status.ACTIVE,
            before,
            batch.created,
            Registration(_wishes(events, settings), str(batch.callbacks[name]), name),
        )
        for name, events in BATCH_CALLBACKS.items()
        if batch.callbacks.get(name)
    ]


def _callbacks(extras: Mapping[str, Any]) -> dict[str, str]:
    given = extras.get("callbacks") or {}
    return {name: given[name] for name in CALLBACKS if given.get(name)}


def _mail(kind: RunKind, notifications: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whom to write to, and at which ends."""
    if kind is RunKind.OPERATION:
        return _people(notifications.get("email")), _OPERATION_ENDS
    completion, failure = notifications.get("onCompletion"), notifications.get("onFailure")
    if completion is None and failure is None:
        return _people(notifications.get("emailRecipients")), _JOB_ENDS
    wanted = (("job.completed", completion), ("job.failed", failure))
    return _people(notifications.get("emailRecipients")), tuple(word for word, said in wanted if said)


def _people(given: Iterable[Any] | None) -> tuple[str, ...]:
    return addresses([str(one) for one in given or ()])


def _wishes(events: tuple[str, ...], settings: DeliverySettings) -> Wishes:
    return Wishes(events, step=settings.callback_step)


def _endpoint(
    kind: Kind, name: str, run_id: str, body: Submitted, when: datetime, registration: Registration
) -> Endpoint:
    return Endpoint(0, name, kind, body.tenant_id, body.project_id, run_id, Status.ACTIVE, 0, when, registration)
