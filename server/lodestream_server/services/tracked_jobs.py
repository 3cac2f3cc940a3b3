"""Many jobs at a glance: which ones, how they stand, how the service does. Behind TrackJobs and WatchTrackedJobs."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from lodestream.errors import RunNotFound
from lodestream.v1 import common_pb2, tracking_pb2
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import QueuePlace
from lodestream_server.runs.events import Event
from lodestream_server.runs.progress import progress
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.common import name_of, phase_shown
from lodestream_server.runs.shapes.values import percent, timestamp
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import ENDED, WAITING, RunKind, State
from lodestream_server.services.latest import View
from lodestream_server.services.machine import measure
from lodestream_server.services.runs_common import expected
from lodestream_server.store.paging import LARGEST_PAGE, PageRequest
from lodestream_server.store.reading import RunFilter, Scope

_pb = tracking_pb2.TrackJobsResponse
#: Ended jobs stay in sight for so long.
_RECENT: Final = timedelta(hours=1)
#: Waiting for a worker: up to the first good, up to the second medium.
_GOOD_WAIT, _MEDIUM_WAIT = timedelta(minutes=1), timedelta(minutes=10)
#: Machine in use, percent: the same.
_GOOD_USE, _MEDIUM_USE = 70.0, 90.0


class TrackedJobs:
    """Jobs of a project at a glance."""

    def __init__(self, engine: Engine, data_dir: Path) -> None:
        self._engine = engine
        self._data_dir = data_dir

    async def shown(self, scope: Scope, request: tracking_pb2.TrackJobsRequest) -> tracking_pb2.TrackJobsResponse:
        """The picture now."""
        runs = [run for run in await self._runs(scope, request) if _matches(run, request)]
        places = {place.run.run_id: place for place in await self._engine.queue()}
        states = [run.state for run in runs]
        return _pb(
            tracking_time=timestamp(self._engine.clock.now()),
            job_count=len(runs),
            summary=_pb.Summary(
                running=sum(state in (State.RUNNING, State.CANCELLING) for state in states),
                queued=sum(state in WAITING for state in states),
                completed=states.count(State.COMPLETED),
                failed=states.count(State.FAILED) + states.count(State.TIMED_OUT),
            ),
            jobs=[self._tracked(run, places.get(run.run_id), metrics=request.include_metrics) for run in runs],
            system_health=self._health(places),
        )

    def view(self, scope: Scope, request: tracking_pb2.TrackJobsRequest) -> View:
        """The picture, kept up to date."""
        named = frozenset(request.job_ids)

        async def newest() -> int:
            return self._engine.position

        async def matters(batch: Sequence[Event]) -> bool:
            touched = {event.run_id for event in batch}
            return bool(touched & named) if named else await self._any_of(scope, touched)

        async def over() -> common_pb2.Done | None:
            if not named or not all(run.has_ended for run in await self._named(scope, request.job_ids)):
                return None
            return common_pb2.Done()

        return View(
            frame=tracking_pb2.WatchTrackedJobsResponse,
            newest=newest,
            batches=lambda after, idle_s: self._engine.store_batches(after, idle_s=idle_s),
            number=lambda event: event.position,
            matters=matters,
            show=lambda: self.shown(scope, request),
            over=over,
            least_s=float(request.refresh_interval),
        )

    async def _runs(self, scope: Scope, request: tracking_pb2.TrackJobsRequest) -> list[RunState]:
        if request.job_ids:
            return await self._named(scope, request.job_ids)
        first = PageRequest(1, LARGEST_PAGE)
        unended = await self._engine.list(scope, RunFilter(RunKind.JOB, states=frozenset(State) - ENDED), first)
        ended = await self._engine.list(scope, RunFilter(RunKind.JOB, states=ENDED), first)
        since = self._engine.clock.now() - _RECENT
        recent = [run for run in ended.items if run.ended is not None and run.ended >= since]
        return _newest_first([*unended.items, *recent])[:LARGEST_PAGE]

    async def _named(self, scope: Scope, ids: Sequence[str]) -> list[RunState]:
        """Those that are there."""
        found = []
        for run_id in dict.fromkeys(ids):
            try:
                found.append(await self._engine.get(scope, run_id))
            except RunNotFound:
                continue
        return _newest_first(found)

    async def _any_of(self, scope: Scope, run_ids: set[str]) -> bool:
        return bool(await self._named(scope, list(run_ids)))

    def _tracked(self, run: RunState, place: QueuePlace | None, *, metrics: bool) -> _pb.TrackedJob:
        start, done = expected(run, place)
        view, shown, sample = progress(run, self._engine.clock.now()), phase_shown(run), run.sample
        return _pb.TrackedJob(
            job_id=run.run_id,
            job_name=run.name,
            status=words.JOB_STATUSES[run.state],
            progress=percent(run.percent),
            queue_position=place.position if place else None,
            start_time=timestamp(run.started),
            estimated_start_time=timestamp(start),
            estimated_completion=timestamp(view.estimated_completion or done),
            current_stage=name_of(shown),
            submitted_by=run.submitted_by or None,
            priority=words.PRIORITIES[run.priority],
            resource_usage=_pb.ResourceUsage(
                cpu_percent=percent(sample.cpu_percent), memory_bytes=sample.rss_bytes, records_per_second=view.rate
            )
            if metrics and sample
            else None,
        )

    def _health(self, places: Mapping[str, QueuePlace]) -> _pb.SystemHealth:
        busy, seats, now = len(self._engine.at_work()), self._engine.seats, self._engine.clock.now()
        waits = [now - place.run.queued_at for place in places.values() if place.run.queued_at]
        longest = max(waits, default=timedelta())
        used = measure(self._data_dir).used_percent
        return _pb.SystemHealth(
            overall_load=percent(100 * busy / seats),
            queue_health=_health(longest <= _GOOD_WAIT, longest <= _MEDIUM_WAIT),
            resource_availability=_health(used <= _GOOD_USE, used <= _MEDIUM_USE),
            estimated_capacity=max(0, seats - busy - len(places)),
        )


def _health(good: bool, medium: bool) -> common_pb2.Health.ValueType:
    return common_pb2.HEALTH_GOOD if good else common_pb2.HEALTH_MEDIUM if medium else common_pb2.HEALTH_POOR


def _matches(run: RunState, request: tracking_pb2.TrackJobsRequest) -> bool:
    if request.status and words.JOB_STATUSES[run.state] != request.status:
        return False
    return not request.submitted_by or run.submitted_by == request.submitted_by


def _newest_first(runs: Sequence[RunState]) -> list[RunState]:
    return sorted(runs, key=lambda run: (run.created, run.run_id), reverse=True)
