"""Ids of what a session creates: the documented one first, then UUIDv5 of the seed and the number.

Nothing is random: the same calls under the same seed give the same ids.
"""

import uuid
from functools import cache

from lodestream import documented

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://lodestream.dev/mock")
#: Kind -> (documented example and key that hold its first id, prefix of the later ones).
_KINDS: dict[str, tuple[str, str, str]] = {
    "job": ("submit-job.response", "jobId", ""),
    "operation": ("start-operation.response", "operationId", "op-"),
    "operation-retry": ("retry-operation.response", "newOperationId", "op-retry-"),
    "batch": ("submit-batch.response", "batchId", "batch-"),
    "webhook": ("register-webhook.response", "webhookId", "wh-"),
    "subscription": ("subscribe-to-job.response", "subscriptionId", "sub-"),
}


def made_id(kind: str, seed: int, number: int) -> str:
    """The id of the `number`-th (from 1) thing of a kind; those without a documented id have UUIDs from the first."""
    if number == 1 and kind in _KINDS:
        return documented_id(kind)
    prefix = _KINDS[kind][2] if kind in _KINDS else ""
    return f"{prefix}{uuid.uuid5(_NAMESPACE, f'{seed}/{kind}/{number}')}"


@cache
def documented_id(kind: str) -> str:
    """The id that the pages show."""
    example, key, _ = _KINDS[kind]
    return str(documented.example(example)[key])
