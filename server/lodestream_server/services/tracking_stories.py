"""The stories of the tracking streams: progress, log lines, timeline. Each leaves out what its filter does not show."""

import copy
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from google.protobuf.message import Message

from lodestream.v1 import tracking_pb2
from lodestream_server.runs.entries import entry
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import apply, replay
from lodestream_server.runs.logs import Line, line
from lodestream_server.runs.shapes.as_tracking import (
    PROGRESS_KINDS,
    as_log_entry,
    as_progress_event,
    as_timeline_entry,
)
from lodestream_server.runs.state import RunState
from lodestream_server.runs.timeline import Granularity, Thinner
from lodestream_server.services.stories import Item, Story

_pb = tracking_pb2
Snapshot = Callable[[RunState], Awaitable[Message]]
GRANULARITIES: Final[dict[int, Granularity]] = {
    _pb.TIMELINE_GRANULARITY_SECONDS: "seconds",
    _pb.TIMELINE_GRANULARITY_MINUTES: "minutes",
    _pb.TIMELINE_GRANULARITY_MAJOR_EVENTS: "major_events",
}


def progress_story(snapshot: Snapshot) -> Story[RunState | None]:
    """Every change of status, stage and percentage."""

    def tell(run: RunState | None, events: Sequence[Event]) -> tuple[RunState | None, list[Item]]:
        items = []
        for event in events:
            run = apply(run, event)
            if event.kind in PROGRESS_KINDS:
                items.append(Item(event.sequence, as_progress_event(event, run)))
        return run, items

    return Story(
        frame=_pb.WatchJobProgressResponse,
        events=_pb.JobProgressEvents,
        snapshot=snapshot,
        tell=tell,
        nothing=None,
        from_run=lambda run: run,
        from_events=replay,
    )


def log_story(snapshot: Snapshot, shows: Callable[[Line], bool]) -> Story[None]:
    """Every line that passes the filter."""

    def tell(_: None, events: Sequence[Event]) -> tuple[None, list[Item]]:
        lines = [here for event in events if (here := line(event)) is not None and shows(here)]
        return None, [
            Item(here.sequence, _pb.JobLogEvent(sequence=here.sequence, entry=as_log_entry(here))) for here in lines
        ]

    return Story(frame=_pb.WatchJobLogsResponse, events=_pb.JobLogEvents, snapshot=snapshot, tell=tell, nothing=None)


def timeline_story(snapshot: Snapshot, granularity: Granularity, *, sub_events: bool) -> Story[Thinner]:
    """Every entry that the granularity tells."""

    def tell(thinner: Thinner, events: Sequence[Event]) -> tuple[Thinner, list[Item]]:
        thinner = copy.deepcopy(thinner)
        entries = [here for event in events if (here := entry(event)) is not None and thinner.shows(here)]
        return thinner, [
            Item(here.sequence, _pb.JobTimelineEvent(sequence=here.sequence, event=as_timeline_entry(here)))
            for here in entries
        ]

    fresh = Thinner(granularity, sub_events=sub_events)
    return Story(
        frame=_pb.WatchJobTimelineResponse,
        events=_pb.JobTimelineEvents,
        snapshot=snapshot,
        tell=tell,
        nothing=fresh,
        # Only "at most one a minute" has to know what was told before.
        from_events=(lambda events: tell(fresh, events)[0]) if sub_events and granularity == "minutes" else None,
    )
