"""A failed call -> the refusal that the caller of this door gets.

Errors of Lodestream keep their reason; the fields at fault, which the contract names in its own words, are named as the
caller wrote them. What a network or another gRPC server adds is told by its code alone: its text stays in the log.
"""

import re
from collections.abc import Collection, Mapping

from google.protobuf.descriptor import Descriptor
from grpc import StatusCode, aio

from lodestream import status
from lodestream.errors import LodestreamError
from lodestream.rest.problems import Refusal, refusal_of
from lodestream.rich_status import from_call
from lodestream.wire.problems import escape

_BY_CODE = {
    StatusCode.UNIMPLEMENTED: ("NOT_BUILT", "This is documented, but this server does not have it."),
    StatusCode.UNAUTHENTICATED: ("UNAUTHENTICATED", "No valid API key came with the call; send one as a bearer token."),
    StatusCode.PERMISSION_DENIED: ("ROLE_TOO_LOW", "The API key's role does not allow this call."),
    StatusCode.NOT_FOUND: ("NOT_FOUND", "There is no such thing."),
    StatusCode.INVALID_ARGUMENT: ("MALFORMED", "The server cannot read the request."),
    StatusCode.OUT_OF_RANGE: ("INVALID_FIELD", "A value of the request is out of range."),
    StatusCode.RESOURCE_EXHAUSTED: ("QUOTA_EXCEEDED", "The server takes no more of this at the moment."),
    StatusCode.UNAVAILABLE: ("UNAVAILABLE", "The service cannot be reached at the moment; try again."),
    StatusCode.CANCELLED: ("UNAVAILABLE", "The service ended the call; try again."),
    StatusCode.DEADLINE_EXCEEDED: ("TIMED_OUT", "The service did not answer in time; try again."),
}
# The HTTP status of reasons that a newer server has and this facade does not know.
_HTTP = {pair.code: pair.http for pair in reversed(list(status.STATUSES.values()))}
_PART = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


def refusal(error: aio.AioRpcError, request: Descriptor, in_path: Collection[str], with_body: bool) -> Refusal | None:
    """The refusal for a failed call with a request of that type; None for an unexpected fault."""
    told = from_call(error)
    if told is None:
        known = _BY_CODE.get(error.code())
        retry = [(b"retry-after", b"1")] if known and known[0] == "UNAVAILABLE" else []
        return Refusal(*known, headers=retry) if known else None
    made = refusal_of(told, lambda name: place(request, name, in_path, with_body))
    if told.violations:
        made.detail = _in_callers_words(made.detail, told.violations[0].field, made.faults[0])
    if type(told) is LodestreamError and "reason" in made.facts:
        made.reason, made.status = made.facts.pop("reason"), _HTTP.get(error.code(), 500)
    return made


def _in_callers_words(detail: str, field: str, fault: Mapping[str, str]) -> str:
    """The message with the field that it begins with named as the caller wrote it."""
    if not field or not detail.startswith(f"{field}: "):
        return detail
    written = fault.get("pointer") or f"{fault['in']} parameter {fault.get('parameter', '')}"
    return written + detail.removeprefix(field)


def place(request: Descriptor, name: str, in_path: Collection[str], with_body: bool) -> dict[str, str]:
    """Where a caller of this door wrote a field: "stages[2].stage_name" -> body, pointer "/stages/2/stageName"."""
    if "request" not in request.fields_by_name:
        name = name.removeprefix("request.")  # a Watch request holds that of its twin
    tokens = _tokens(request, name)
    if len(tokens) == 1 and (tokens[0] in in_path or not with_body):
        return {"in": "path" if tokens[0] in in_path else "query", "parameter": tokens[0]}
    return {"in": "body", "pointer": "".join(f"/{escape(token)}" for token in tokens)}


def _tokens(request: Descriptor, name: str) -> list[str]:
    """The documented keys along a path of the contract; what names no field (keys of free-form objects) is kept."""
    descriptor: Descriptor | None = request
    tokens = []
    for key, index in _PART.findall(name):
        if index:
            tokens.append(index)
            continue
        field = next((f for f in descriptor.fields if key in (f.name, f.json_name)), None) if descriptor else None
        tokens.append(field.json_name if field else key)
        descriptor = field.message_type if field else None
    return tokens
