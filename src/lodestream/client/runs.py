"""What jobs and operations have in common once they are there: follow, read, wait, download, stop.

`JobHandle` and `OperationHandle` add their own documented shapes. Handles are cheap and hold no connection of their
own; make one for any id with `client.job(id)` or `client.operation(id)`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from lodestream.client import arguments, transfers
from lodestream.client.calls import Caller
from lodestream.client.patience import DEFAULT_PATIENCE, Patience
from lodestream.client.watching import Opener, Watch
from lodestream.v1 import common_pb2, tracking_pb2
from lodestream.v1.artifact_pb2 import Artifact, DownloadArtifactRequest, ListArtifactsRequest
from lodestream.v1.artifact_pb2_grpc import ArtifactServiceStub
from lodestream.v1.event_pb2 import RunEvent
from lodestream.v1.tracking_pb2 import (
    GetJobLogsRequest,
    GetJobLogsResponse,
    GetJobProgressRequest,
    GetJobProgressResponse,
    GetJobTimelineRequest,
    GetJobTimelineResponse,
    JobLogEvent,
    JobProgressEvent,
    JobTimelineEvent,
)
from lodestream.v1.tracking_pb2_grpc import TrackingServiceStub

StateT = TypeVar("StateT")
ResultsT = TypeVar("ResultsT")
ReceiptT = TypeVar("ReceiptT")
RequestT = TypeVar("RequestT")

#: Called with the name of a file, bytes moved so far and bytes in all.
FileMoved = Callable[[str, int, int | None], None]
#: Told why a stream is being taken up again.
Broken = Callable[[str], None]


class RunHandle(ABC, Generic[StateT, ResultsT, ReceiptT]):
    """One run, by its id."""

    #: "job" or "operation".
    kind: str

    def __init__(self, caller: Caller, run_id: str, *, patience: Patience = DEFAULT_PATIENCE) -> None:
        self.id = run_id
        self._caller, self._patience = caller, patience

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    @abstractmethod
    async def get(self) -> StateT:
        """The run as it is now. Raises RunNotFound."""

    @abstractmethod
    def watch(
        self, *, replay: bool = False, token: str = "", after: int = 0, on_break: Broken | None = None
    ) -> Watch[StateT, RunEvent]:
        """The run, live: the state now, then every event once and in order; with `replay` every event from the first.

        `token` and `after` go on where another watch was left.
        """

    @abstractmethod
    async def results(self) -> ResultsT:
        """What the run produced. Raises RunNotFinished before its end."""

    @abstractmethod
    async def cancel(self, reason: str = "", *, force: bool = False, keep_results: bool = True) -> ReceiptT:
        """Stops the run; returns when it has stopped. Repeated: the same receipt. Raises RunAlreadyEnded."""

    async def wait(self, timeout_s: float | None = None) -> StateT:
        """The run as it is after its end, however it ended. Raises TimeoutError after `timeout_s`; the run goes on."""
        async with asyncio.timeout(timeout_s), self.watch() as updates:
            async for _ in updates:
                pass
        return await self.get()

    async def logs(
        self,
        *,
        level: str | int | None = None,
        limit: int | None = None,
        from_time: datetime | None = None,
        to_time: datetime | None = None,
    ) -> GetJobLogsResponse:
        """Log lines of at least that level, oldest first: the newest `limit` of them, or those since `from_time`."""
        request = self._logs_request(level, limit, from_time, to_time)
        return await self._caller.call(self._tracking.GetJobLogs, request)

    def watch_logs(
        self,
        *,
        level: str | int | None = None,
        limit: int | None = None,
        replay: bool = False,
        token: str = "",
        after: int = 0,
        on_break: Broken | None = None,
    ) -> Watch[GetJobLogsResponse, JobLogEvent]:
        """The log, live: the newest lines as one answer, then each further line; with `replay` each line from the
        first."""
        request = tracking_pb2.WatchJobLogsRequest(request=self._logs_request(level, limit, None, None), replay=replay)
        opener = self._opener(self._tracking.WatchJobLogs, request)
        return self._watch(opener, holes=True, token=token, after=after, on_break=on_break)

    async def progress(self) -> GetJobProgressResponse:
        """How far the run is, phase by phase."""
        return await self._caller.call(self._tracking.GetJobProgress, self._scoped(GetJobProgressRequest))

    def watch_progress(
        self, *, token: str = "", after: int = 0, on_break: Broken | None = None
    ) -> Watch[GetJobProgressResponse, JobProgressEvent]:
        """Progress, live: the state now, then every change."""
        request = tracking_pb2.WatchJobProgressRequest(request=self._scoped(GetJobProgressRequest))
        opener = self._opener(self._tracking.WatchJobProgress, request)
        return self._watch(opener, holes=True, token=token, after=after, on_break=on_break)

    async def timeline(
        self, *, granularity: str | int | None = None, sub_events: bool = False
    ) -> GetJobTimelineResponse:
        """What happened and what should come; granularity is "seconds", "minutes" (default) or "major_events"."""
        return await self._caller.call(self._tracking.GetJobTimeline, self._timeline_request(granularity, sub_events))

    def watch_timeline(
        self,
        *,
        granularity: str | int | None = None,
        sub_events: bool = False,
        token: str = "",
        after: int = 0,
        on_break: Broken | None = None,
    ) -> Watch[GetJobTimelineResponse, JobTimelineEvent]:
        """The timeline, live: what happened so far, then every further entry."""
        inner = self._timeline_request(granularity, sub_events)
        opener = self._opener(self._tracking.WatchJobTimeline, tracking_pb2.WatchJobTimelineRequest(request=inner))
        return self._watch(opener, holes=True, token=token, after=after, on_break=on_break)

    async def artifacts(self) -> Sequence[Artifact]:
        """The files of the run in the order they were stored."""
        stub = self._caller.stub(ArtifactServiceStub)
        answer = await self._caller.call(stub.ListArtifacts, self._scoped(ListArtifactsRequest, "run_id"))
        return tuple(answer.artifacts)

    async def download(
        self, directory: str | Path, *, only: Sequence[str] = (), moved: FileMoved | None = None
    ) -> list[Path]:
        """Writes the files of the run into a folder, which is made when it is missing, and returns their paths.

        `only` names artifacts by id or file name. Files of the same name in the folder are replaced.
        """
        folder = Path(directory)
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        paths = []
        for artifact, name in transfers.free_names(list(await self.artifacts())):
            if only and not {artifact.artifact_id, artifact.file_name, name} & set(only):
                continue
            request = self._scoped(DownloadArtifactRequest, "run_id")
            request.artifact_id = artifact.artifact_id
            told = None if moved is None else _naming(moved, name)
            paths.append(await transfers.download(self._caller, request, artifact, folder / name, told))
        return paths

    def _watch(self, opener: Opener, **options: Any) -> Watch[Any, Any]:
        return Watch(self._caller, opener, patience=self._patience, **options)

    @staticmethod
    def _opener(method: Any, request: Any) -> Opener:
        def start(token: str) -> Any:
            request.resume_token = token
            return method(request)

        return start

    @property
    def _tracking(self) -> Any:
        return self._caller.stub(TrackingServiceStub)

    def _scoped(self, request_type: Callable[..., RequestT], id_field: str = "job_id") -> RequestT:
        settings = self._caller.settings
        return request_type(tenant_id=settings.tenant_id, project_id=settings.project_id, **{id_field: self.id})

    def _logs_request(
        self, level: str | int | None, limit: int | None, from_time: datetime | None, to_time: datetime | None
    ) -> GetJobLogsRequest:
        request = self._scoped(GetJobLogsRequest)
        wanted = arguments.given(
            level=arguments.number_of(common_pb2.LogLevel.DESCRIPTOR, level, "level"),
            limit=limit,
            from_time=arguments.timestamp(from_time),
            to_time=arguments.timestamp(to_time),
        )
        request.MergeFrom(GetJobLogsRequest(**wanted))
        return request

    def _timeline_request(self, granularity: str | int | None, sub_events: bool) -> GetJobTimelineRequest:
        request = self._scoped(GetJobTimelineRequest)
        enum = tracking_pb2.TimelineGranularity.DESCRIPTOR
        number = arguments.number_of(enum, granularity, "granularity")
        request.MergeFrom(GetJobTimelineRequest(**arguments.given(granularity=number, include_sub_events=sub_events)))
        return request


def _naming(moved: FileMoved, name: str) -> transfers.Moved:
    return lambda done, total: moved(name, done, total)
