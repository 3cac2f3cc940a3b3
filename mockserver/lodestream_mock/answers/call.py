"""One call as the answers see it, and the tables of answers by method name."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

from google.protobuf.message import Message

from lodestream import documented, wire
from lodestream.errors import InvalidField, Violation
from lodestream_mock.session.session import Session

#: The name that documented answers give for the caller.
CALLER = "user123"


@dataclass(slots=True)
class Provenance:
    """Which example an answer is, and whether the pages show it ("documented") or we worked it out ("derived")."""

    example: str = ""
    source: str = ""
    page: str = ""
    status: str = "derived"

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """As headers and trailers; ASCII only."""
        pairs = (
            ("lodestream-provenance", self.status),
            ("lodestream-example", self.example),
            ("lodestream-source", self.source),
            ("lodestream-page", quote(self.page)),
        )
        return tuple((key, value) for key, value in pairs if value)


@dataclass(slots=True)
class Call:
    """`language` is the one that this answer comes in. `provenance` is filled by the answer."""

    session: Session
    method: str
    language: wire.Language = "en"
    provenance: Provenance = field(default_factory=Provenance)

    def documented(self, example: str, language: wire.Language | None = None) -> None:
        """Notes that the answer is this example; a page's own or our translation of it."""
        file = f"{language or self.language}/{example}.json"
        source = next(entry for entry in documented.manifest() if entry["file"] == file)
        self.provenance = Provenance(file, source["source"], source["page"], "documented")

    def derived(self, example: str = "") -> None:
        """Notes that the answer was worked out; `example` names the data it comes from, if any."""
        self.provenance = Provenance(example)


Answer: TypeAlias = Callable[[Call, Any], Message | Awaitable[Message]]
StreamAnswer: TypeAlias = Callable[[Call, Any], AsyncIterator[Message]]
UploadAnswer: TypeAlias = Callable[[Call, list[Any]], Message]

A = TypeVar("A", bound=Callable[..., Any])
S = TypeVar("S", bound=Callable[..., Any])

ANSWERS: dict[str, Answer] = {}
STREAMS: dict[str, StreamAnswer] = {}
UPLOADS: dict[str, UploadAnswer] = {}


def answers(method: str) -> Callable[[A], A]:
    """Registers the answer to a unary RPC."""

    def register(function: A) -> A:
        ANSWERS[method] = function
        return function

    return register


def streams(method: str) -> Callable[[S], S]:
    """Registers the answer to a streaming RPC."""

    def register(function: S) -> S:
        STREAMS[method] = function
        return function

    return register


def checked(request: Message) -> None:
    """Raises InvalidField with everything wrong with a request: field, what is wrong with it, what to give."""
    if problems := wire.check(request):
        violations = []
        for problem in problems:
            fix = f"; {problem.fix}" if problem.fix else ""
            violations.append(Violation(wire.proto_path(request, problem.pointer), f"{problem.reason}{fix}"))
        raise InvalidField.of(*violations)
