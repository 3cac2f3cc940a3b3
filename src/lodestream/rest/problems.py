"""Everything that can go wrong at this door, as RFC 9457 documents. Never a stack trace, never HTML.

Handlers raise; `app` catches and sends. What the contract knows keeps its reason and status from `lodestream.status`;
the table here holds only what HTTP itself adds.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from lodestream import errors, status
from lodestream.errors import LodestreamError
from lodestream.rest.answers import Answer, Headers
from lodestream.wire import Problem, Refused

MEDIA_TYPE: Final = b"application/problem+json"

#: Reasons that only an HTTP door can have -> (status, title).
OF_THE_DOOR: Final[dict[str, tuple[int, str]]] = {
    "ROUTE_NOT_FOUND": (404, "There is no such address"),
    "METHOD_NOT_ALLOWED": (405, "This address does not take that method"),
    "NOT_ACCEPTABLE": (406, "This address has none of the media types asked for"),
    "TOO_SLOW": (408, "The request did not arrive in time"),
    "BODY_TOO_LARGE": (413, "The body is larger than this address takes"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "This address does not take bodies of that media type"),
    "RANGE_NOT_SATISFIABLE": (416, "The range lies beyond the end of the file"),
    "HEADERS_TOO_LARGE": (431, "The request line and headers are too large"),
    "FOREIGN_HOST": (421, "This service does not answer for that host"),
    "LINK_NOT_VALID": (403, "The link is not valid, or no longer"),
    "UNAVAILABLE": (503, "The service cannot be reached at the moment"),
    "TIMED_OUT": (504, "The service did not answer in time"),
}


@dataclass(slots=True)
class Refusal(Exception):
    """The request is refused: `reason` stands in the table of this door or in that of the contract.

    `faults` are the entries of `errors`; `status` overrides the table for reasons that a newer server invented.
    """

    reason: str
    detail: str
    faults: list[dict[str, Any]] = field(default_factory=list)
    headers: Headers = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    status: int | None = None

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def problem(error: Exception, request_id: str = "") -> Answer:
    """The document of an error; what is not one of ours is an unexpected fault and shows nothing of itself."""
    match error:
        case Refusal():
            code, title = OF_THE_DOOR.get(error.reason) or _of_contract(error.reason)
            return _document(
                error.status or code,
                error.reason,
                title,
                error.detail,
                request_id,
                error.faults,
                error.headers,
                _more(error.facts),
            )
        case Refused():
            return problem(refusal_of_fields(error), request_id)
        case LodestreamError():
            return _of_error(error, request_id)
    return unexpected(request_id, request_id)


def refusal_of_fields(refused: Refused) -> Refusal:
    """The refusal that tells of the fields at fault."""
    return Refusal("INVALID_FIELD", str(refused.problems[0]), [_fault(one) for one in refused.problems])


def unexpected(error_id: str, request_id: str) -> Answer:
    """An internal fault: the id finds it in the log."""
    detail = "An unexpected fault; the error id finds it in the server's log."
    code, title = _of_contract("INTERNAL")
    return _document(code, "INTERNAL", title, detail, request_id, more={"errorId": error_id})


def invalid(pointer: str, reason: str, fix: str = "", location: str = "body") -> Refused:
    """The refusal of one field or parameter."""
    return Refused([Problem(pointer, reason, fix, location=location)])


def _of_contract(reason: str) -> tuple[int, str]:
    return status.of(reason).http, errors.default_message(status.error_for(reason))


def _of_error(error: LodestreamError, request_id: str) -> Answer:
    return problem(refusal_of(error), request_id)


def refusal_of(error: LodestreamError, place: Callable[[str], dict[str, str]] | None = None) -> Refusal:
    """The refusal that tells of an error of the contract; `place` says where a violation lies."""
    headers: Headers = []
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
    if error.reason == "UNAUTHENTICATED":
        headers.append((b"www-authenticate", b'Bearer realm="lodestream"'))
    where = place or (lambda name: {"pointer": name})
    faults = [{**where(one.field), "detail": one.description} for one in error.violations]
    return Refusal(error.reason, error.message, faults, headers, facts=dict(error.details))


def _more(facts: dict[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {key: value for key, value in facts.items() if key != "error_id"}
    found = {"errorId": facts["error_id"]} if "error_id" in facts else {}
    return {**found, "details": shown} if shown else found


def _fault(one: Problem) -> dict[str, Any]:
    where = {"pointer": one.pointer} if one.location == "body" else {"parameter": one.pointer[1:]}
    said: dict[str, Any] = {"in": one.location, **where, "detail": ": ".join(filter(None, (one.reason, one.fix)))}
    return {**said, "allowed": list(one.allowed)} if one.allowed else said


def _document(
    code: int,
    reason: str,
    title: str,
    detail: str,
    request_id: str,
    faults: Iterable[dict[str, Any]] = (),
    headers: Headers | None = None,
    more: dict[str, Any] | None = None,
) -> Answer:
    document: dict[str, Any] = {
        "type": f"urn:lodestream:problem:{reason.lower().replace('_', '-')}",
        "title": title.rstrip("."),
        "status": code,
        "detail": detail,
        "reason": reason,
    }
    if request_id:
        document["instance"] = f"urn:lodestream:request:{request_id}"
    if faults := list(faults):
        document["errors"] = faults
    lasting = [(b"cache-control", b"no-store"), (b"x-request-id", request_id.encode())] if request_id else []
    return Answer(code, _bytes(document | (more or {})), MEDIA_TYPE, [*(headers or []), *lasting])


def _bytes(document: dict[str, Any]) -> bytes:
    """JSON; what the caller sent may hold halves of surrogate pairs, which no answer repeats."""
    try:
        return orjson.dumps(document)
    except TypeError:
        document = {key: value for key, value in document.items() if key != "errors"}
        return orjson.dumps({**document, "detail": str(document["detail"]).encode("utf-8", "replace").decode()})
