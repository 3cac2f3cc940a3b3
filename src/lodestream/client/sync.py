"""The blocking client: the async one on a loop of its own thread, with the same names and arguments.

    with SyncClient() as client:
        job = client.submit_job("Nightly", dataset=client.upload_dataset("log.csv"))
        for update in job.watch():
            ...

Usable from any thread. What a method does and raises is said where it is written: in `Client` and in the handles.
"""

import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from lodestream.client.batches import BatchHandle
from lodestream.client.blocking import LoopThread, SyncListing, SyncWatch, Twin, awaited, blocking, listing, watching
from lodestream.client.client import Client
from lodestream.client.jobs import JobHandle
from lodestream.client.operations import OperationHandle
from lodestream.client.patience import DEFAULT_PATIENCE, Patience
from lodestream.client.settings import Settings
from lodestream.v1.batch_pb2 import SubmitBatchResponse
from lodestream.v1.job_pb2 import SubmitJobResponse
from lodestream.v1.operation_pb2 import StartOperationResponse

P = ParamSpec("P")
StubT = TypeVar("StubT")

__all__ = ["SyncBatchHandle", "SyncClient", "SyncJobHandle", "SyncListing", "SyncOperationHandle", "SyncWatch"]


class SyncJobHandle:
    """One job, by its id; see `JobHandle`."""

    kind = "job"

    def __init__(self, loop: LoopThread, twin: JobHandle) -> None:
        self._loop, self._twin, self.id = loop, twin, twin.id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    @property
    def submitted(self) -> SubmitJobResponse | None:
        """The server's answer where this client submitted it."""
        return self._twin.submitted

    get = blocking(JobHandle.get)
    watch = watching(JobHandle.watch)
    wait = blocking(JobHandle.wait)
    results = blocking(JobHandle.results)
    cancel = blocking(JobHandle.cancel)
    retry = blocking(JobHandle.retry)
    logs = blocking(JobHandle.logs)
    watch_logs = watching(JobHandle.watch_logs)
    progress = blocking(JobHandle.progress)
    watch_progress = watching(JobHandle.watch_progress)
    timeline = blocking(JobHandle.timeline)
    watch_timeline = watching(JobHandle.watch_timeline)
    artifacts = blocking(JobHandle.artifacts)
    download = blocking(JobHandle.download)


class SyncOperationHandle:
    """One operation, by its id; see `OperationHandle`."""

    kind = "operation"

    def __init__(self, loop: LoopThread, twin: OperationHandle) -> None:
        self._loop, self._twin, self.id = loop, twin, twin.id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    @property
    def started(self) -> StartOperationResponse | None:
        """The server's answer where this client started it."""
        return self._twin.started

    get = blocking(OperationHandle.get)
    watch = watching(OperationHandle.watch)
    wait = blocking(OperationHandle.wait)
    results = blocking(OperationHandle.results)
    cancel = blocking(OperationHandle.cancel)
    retry = blocking(OperationHandle.retry)
    logs = blocking(OperationHandle.logs)
    watch_logs = watching(OperationHandle.watch_logs)
    progress = blocking(OperationHandle.progress)
    watch_progress = watching(OperationHandle.watch_progress)
    timeline = blocking(OperationHandle.timeline)
    watch_timeline = watching(OperationHandle.watch_timeline)
    artifacts = blocking(OperationHandle.artifacts)
    download = blocking(OperationHandle.download)


class SyncBatchHandle:
    """One batch, by its id; see `BatchHandle`."""

    def __init__(self, loop: LoopThread, twin: BatchHandle) -> None:
        self._loop, self._twin, self.id = loop, twin, twin.id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    @property
    def submitted(self) -> SubmitBatchResponse | None:
        """The server's answer where this client submitted it."""
        return self._twin.submitted

    get = blocking(BatchHandle.get)
    watch = watching(BatchHandle.watch)
    wait = blocking(BatchHandle.wait)
    cancel = blocking(BatchHandle.cancel)


def _job(method: Callable[Concatenate[Any, P], Awaitable[JobHandle]]) -> Callable[Concatenate[Any, P], SyncJobHandle]:
    """The method, waited for; its handle blocks too."""

    @functools.wraps(method)
    def call(self: Twin, /, *args: P.args, **options: P.kwargs) -> SyncJobHandle:
        return SyncJobHandle(self._loop, self._loop.run(awaited(method(self._twin, *args, **options))))

    return call


def _operation(
    method: Callable[Concatenate[Any, P], Awaitable[OperationHandle]],
) -> Callable[Concatenate[Any, P], SyncOperationHandle]:
    """The same for an operation."""

    @functools.wraps(method)
    def call(self: Twin, /, *args: P.args, **options: P.kwargs) -> SyncOperationHandle:
        return SyncOperationHandle(self._loop, self._loop.run(awaited(method(self._twin, *args, **options))))

    return call


def _batch(
    method: Callable[Concatenate[Any, P], Awaitable[BatchHandle]],
) -> Callable[Concatenate[Any, P], SyncBatchHandle]:
    """The same for a batch."""

    @functools.wraps(method)
    def call(self: Twin, /, *args: P.args, **options: P.kwargs) -> SyncBatchHandle:
        return SyncBatchHandle(self._loop, self._loop.run(awaited(method(self._twin, *args, **options))))

    return call


class SyncClient:
    """A connection to a server that blocks; see `Client`."""

    def __init__(
        self,
        target: str | None = None,
        *,
        token: str | None = None,
        tenant_id: str | None = None,
        project_id: str | None = None,
        root_certs: str | Path | None = None,
        deadline_s: float = 30.0,
        patience: Patience = DEFAULT_PATIENCE,
        settings: Settings | None = None,
    ) -> None:
        self._loop = LoopThread()

        async def connected() -> Client:
            return Client(
                target,
                token=token,
                tenant_id=tenant_id,
                project_id=project_id,
                root_certs=root_certs,
                deadline_s=deadline_s,
                patience=patience,
                settings=settings,
            )

        try:
            self._twin = self._loop.run(connected())
        except BaseException:
            self._loop.stop()
            raise
        self.settings = self._twin.settings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends every stream that is still open, the connection and the thread. Repeated: no further effect."""
        if self._loop.is_running:
            self._loop.run(self._twin.close())
            self._loop.stop()

    def job(self, job_id: str) -> SyncJobHandle:
        """The handle of a job. Asks nothing."""
        return SyncJobHandle(self._loop, self._twin.job(job_id))

    def operation(self, operation_id: str) -> SyncOperationHandle:
        """The handle of an operation. Asks nothing."""
        return SyncOperationHandle(self._loop, self._twin.operation(operation_id))

    def batch(self, batch_id: str) -> SyncBatchHandle:
        """The handle of a batch. Asks nothing."""
        return SyncBatchHandle(self._loop, self._twin.batch(batch_id))

    def find(self, run_id: str) -> SyncJobHandle | SyncOperationHandle:
        """The handle of a run whose kind is not known. Raises RunNotFound when it is neither."""
        found = self._loop.run(self._twin.find(run_id))
        return SyncJobHandle(self._loop, found) if isinstance(found, JobHandle) else self.operation(found.id)

    upload_dataset = blocking(Client.upload_dataset)
    datasets = listing(Client.datasets)
    dataset = blocking(Client.dataset)
    delete_dataset = blocking(Client.delete_dataset)
    register_pipeline = blocking(Client.register_pipeline)
    register_file = blocking(Client.register_file)
    resources = listing(Client.resources)
    resource = blocking(Client.resource)
    delete_resource = blocking(Client.delete_resource)
    submit_job = _job(Client.submit_job)
    jobs = listing(Client.jobs)
    start_operation = _operation(Client.start_operation)
    operations = listing(Client.operations)
    submit_batch = _batch(Client.submit_batch)
    queue = blocking(Client.queue)
    pause_queue = blocking(Client.pause_queue)
    resume_queue = blocking(Client.resume_queue)
    purge_queue = blocking(Client.purge_queue)
    reprioritize = blocking(Client.reprioritize)
    explain = blocking(Client.explain)
    create_key = blocking(Client.create_key)
    keys = blocking(Client.keys)
    revoke_key = blocking(Client.revoke_key)
