"""What the streams of a run tell: for each Watch RPC the snapshot to begin with and the items that events become.

A story is a pure fold beside the run's own: `tell` goes from one state to the next, so that whatever a thousand
watchers see is computed once. Sequences are the run's, whatever the filter leaves out.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from lodestream_server.runs.events import Event
from lodestream_server.runs.state import RunState

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Item:
    """Something told, and the number of the event it comes from."""

    sequence: int
    message: Message


@dataclass(frozen=True, slots=True)
class Story(Generic[S]):
    """One Watch RPC's way to tell a run.

    `frame` is its response type, `events` the type of the list inside. `snapshot` shows the run as it stands, and
    nothing of what came after. `begin` gives the teller's state after the events so far (none: before the first);
    without it the teller keeps none.
    """

    frame: Callable[..., Message]
    events: Callable[..., Message]
    snapshot: Callable[[RunState], Awaitable[Message]]
    tell: Callable[[S, Sequence[Event]], tuple[S, list[Item]]]
    nothing: S
    #: From the folded run alone, where that is enough.
    from_run: Callable[[RunState], S] | None = None
    #: From all earlier events, where it is not.
    from_events: Callable[[Sequence[Event]], S] | None = None


AnyStory = Story[Any]
