"""Errors on a gRPC call: `lodestream.errors` -> google.rpc.Status in the trailers, and back.

Shared by the interceptors of both servers and by every client, so that what a server raised is what a caller catches.
A status carries one ErrorInfo (domain `lodestream`, the reason, facts), BadRequest for fields at fault and RetryInfo
where waiting helps; `lodestream.status` says which gRPC code a reason has.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, Protocol, cast

from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from lodestream import status
from lodestream.errors import LodestreamError, Violation

#: Where gRPC carries a google.rpc.Status.
DETAILS_KEY: Final = "grpc-status-details-bin"
#: Trailers beyond 8 KiB are refused by other sides' defaults; base64 adds a third, the message and other keys the rest.
LARGEST_DETAILS: Final = 4096
LARGEST_MESSAGE: Final = 1000

_CODES: Final = {code.value[0]: code for code in StatusCode}


class Ended(Protocol):
    """What a failed call has, of grpc and grpc.aio alike."""

    def trailing_metadata(self) -> Any:
        """Pairs of key and value; None when nothing came."""


def to_status(error: LodestreamError) -> Status:
    """The status of an error. Texts and fields beyond what trailers hold are left out."""
    made = Status(code=code_of(error).value[0], message=_clip(error.message))
    _pack(made, ErrorInfo(reason=reason_of(error), domain=status.DOMAIN, metadata=_bounded(error.details)))
    if error.retry_after_s is not None:
        delay = Duration()
        delay.FromTimedelta(timedelta(seconds=error.retry_after_s))
        _pack(made, RetryInfo(retry_delay=delay))
    if error.violations:
        room = LARGEST_DETAILS - made.ByteSize()
        _pack(made, BadRequest(field_violations=_violations(error.violations, room)))
    return made


def to_trailers(error: LodestreamError) -> tuple[tuple[str, bytes], ...]:
    """The trailing metadata to abort a call with."""
    return ((DETAILS_KEY, to_status(error).SerializeToString()),)


def code_of(error: LodestreamError) -> StatusCode:
    """The gRPC code of an error."""
    return status.of(error.reason).code


def reason_of(error: LodestreamError) -> str:
    """The reason to send: what is not in the table is an unexpected fault."""
    return error.reason if error.reason in status.STATUSES else "INTERNAL"


def from_status(sent: Status) -> LodestreamError | None:
    """The error that a status tells of; None when Lodestream did not make it.

    A reason that this version does not know comes as the base class with the reason in `details["reason"]`.
    """
    info = BadRequest(), RetryInfo(), ErrorInfo()
    bad_request, retry, error_info = info
    for packed in sent.details:
        for part in info:
            if packed.Is(part.DESCRIPTOR):
                packed.Unpack(cast(Message, part))
    if error_info.domain != status.DOMAIN:
        return None
    kind = status.error_for(error_info.reason)
    details = dict(error_info.metadata)
    if kind is LodestreamError:
        details["reason"] = error_info.reason
    return kind(
        sent.message,
        violations=[Violation(at.field, at.description) for at in bad_request.field_violations],
        retry_after_s=retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None,
        details=details,
    )


def from_call(call: Ended) -> LodestreamError | None:
    """The error that a failed call tells of; None when its status has no details of Lodestream."""
    for key, value in call.trailing_metadata() or ():
        if key == DETAILS_KEY:
            try:
                return from_status(Status.FromString(value))
            except (DecodeError, TypeError):
                return None
    return None


def grpc_code(sent: Status) -> StatusCode:
    """The gRPC code of a status; UNKNOWN for a number that gRPC does not have."""
    return _CODES.get(sent.code, StatusCode.UNKNOWN)


def _pack(made: Status, detail: Message) -> None:
    packed = Packed()
    packed.Pack(detail)
    made.details.append(packed)


def _clip(text: str) -> str:
    return text if len(text) <= LARGEST_MESSAGE else f"{text[: LARGEST_MESSAGE - 1]}…"


def _bounded(details: dict[str, str]) -> dict[str, str]:
    room, kept = LARGEST_DETAILS // 4, dict[str, str]()
    for key, value in details.items():
        room -= len(key.encode()) + len(value.encode())
        if room >= 0:
            kept[key] = value
    return kept


def _violations(violations: Iterable[Violation], room: int) -> list[BadRequest.FieldViolation]:
    kept: list[BadRequest.FieldViolation] = []
    for violation in violations:
        made = BadRequest.FieldViolation(field=_clip(violation.field), description=_clip(violation.description))
        room -= made.ByteSize() + 4
        if room < 0 and kept:
            break
        kept.append(made)
    return kept
