"""The one table reason <-> gRPC code <-> HTTP status. Interceptors, facade, client and the error docs read it.

A reason always means the same pair on both doors. What has no row is INTERNAL / 500: an unexpected fault.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from grpc import StatusCode

from lodestream import errors

DOMAIN: Final = "lodestream"


@dataclass(frozen=True, slots=True)
class Status:
    """How a reason looks on each door."""

    code: StatusCode
    http: int


_ARGUMENT = StatusCode.INVALID_ARGUMENT
_STATE = StatusCode.FAILED_PRECONDITION
_ABSENT = StatusCode.NOT_FOUND
_SPENT = StatusCode.RESOURCE_EXHAUSTED

STATUSES: Final[Mapping[str, Status]] = MappingProxyType(
    {
        "MALFORMED": Status(_ARGUMENT, 400),
        "INVALID_FIELD": Status(_ARGUMENT, 400),
        "PAGE_BEYOND_WINDOW": Status(_ARGUMENT, 400),
        "BAD_PAGE_TOKEN": Status(_ARGUMENT, 400),
        "CURSOR_BEYOND_LOG": Status(StatusCode.OUT_OF_RANGE, 400),
        "UPLOAD_TOO_LARGE": Status(_ARGUMENT, 413),
        "UNAUTHENTICATED": Status(StatusCode.UNAUTHENTICATED, 401),
        "ROLE_TOO_LOW": Status(StatusCode.PERMISSION_DENIED, 403),
        "NOT_FOUND": Status(_ABSENT, 404),
        "RUN_NOT_FOUND": Status(_ABSENT, 404),
        "DATASET_NOT_FOUND": Status(_ABSENT, 404),
        "ARTIFACT_NOT_FOUND": Status(_ABSENT, 404),
        "PHASE_NOT_FOUND": Status(_ABSENT, 404),
        "KEY_NOT_FOUND": Status(_ABSENT, 404),
        "RESOURCE_NOT_FOUND": Status(_ABSENT, 404),
        "WEBHOOK_NOT_FOUND": Status(_ABSENT, 404),
        "DELIVERY_NOT_FOUND": Status(_ABSENT, 404),
        "SUBSCRIPTION_NOT_FOUND": Status(_ABSENT, 404),
        "RUN_ALREADY_ENDED": Status(_STATE, 409),
        "RUN_ALREADY_STARTED": Status(_STATE, 409),
        "RUN_NOT_FINISHED": Status(_STATE, 409),
        "RUN_NOT_RETRYABLE": Status(_STATE, 409),
        "DATASET_IN_USE": Status(_STATE, 409),
        "RESOURCE_IN_USE": Status(_STATE, 409),
        "UNKNOWN_DATASET": Status(_ARGUMENT, 422),
        "UNKNOWN_RESOURCE": Status(_ARGUMENT, 422),
        "UNKNOWN_RUN": Status(_ARGUMENT, 422),
        "DEPENDENCY_PROBLEM": Status(_ARGUMENT, 422),
        "IDEMPOTENCY_KEY_REUSED": Status(_ARGUMENT, 422),
        "BAD_DATASET": Status(_ARGUMENT, 422),
        "QUOTA_EXCEEDED": Status(_SPENT, 429),
        "DISK_FULL": Status(_SPENT, 507),
        "SERVER_DRAINING": Status(StatusCode.UNAVAILABLE, 503),
        "STORE_UNAVAILABLE": Status(StatusCode.UNAVAILABLE, 503),
        "NOT_BUILT": Status(StatusCode.UNIMPLEMENTED, 501),
        "INTERNAL": Status(StatusCode.INTERNAL, 500),
    }
)


def of(reason: str) -> Status:
    """The pair of a reason; an unknown reason is an unexpected fault."""
    return STATUSES.get(reason, STATUSES["INTERNAL"])


def error_for(reason: str) -> type[errors.LodestreamError]:
    """The exception class of a reason, so that a client raises what the server raised; the base class if unknown."""
    return _BY_REASON.get(reason, errors.LodestreamError)


def _family(root: type[errors.LodestreamError]) -> dict[str, type[errors.LodestreamError]]:
    found = {root.reason: root}
    for child in root.__subclasses__():
        found |= _family(child)
    return found


_BY_REASON: Final = _family(errors.LodestreamError) | {"INTERNAL": errors.Internal}
