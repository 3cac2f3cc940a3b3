"""TrackingService: progress, logs, timeline and metrics of one run. Jobs and operations alike: both are runs."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from lodestream.errors import InvalidField, Violation
from lodestream.v1 import common_pb2, tracking_pb2, tracking_pb2_grpc
from lodestream_server.engine.engine import Engine
from lodestream_server.grpc_door import call
from lodestream_server.runs import entries, logs, metrics, timeline
from lodestream_server.runs.benchmarks import Benchmarks, benchmarks
from lodestream_server.runs.bodies import Level, Progressed
from lodestream_server.runs.events import Event
from lodestream_server.runs.logs import Line
from lodestream_server.runs.metrics import Meter
from lodestream_server.runs.progress import Progress, progress
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.as_metrics import as_metrics
from lodestream_server.runs.shapes.as_tracking import as_logs, as_progress, as_timeline
from lodestream_server.runs.shapes.values import instant
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.services.dependencies import Dependencies
from lodestream_server.services.latest import View, latest
from lodestream_server.services.tokens import Stream
from lodestream_server.services.tracked_jobs import TrackedJobs
from lodestream_server.services.tracking_stories import GRANULARITIES, log_story, progress_story, timeline_story
from lodestream_server.services.watching import Pace, RunWatcher, Streams
from lodestream_server.store.lines import Lines, lines_of
from lodestream_server.store.paging import PageRequest
from lodestream_server.store.reading import RunFilter

_pb = tracking_pb2
#: Measurements read at a stretch: some ten milliseconds, then others have their turn.
_AT_ONCE: Final = 2000
#: Newest completed runs of the type that a run is held against.
_EARLIER: Final = 50
_INTERVALS: Final = {
    _pb.METRIC_INTERVAL_1M: timedelta(minutes=1),
    _pb.METRIC_INTERVAL_5M: timedelta(minutes=5),
    _pb.METRIC_INTERVAL_15M: timedelta(minutes=15),
}
_LEVELS: Final[dict[int, Level]] = {number: level for level, number in words.LEVELS.items()}
#: The part of a workload that does a phase, by run and phase name; None where the catalogue does not say.
Component = Callable[[RunState, str], str | None]


class TrackingService(Dependencies, tracking_pb2_grpc.TrackingServiceServicer):
    """See the contract; every method raises what its comment there names."""

    def __init__(
        self,
        engine: Engine,
        watcher: RunWatcher,
        streams: Streams,
        pace: Pace,
        tracked: TrackedJobs,
        component: Component,
    ) -> None:
        self._engine = engine
        self._watcher = watcher
        self._streams = streams
        self._pace = pace
        self._tracked = tracked
        self._component = component

    async def GetJobProgress(self, request: _pb.GetJobProgressRequest, context: Any) -> _pb.GetJobProgressResponse:
        """Progress of a run, stage by stage."""
        return await self._progress(await self._run(request.job_id))

    def WatchJobProgress(self, request: _pb.WatchJobProgressRequest, context: Any) -> AsyncIterator[Any]:
        """Progress, live."""
        return self._watcher.watch(progress_story(self._progress), request, request.request.job_id)

    async def GetJobLogs(self, request: _pb.GetJobLogsRequest, context: Any) -> _pb.GetJobLogsResponse:
        """Log lines of a run and counts of all of them."""
        _in_order(request)
        return await self._logs(await self._run(request.job_id), request)

    def WatchJobLogs(self, request: _pb.WatchJobLogsRequest, context: Any) -> AsyncIterator[Any]:
        """Log lines, live."""
        wanted = request.request
        _in_order(wanted)
        story = log_story(lambda run: self._logs(run, wanted), lambda here: _passes(here, wanted))
        return self._watcher.watch(story, request, wanted.job_id)

    async def GetJobTimeline(self, request: _pb.GetJobTimelineRequest, context: Any) -> _pb.GetJobTimelineResponse:
        """What happened to a run and what should come, by time."""
        return await self._timeline(await self._run(request.job_id), request)

    def WatchJobTimeline(self, request: _pb.WatchJobTimelineRequest, context: Any) -> AsyncIterator[Any]:
        """Timeline, live."""
        wanted = request.request
        granularity = GRANULARITIES[wanted.granularity]
        snapshot = lambda run: self._timeline(run, wanted)  # noqa: E731  # named for the line after it
        story = timeline_story(snapshot, granularity, sub_events=wanted.include_sub_events)
        return self._watcher.watch(story, request, wanted.job_id)

    async def GetJobMetrics(self, request: _pb.GetJobMetricsRequest, context: Any) -> _pb.GetJobMetricsResponse:
        """What a run uses of the machine, and how that compares."""
        return await self._metrics(await self._run(request.job_id), request, Meter(_INTERVALS[request.interval]))

    async def WatchJobMetrics(self, request: _pb.WatchJobMetricsRequest, context: Any) -> AsyncIterator[Any]:
        """Metrics, live."""
        here, wanted = call.current(), request.request
        run_id, meter = wanted.job_id, Meter(_INTERVALS[wanted.interval])
        await self._engine.get(here.scope, run_id)

        async def newest() -> int:
            return (await self._engine.get(here.scope, run_id)).last_sequence

        async def matters(batch: Sequence[Event]) -> bool:
            return any(event.kind in metrics.KINDS or event.ends_run for event in batch)

        async def over() -> common_pb2.Done | None:
            run = await self._engine.get(here.scope, run_id)
            return common_pb2.Done(state=words.RUN_STATES[run.state]) if run.has_ended else None

        async def show() -> _pb.GetJobMetricsResponse:
            return await self._metrics(await self._engine.get(here.scope, run_id), wanted, meter)

        view = View(
            frame=_pb.WatchJobMetricsResponse,
            newest=newest,
            batches=lambda after, idle_s: self._engine.batches(here.scope, run_id, after, idle_s=idle_s),
            number=lambda event: event.sequence,
            matters=matters,
            show=show,
            over=over,
        )
        stream = Stream.of(self._engine.store_id, here.method, wanted)
        async for frame in latest(view, stream, self._streams, self._pace, request.resume_token):
            yield frame

    async def TrackJobs(self, request: _pb.TrackJobsRequest, context: Any) -> _pb.TrackJobsResponse:
        """Many jobs at a glance."""
        return await self._tracked.shown(call.current().scope, request)

    async def WatchTrackedJobs(self, request: _pb.WatchTrackedJobsRequest, context: Any) -> AsyncIterator[Any]:
        """Many jobs at a glance, live."""
        here = call.current()
        stream = Stream.of(self._engine.store_id, here.method, request.request)
        view = self._tracked.view(here.scope, request.request)
        async for frame in latest(view, stream, self._streams, self._pace, request.resume_token):
            yield frame

    async def _run(self, run_id: str) -> RunState:
        return await self._engine.get(call.current().scope, run_id)

    async def _progress(self, run: RunState) -> _pb.GetJobProgressResponse:
        component = self._component(run, run.current.name) if run.current else None
        return as_progress(run, progress(run, self._engine.clock.now()), component)

    async def _logs(self, run: RunState, request: _pb.GetJobLogsRequest) -> _pb.GetJobLogsResponse:
        wanted = Lines(
            until=run.last_sequence,
            level=_LEVELS[request.level],
            from_time=instant(request.from_time) if request.HasField("from_time") else None,
            to_time=instant(request.to_time) if request.HasField("to_time") else None,
            limit=request.limit,
        )
        events = await self._engine.store.read(partial(lines_of, run_id=run.run_id, wanted=wanted))
        lines = [here for event in events if (here := logs.line(event)) is not None]
        return as_logs(run, progress(run, self._engine.clock.now()), lines)

    async def _timeline(self, run: RunState, request: _pb.GetJobTimelineRequest) -> _pb.GetJobTimelineResponse:
        granularity, now = GRANULARITIES[request.granularity], self._engine.clock.now()
        kinds = entries.KINDS if request.include_sub_events else entries.KINDS - {Progressed.KIND}
        events = await self._engine.events(call.current().scope, run.run_id, kinds=kinds)
        told = (event for event in events if event.sequence <= run.last_sequence)
        shown = timeline.timeline(told, granularity=granularity, sub_events=request.include_sub_events)
        upcoming = timeline.upcoming(now, progress(run, now))
        return as_timeline(run, shown, upcoming, request.granularity, now)

    async def _metrics(
        self, run: RunState, request: _pb.GetJobMetricsRequest, meter: Meter
    ) -> _pb.GetJobMetricsResponse:
        """The picture now; `meter` knows what it was shown before and reads on from there."""
        scope, most = call.current().scope, _AT_ONCE
        while events := await self._engine.events(scope, run.run_id, after=meter.last, kinds=metrics.KINDS, limit=most):
            meter.add(events)
        now = self._engine.clock.now()
        view = progress(run, now)
        return as_metrics(
            run,
            view,
            meter.read(),
            now,
            parts=[part for part in request.metrics if part],
            history=request.include_history,
            against=await self._against(run, view),
        )

    async def _against(self, run: RunState, view: Progress) -> Benchmarks | None:
        """What the project's newest completed runs of the type show of this one."""
        alike = RunFilter(run.kind, states=frozenset({State.COMPLETED}), types=frozenset({run.type}))
        page = await self._engine.list(call.current().scope, alike, PageRequest(page_size=_EARLIER))
        if run.has_ended:
            # One that failed half-way says nothing about how long such runs take.
            takes_s = view.elapsed_s if run.state is State.COMPLETED else None
        else:
            takes_s = None if view.remaining_s is None else view.elapsed_s + view.remaining_s
        return benchmarks(run, takes_s, page.items)


def _in_order(request: _pb.GetJobLogsRequest) -> None:
    timed = request.HasField("from_time") and request.HasField("to_time")
    if timed and instant(request.from_time) > instant(request.to_time):
        raise InvalidField.of(Violation("to_time", "lies before from_time"))


def _passes(here: Line, request: _pb.GetJobLogsRequest) -> bool:
    if not logs.shows(here, _LEVELS[request.level]):
        return False
    if request.HasField("from_time") and here.time < instant(request.from_time):
        return False
    return not (request.HasField("to_time") and here.time > instant(request.to_time))
