"""The error answers of an operation: RFC 9457 documents, with the reasons that the method's comment names."""

import re
from collections import defaultdict
from http import HTTPStatus
from typing import Any

from lodestream import errors, status

Schema = dict[str, Any]

#: What any call may be told, whatever its method says.
_GENERAL = ("MALFORMED", "INVALID_FIELD", "UNAUTHENTICATED", "ROLE_TOO_LOW", "NOT_BUILT")

PROBLEM: Schema = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "reason"],
    "properties": {
        "type": {"type": "string", "description": "Names the kind of problem; the fragment is the reason."},
        "title": {"type": "string", "description": "The kind of problem in words, the same every time."},
        "status": {"type": "integer", "format": "int32", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What happened this time and what to do."},
        "instance": {"type": "string", "description": "The id of this request, as in the header X-Request-Id."},
        "reason": {"type": "string", "description": "Upper-snake word for programs.", "example": "INVALID_FIELD"},
        "errors": {
            "type": "array",
            "description": "Every fault that was found.",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the body (RFC 6901)."},
                    "parameter": {"type": "string", "description": "Name of the parameter, for those in the address."},
                    "in": {"type": "string", "enum": ["body", "path", "query", "header"]},
                    "detail": {"type": "string", "description": "The fault and the fix."},
                    "allowed": {"type": "array", "items": {"type": "string"}, "description": "What would do."},
                },
            },
        },
        "errorId": {"type": "string", "description": "Finds an unexpected fault in the server's log."},
    },
    "additionalProperties": True,
}


def problem_response(description: str) -> Schema:
    """An error answer."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def error_responses(comment: str) -> Schema:
    """Status -> answer, for the reasons that a comment lists after "Errors:" and those that any call may meet."""
    listed = re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", comment.partition("Errors:")[2])
    named: defaultdict[int, list[str]] = defaultdict(list)
    for reason in [*_GENERAL, *listed]:
        if reason in status.STATUSES and reason not in named[status.of(reason).http]:
            named[status.of(reason).http].append(reason)
    answers = {
        str(code): problem_response("\n".join(f"{r}: {errors.default_message(status.error_for(r))}" for r in reasons))
        for code, reasons in sorted(named.items())
    }
    return {**answers, "default": problem_response(f"Any other problem, such as {HTTPStatus(503).phrase.lower()}.")}
