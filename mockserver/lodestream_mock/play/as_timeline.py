"""A run as a timeline: what happened, what should come."""

from lodestream.v1 import tracking_pb2 as tracking
from lodestream.v1.tracking_pb2 import TimelineEventType, TimelineGranularity
from lodestream_mock.play import typed
from lodestream_mock.play.moment import Moment, moment
from lodestream_mock.play.played import Played
from lodestream_mock.play.sentences import sentence, upcoming
from lodestream_mock.scenarios.story import Kind

_TYPES = {
    Kind.SUBMITTED: TimelineEventType.TIMELINE_EVENT_TYPE_JOB_SUBMITTED,
    Kind.STARTED: TimelineEventType.TIMELINE_EVENT_TYPE_JOB_STARTED,
    Kind.PHASE_STARTED: TimelineEventType.TIMELINE_EVENT_TYPE_STAGE_STARTED,
    Kind.PHASE_COMPLETED: TimelineEventType.TIMELINE_EVENT_TYPE_STAGE_COMPLETED,
    Kind.MILESTONE: TimelineEventType.TIMELINE_EVENT_TYPE_MILESTONE,
    Kind.WARNING: TimelineEventType.TIMELINE_EVENT_TYPE_WARNING,
    Kind.ERROR: TimelineEventType.TIMELINE_EVENT_TYPE_ERROR,
    Kind.PROGRESS: TimelineEventType.TIMELINE_EVENT_TYPE_PROGRESS,
    Kind.CANCEL_REQUESTED: TimelineEventType.TIMELINE_EVENT_TYPE_CANCELLATION_REQUESTED,
    Kind.COMPLETED: TimelineEventType.TIMELINE_EVENT_TYPE_JOB_COMPLETED,
    Kind.FAILED: TimelineEventType.TIMELINE_EVENT_TYPE_JOB_FAILED,
    Kind.CANCELLED: TimelineEventType.TIMELINE_EVENT_TYPE_JOB_CANCELLED,
    Kind.TIMED_OUT: TimelineEventType.TIMELINE_EVENT_TYPE_JOB_TIMED_OUT,
}
_MINUTE = 60_000


def as_timeline(
    played: Played, at: int, granularity: TimelineGranularity.ValueType, language: str
) -> tracking.GetJobTimelineResponse:
    """GetJobTimeline's answer at a granularity, with every kind of entry."""
    now = moment(played, at)
    created = played.run.created
    out = tracking.GetJobTimelineResponse(
        job_id=played.run.run_id,
        job_name=played.story.name,
        timeline_scope=tracking.GetJobTimelineResponse.TimelineScope(
            current_time=typed.instant(created + at),
            end_time=None if now.ended is None else typed.instant(created + now.ended),
            granularity=granularity,
        ),
        timeline=[
            entry(played, index, language)
            for index in range(now.sequence)
            if is_entry(played, index) and passes(played, index, granularity)
        ],
        upcoming_events=_upcoming(played, now, language),
    )
    if now.started is not None:
        out.timeline_scope.start_time.CopyFrom(typed.instant(created + now.started))
    return out


def is_entry(played: Played, index: int) -> bool:
    """True when happening number `index + 1` has a place on the timeline."""
    item = played.happenings[index]
    # A story told by a documented timeline begins where the page begins: at the start of the job.
    return item.kind in _TYPES and not (item.kind is Kind.SUBMITTED and _told(played))


def passes(played: Played, index: int, granularity: TimelineGranularity.ValueType) -> bool:
    """True when an entry is shown at a granularity: minutes keep one progress entry a phase and minute."""
    item = played.happenings[index]
    if item.kind is not Kind.PROGRESS or granularity == TimelineGranularity.TIMELINE_GRANULARITY_SECONDS:
        return True
    if granularity == TimelineGranularity.TIMELINE_GRANULARITY_MAJOR_EVENTS:
        return False
    return not any(
        other.kind is Kind.PROGRESS and other.phase == item.phase and other.at // _MINUTE == item.at // _MINUTE
        for other in played.happenings[max(0, index - 50) : index]
    )


def entry(played: Played, index: int, language: str) -> tracking.TimelineEvent:
    """The entry that happening number `index + 1` is."""
    item = played.happenings[index]
    percent = int(moment(played, item.at).phase_percent) if item.kind is Kind.PROGRESS else 0
    made = sentence(item.kind, language, run=played.story.kind, phase=item.phase, percent=percent, text=item.text)
    own = item.told or item.kind in (Kind.MILESTONE, Kind.WARNING, Kind.ERROR)
    details = dict(item.details)
    if not item.told and item.phase:
        details |= {"stageName": item.phase} | ({"progress": percent} if item.kind is Kind.PROGRESS else {})
    return tracking.TimelineEvent(
        timestamp=typed.instant(played.run.created + item.at),
        event_type=_TYPES[item.kind],
        description=item.text if own else made,
        details=typed.struct(details),
    )


def _told(played: Played) -> bool:
    return any(item.told and item.kind is Kind.STARTED for item in played.story.told)


def _upcoming(played: Played, now: Moment, language: str) -> list[tracking.GetJobTimelineResponse.UpcomingEvent]:
    if now.ended is not None:
        return []
    out: list[tracking.GetJobTimelineResponse.UpcomingEvent] = []
    created, kind = played.run.created, played.story.kind

    def add(at: int, event_type: TimelineEventType.ValueType, description: str) -> None:
        out.append(
            tracking.GetJobTimelineResponse.UpcomingEvent(
                estimated_time=typed.instant(created + at), event_type=event_type, description=description
            )
        )

    for phase in played.story.phases:
        ends, starts, _ = upcoming(language, kind, phase.name)
        if phase.starts > now.at:
            add(phase.starts, TimelineEventType.TIMELINE_EVENT_TYPE_STAGE_START, starts)
        elif phase.ends > now.at:
            add(phase.ends, TimelineEventType.TIMELINE_EVENT_TYPE_STAGE_COMPLETION, ends)
    add(played.planned_end, TimelineEventType.TIMELINE_EVENT_TYPE_JOB_COMPLETION, upcoming(language, kind)[2])
    return out
