"""A request -> the message of its RPC and the metadata beside it. The transcoder reads, checks and explains."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from lodestream.rest.asked import Asked
from lodestream.rest.problems import invalid
from lodestream.rest.rpcs import Rpc
from lodestream.wire import Problem, Refused, check, from_params, from_request
from lodestream.wire.problems import wrong_type

# What gRPC takes as the value of a metadata key: printable ASCII.
_PRINTABLE = re.compile(r"[ -~]*")


def message(rpc: Rpc, asked: Asked, *, with_body: bool) -> Message:
    """The request message. Raises Refused with every problem of path, query and body."""
    if not with_body:
        made = from_params(rpc.request, asked.path, asked.query)
    else:
        if asked.body is not None and not isinstance(asked.body, dict):
            raise wrong_type(asked.body, "an object")
        made = from_request(rpc.request, asked.path, asked.query, asked.body)
    if rpc.has_request_id and b"idempotency-key" in asked.headers:
        _take_key(made, asked.header(b"idempotency-key"))
    if problems := check(made):
        raise Refused(placed(problem, asked.path, with_body) for problem in problems)
    return made


def metadata(asked: Asked) -> tuple[tuple[str, str], ...]:
    """What travels beside the message: the caller's credential, language and request id."""
    pairs = (("accept-language", asked.language), ("x-request-id", asked.request_id))
    credential = asked.header(b"authorization")
    # A credential that gRPC cannot carry is none that a server could know.
    return (("authorization", credential), *pairs) if credential and _PRINTABLE.fullmatch(credential) else pairs


def take_flag(asked: Asked, name: str) -> bool:
    """Removes a true-or-false parameter from the query and returns it; False when it is not there."""
    texts = asked.query.pop(name, ["false"])
    if len(texts) != 1 or texts[0].lower() not in ("true", "false"):
        raise invalid(f"/{name}", "must be true or false, once", location="query")
    return texts[0].lower() == "true"


def _take_key(made: Any, key: str) -> None:
    """Puts the Idempotency-Key into the message. Raises Refused when the body names another one."""
    if not key.strip() or len(key) > 200:
        raise invalid("/Idempotency-Key", "must have 1 to 200 characters", location="header")
    if made.request_id and made.request_id != key:
        raise invalid("/Idempotency-Key", "differs from requestId in the body", "send one of them", "header")
    made.request_id = key


def placed(problem: Problem, path: Mapping[str, str], with_body: bool) -> Problem:
    """The problem of a message, told where the caller wrote the field."""
    first = problem.pointer.split("/")[1] if problem.pointer else ""
    if first in path:
        return replace(problem, location="path")
    return problem if with_body else replace(problem, location="query")
