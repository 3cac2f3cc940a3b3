"""What goes along with a request of the REST door: session and language for its gRPC calls, provenance on its way back.

The facade is an ordinary client that knows nothing of sessions; the channel it is given adds what the shell around it
has noted for the request at hand.
"""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Carried:
    """`metadata` goes with every call of a request; `calls` are the calls that it made."""

    metadata: tuple[tuple[str, str], ...] = ()
    calls: list[Any] = field(default_factory=list)


CARRIED: ContextVar[Carried | None] = ContextVar("lodestream_mock_carried", default=None)


class CarryingChannel:
    """A channel whose calls carry what the request at hand carries; everything else is the channel's own."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._channel, name)
        return _carrying(found) if name in ("unary_unary", "unary_stream", "stream_unary", "stream_stream") else found


def _carrying(kind: Any) -> Any:
    def multi_callable(*arguments: Any, **options: Any) -> Any:
        inner = kind(*arguments, **options)

        def call(*arguments: Any, metadata: Any = None, **options: Any) -> Any:
            carried = CARRIED.get()
            extra = carried.metadata if carried else ()
            made = inner(*arguments, metadata=(*(metadata or ()), *extra), **options)
            if carried:
                carried.calls.append(made)
            return made

        return call

    return multi_callable
