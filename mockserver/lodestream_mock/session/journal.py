"""What was asked of a session and what it answered, in order; credentials and secrets are redacted."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from lodestream import wire
from lodestream.wire import fields

_HIDDEN = "***"
_SECRET_KEYS = ("authorization", "cookie", "x-api-key")
#: Differs with every run of a suite and says nothing.
_PASSING = ("x-request-id",)
#: Calls remembered a session; older ones are forgotten, their numbers stay.
MOST = 10_000
#: Frames remembered a call.
MOST_FRAMES = 1_000


@dataclass(slots=True)
class Entry:
    """One call. `door` is "grpc" or "rest"; `code` a gRPC code name; `frames` the kinds of a stream's messages;
    `fault` the id of the fault that fired. `explained` is False for calls to what the contract does not have."""

    number: int
    at_ms: int
    door: str
    method: str
    language: str
    request: dict[str, Any]
    metadata: dict[str, str]
    code: str = ""
    reason: str = ""
    example: str = ""
    provenance: str = ""
    fault: str = ""
    frames: list[str] = field(default_factory=list)
    answer: bytes = b""
    explained: bool = True


class Journal:
    """The calls of a session."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=MOST)
        self.count = 0

    def begin(self, at_ms: int, door: str, method: str, language: str, request: Message | None, metadata: Any) -> Entry:
        """Notes a call; the rest is filled in when it has ended."""
        self.count += 1
        entry = Entry(
            number=self.count,
            at_ms=at_ms,
            door=door,
            method=method,
            language=language,
            request=redacted(request) if request is not None else {},
            metadata={str(key): _shown(str(key), value) for key, value in metadata if str(key) not in _PASSING},
        )
        self.entries.append(entry)
        return entry


def redacted(message: Message) -> dict[str, Any]:
    """A request as documented JSON, without the values of secret fields."""
    copy = type(message).FromString(message.SerializeToString())
    _hide(copy)
    try:
        return wire.to_dict(copy)
    except wire.Refused:
        return {}


def _hide(message: Any) -> None:
    for field_, value in message.ListFields():
        if fields.rule(field_).secret:
            setattr(message, field_.name, b"" if isinstance(value, bytes) else _HIDDEN)
        elif field_.message_type and not fields.is_map(field_):
            for item in value if field_.is_repeated else (value,):
                _hide(item)


def _shown(key: str, value: Any) -> str:
    if key.lower() in _SECRET_KEYS:
        scheme, _, rest = str(value).partition(" ")
        return f"{scheme} {_HIDDEN}" if rest else _HIDDEN
    return value.hex() if isinstance(value, bytes) else str(value)
