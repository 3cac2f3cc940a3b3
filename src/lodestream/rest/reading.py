"""A request -> the message of its RPC and the metadata beside it. The transcoder reads, checks and explains."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
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
    """The request message. Raises Refused with every problem of path, query and body: one round trip mends them all."""
    if asked.body is not None and not isinstance(asked.body, dict):
        raise wrong_type(asked.body, "an object")
    written = Written(dict(asked.path), asked.query, asked.body)
    try:
        made = written.read(rpc.request, with_body=with_body)
    except Refused as refused:
        raise Refused([*refused.problems, *_also_wrong(rpc, written, refused, with_body)]) from None
    if rpc.has_request_id and b"idempotency-key" in asked.headers:
        _take_key(made, asked.header(b"idempotency-key"))
    if problems := check(made):
        raise Refused(placed(problem, asked.path, with_body) for problem in problems)
    return made


@dataclass(frozen=True, slots=True)
class Written:
    """What a caller wrote for a message, by where it stands."""

    path: dict[str, str]
    query: dict[str, list[str]]
    body: dict[str, Any] | None

    def read(self, request: type[Message], *, with_body: bool) -> Message:
        """The message. Raises Refused."""
        if with_body:
            return from_request(request, self.path, self.query, self.body)
        return from_params(request, self.path, self.query)

    def without(self, names: Collection[str]) -> "Written":
        """The same without these keys and parameters."""
        return Written(
            {name: text for name, text in self.path.items() if name not in names},
            {name: texts for name, texts in self.query.items() if name not in names},
            {key: value for key, value in (self.body or {}).items() if key not in names},
        )


def _also_wrong(rpc: Rpc, written: Written, refused: Refused, with_body: bool) -> list[Problem]:
    """What the rules of the contract say of the rest of a request that could not be read."""
    unread = {unescape(problem.pointer.split("/")[1]) for problem in refused.problems if problem.pointer}
    try:
        readable = written.without(unread).read(rpc.request, with_body=with_body)
    except Refused:
        return []
    found = [placed(problem, written.path, with_body) for problem in check(readable)]
    return [problem for problem in found if unescape(problem.pointer.split("/")[1]) not in unread]


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
    """Puts the Idempotency-Key into the message; it counts before the body's own id. Raises Refused."""
    if not key.strip() or len(key) > 200:
        raise invalid("/Idempotency-Key", "must have 1 to 200 characters", location="header")
    made.request_id = key


def placed(problem: Problem, path: Mapping[str, str], with_body: bool) -> Problem:
    """The problem of a message, told where the caller wrote the field."""
    first = unescape(problem.pointer.split("/")[1]) if problem.pointer else ""
    if first in path:
        return replace(problem, location="path")
    return problem if with_body else replace(problem, location="query")


def unescape(token: str) -> str:
    """The key behind a token of a JSON pointer."""
    return token.replace("~1", "/").replace("~0", "~")
