"""The stories of WatchJob and WatchOperation: the run as it stands, then every event of it."""

from collections.abc import Awaitable, Callable, Sequence

from google.protobuf.message import Message

from lodestream.v1 import event_pb2
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import apply, replay
from lodestream_server.runs.shapes.as_events import as_event
from lodestream_server.runs.state import RunState
from lodestream_server.services.stories import Item, Story


def whole_story(
    frame: Callable[..., Message], snapshot: Callable[[RunState], Awaitable[Message]]
) -> Story[RunState | None]:
    """Every event, with the state after it."""
    return Story(
        frame=frame,
        events=event_pb2.RunEvents,
        snapshot=snapshot,
        tell=_tell,
        nothing=None,
        from_run=lambda run: run,
        from_events=replay,
    )


def _tell(run: RunState | None, events: Sequence[Event]) -> tuple[RunState | None, list[Item]]:
    items = []
    for event in events:
        run = apply(run, event)
        items.append(Item(event.sequence, as_event(event, run)))
    return run, items
