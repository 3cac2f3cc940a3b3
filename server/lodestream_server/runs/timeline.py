"""The timeline of a run: what a person would tell of it. A view: pure, from events in their order.

`seconds` tells everything, `minutes` at most one progress a stage and minute, `major_events` only the edges of run
and stages, milestones, warnings and errors. Sub-events are progress and changes of resources.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from lodestream_server.runs.entries import Entry, Moment, entry
from lodestream_server.runs.events import Event
from lodestream_server.runs.progress import Progress
from lodestream_server.runs.states import PhaseStatus

Granularity = Literal["seconds", "minutes", "major_events"]


@dataclass(frozen=True, slots=True)
class Upcoming:
    """Something that should come."""

    time: datetime
    moment: Moment
    description: str


def timeline(
    events: Iterable[Event], *, granularity: Granularity = "minutes", sub_events: bool = False
) -> tuple[Entry, ...]:
    """The entries, oldest first."""
    thinner = Thinner(granularity, sub_events=sub_events)
    return tuple(here for event in events if (here := entry(event)) is not None and thinner.shows(here))


@dataclass(slots=True)
class Thinner:
    """Decides entry by entry what a granularity tells; keeps the last minute told of each stage."""

    granularity: Granularity = "minutes"
    sub_events: bool = False
    _told: dict[str, datetime] = field(default_factory=dict)

    def shows(self, here: Entry) -> bool:
        """Whether this entry is told; ask in order."""
        if not here.is_sub_event:
            return True
        if not self.sub_events or self.granularity == "major_events":
            return False
        if self.granularity == "seconds" or here.moment is not Moment.PROGRESS:
            return True
        minute = here.time.replace(second=0, microsecond=0)
        if self._told.get(here.phase) == minute:
            return False
        self._told[here.phase] = minute
        return True


def upcoming(now: datetime, view: Progress) -> tuple[Upcoming, ...]:
    """What should come, soonest first; empty while nothing is known to compute it from."""
    coming: list[Upcoming] = []
    for stage in view.stages:
        name = stage.phase.name
        if stage.estimated_start is not None:
            coming.append(Upcoming(stage.estimated_start, Moment.STAGE_START, f"{name} stage expected to start"))
        if stage.estimated_end is not None and stage.phase.status is PhaseStatus.RUNNING:
            coming.append(Upcoming(stage.estimated_end, Moment.STAGE_COMPLETION, f"{name} stage expected to complete"))
    if view.estimated_completion is not None:
        coming.append(Upcoming(view.estimated_completion, Moment.JOB_COMPLETION, "Job expected to complete"))
    return tuple(replace(item, time=max(item.time, now)) for item in sorted(coming, key=lambda item: item.time))
