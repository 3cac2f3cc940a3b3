"""Statuses of calls -> exceptions: what the server raised where it says so, else what the client can tell itself.

Called by `calls`, `watching`, uploads and downloads. Knows which failures of a stream are worth another connection.
"""

from typing import Final

from grpc import StatusCode
from grpc.aio import AioRpcError

from lodestream import errors, rich_status
from lodestream.client.problems import CallRefused, DeadlinePassed, ServerUnreachable
from lodestream.client.settings import Settings

#: Statuses without a reason of ours that the transport makes: the connection broke, the server went or was busy.
_PASSING: Final = frozenset(
    {
        StatusCode.UNAVAILABLE,
        StatusCode.CANCELLED,
        StatusCode.ABORTED,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.RESOURCE_EXHAUSTED,
        StatusCode.INTERNAL,
        StatusCode.UNKNOWN,
    }
)
_PLAIN: Final[dict[StatusCode, type[errors.LodestreamError]]] = {
    StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
    StatusCode.PERMISSION_DENIED: errors.RoleTooLow,
    StatusCode.UNIMPLEMENTED: errors.NotBuilt,
    StatusCode.DEADLINE_EXCEEDED: DeadlinePassed,
}


def error_of(status: AioRpcError, settings: Settings) -> errors.LodestreamError:
    """The exception of a status. Its `__cause__` is left to the caller; its text is for people."""
    if error := rich_status.from_call(status):
        return error
    code, said = status.code(), (status.details() or "").strip()
    if code is StatusCode.UNAVAILABLE:
        return ServerUnreachable(f"No Lodestream server answers at {settings.target}{_because(said)}.")
    if code in _PLAIN:
        return _PLAIN[code](None if code is StatusCode.DEADLINE_EXCEEDED else said or None)
    return CallRefused(f"The server at {settings.target} answered {code.name}: {said or 'no reason given'}.")


def is_passing(status: AioRpcError) -> bool:
    """Whether a stream that ended so may be taken up again: nothing was refused, the connection is at fault."""
    if error := rich_status.from_call(status):
        return isinstance(error, errors.ServerDraining | errors.StoreUnavailable)
    return status.code() in _PASSING


def _because(said: str) -> str:
    """The few causes that people can act on, out of the library's long text."""
    text = said.lower()
    if "connection refused" in text:
        return " (connection refused)"
    if "ssl" in text or "tls" in text or "certificate" in text or "handshake" in text:
        return " (the TLS handshake failed; check the certificate settings)"
    if "dns" in text or "name resolution" in text or "name or service not known" in text:
        return " (the name is not known)"
    if "timed out" in text or "timeout" in text:
        return " (no connection in time)"
    return ""
