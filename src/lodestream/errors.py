"""What can go wrong, as plain exceptions: raised by the servers, turned into statuses at the doors, rebuilt by the
client.

Each class is named for what happened, carries the reason that callers may branch on, and its docstring's first line
is its default message. Texts are for callers: they never hold paths or stack traces. No transport is imported here;
`status.py` holds the table reason <-> gRPC code <-> HTTP status.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Violation:
    """One field at fault: its path as the caller wrote it (`parameters.datasetId`), the fault and the fix."""

    field: str
    description: str


class LodestreamError(Exception):
    """Something went wrong."""

    reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str | None = None,
        *,
        violations: Iterable[Violation] = (),
        retry_after_s: float | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or default_message(type(self)))
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s
        self.details: dict[str, str] = dict(details or {})

    @property
    def message(self) -> str:
        """The text for the caller."""
        return str(self)


def default_message(error: type[LodestreamError]) -> str:
    """The first line of the class's docstring."""
    return (error.__doc__ or "Something went wrong.").strip().splitlines()[0]


# What the caller wrote cannot be used.


class Malformed(LodestreamError):
    """The request cannot be read."""

    reason = "MALFORMED"


class InvalidField(LodestreamError):
    """A field of the request has a wrong type, word or range."""

    reason = "INVALID_FIELD"

    @classmethod
    def of(cls, *violations: Violation) -> "InvalidField":
        """The error for these fields; its message is the first one's."""
        first = violations[0]
        return cls(f"{first.field}: {first.description}", violations=violations)


class PageBeyondWindow(LodestreamError):
    """page x page_size goes beyond 10,000; continue with the page_token of the last answer."""

    reason = "PAGE_BEYOND_WINDOW"


class BadPageToken(LodestreamError):
    """The page_token was not made by this server for this list."""

    reason = "BAD_PAGE_TOKEN"


class CursorBeyondLog(LodestreamError):
    """The cursor lies beyond the newest event."""

    reason = "CURSOR_BEYOND_LOG"


class UploadTooLarge(LodestreamError):
    """The upload is larger than this server accepts."""

    reason = "UPLOAD_TOO_LARGE"


class Unauthenticated(LodestreamError):
    """No valid API key came with the call; send one as `authorization: Bearer <key>`."""

    reason = "UNAUTHENTICATED"


class RoleTooLow(LodestreamError):
    """The API key's role does not allow this call."""

    reason = "ROLE_TOO_LOW"


# An id in the address names nothing that the caller may see. Missing and foreign are the same answer.


class NotFound(LodestreamError):
    """There is no such thing."""

    reason = "NOT_FOUND"


class RunNotFound(NotFound):
    """There is no such run in this project."""

    reason = "RUN_NOT_FOUND"


class DatasetNotFound(NotFound):
    """There is no such dataset in this project."""

    reason = "DATASET_NOT_FOUND"


class ArtifactNotFound(NotFound):
    """There is no such artifact in this project."""

    reason = "ARTIFACT_NOT_FOUND"


class PhaseNotFound(NotFound):
    """The run has no phase of that name."""

    reason = "PHASE_NOT_FOUND"


class KeyNotFound(NotFound):
    """There is no such API key."""

    reason = "KEY_NOT_FOUND"


class ResourceNotFound(NotFound):
    """There is no such resource in this project."""

    reason = "RESOURCE_NOT_FOUND"


class WebhookNotFound(NotFound):
    """There is no such webhook in this project."""

    reason = "WEBHOOK_NOT_FOUND"


class DeliveryNotFound(NotFound):
    """The webhook has no such delivery."""

    reason = "DELIVERY_NOT_FOUND"


class SubscriptionNotFound(NotFound):
    """The run has no such subscription."""

    reason = "SUBSCRIPTION_NOT_FOUND"


# The thing is there, but its state does not allow it.


class RunAlreadyEnded(LodestreamError):
    """The run has ended and cannot be cancelled any more."""

    reason = "RUN_ALREADY_ENDED"


class RunAlreadyStarted(LodestreamError):
    """The run has started; its priority means nothing any more."""

    reason = "RUN_ALREADY_STARTED"


class RunNotFinished(LodestreamError):
    """The run has not ended yet; its results are there when it has."""

    reason = "RUN_NOT_FINISHED"


class RunNotRetryable(LodestreamError):
    """Only a run that failed, timed out or was cancelled can be retried."""

    reason = "RUN_NOT_RETRYABLE"


class DatasetInUse(LodestreamError):
    """The dataset is used by a run that has not ended; cancel the run or wait for its end."""

    reason = "DATASET_IN_USE"


class ResourceInUse(LodestreamError):
    """The resource is used by a run that has not ended; cancel the run or wait for its end."""

    reason = "RESOURCE_IN_USE"


# Well-formed, but what it refers to cannot be resolved.


class UnknownDataset(LodestreamError):
    """The request refers to a dataset that is not in this project."""

    reason = "UNKNOWN_DATASET"


class UnknownResource(LodestreamError):
    """The request refers to a resource that is not registered in this project."""

    reason = "UNKNOWN_RESOURCE"


class UnknownRun(LodestreamError):
    """The request refers to a run that is not in this project, has not completed, or whose files are no longer kept."""

    reason = "UNKNOWN_RUN"


class DependencyProblem(LodestreamError):
    """The dependencies contain a cycle, an unknown key or a key twice."""

    reason = "DEPENDENCY_PROBLEM"


class IdempotencyKeyReused(LodestreamError):
    """This idempotency key was used before with another request."""

    reason = "IDEMPOTENCY_KEY_REUSED"


class BadDataset(LodestreamError):
    """The uploaded file cannot be read as an event log."""

    reason = "BAD_DATASET"


# The server cannot do it now, or at all.


class QuotaExceeded(LodestreamError):
    """The quota of this tenant or key is used up."""

    reason = "QUOTA_EXCEEDED"


class DiskFull(LodestreamError):
    """No space is left on the server's disk; nothing was stored."""

    reason = "DISK_FULL"


class ServerDraining(LodestreamError):
    """The server is shutting down; try again in a moment."""

    reason = "SERVER_DRAINING"


class StoreUnavailable(LodestreamError):
    """The server's store cannot write at the moment; nothing was stored."""

    reason = "STORE_UNAVAILABLE"


class NotBuilt(LodestreamError):
    """This is documented, but not built yet."""

    reason = "NOT_BUILT"


class Internal(LodestreamError):
    """An unexpected fault; the error id finds it in the server's log."""

    reason = "INTERNAL"


# The server cannot start. Shown by the command line; never sent.


class DataDirInUse(LodestreamError):
    """Another server is using this data directory."""

    reason = "DATA_DIR_IN_USE"


class StoreTooNew(LodestreamError):
    """The store was written by a newer version of Lodestream; nothing was changed."""

    reason = "STORE_TOO_NEW"


class StoreDamaged(LodestreamError):
    """The store cannot be read; nothing was changed."""

    reason = "STORE_DAMAGED"
