"""The async client: what programs use to send work and follow it.

    async with Client() as client:
        dataset = await client.upload_dataset("log.csv")
        job = await client.submit_job("Nightly", dataset=dataset)
        async for update in job.watch():
            ...
        await job.download("out")

One connection for all calls; tenant and project come from the settings. Errors are the classes of `lodestream.errors`
with reason, violations and retry_after_s, and those of `client.problems`.
"""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from grpc.aio import Channel

from lodestream.client.batches import BatchCalls
from lodestream.client.calls import Caller
from lodestream.client.channel import open_channel
from lodestream.client.datasets import DatasetCalls
from lodestream.client.jobs import JobCalls, JobHandle
from lodestream.client.keys import KeyCalls
from lodestream.client.operations import OperationCalls, OperationHandle
from lodestream.client.patience import DEFAULT_PATIENCE, Patience
from lodestream.client.queue import QueueCalls
from lodestream.client.resources import ResourceCalls
from lodestream.client.settings import Settings, load_settings
from lodestream.errors import RunNotFound

StubT = TypeVar("StubT")


class Client(DatasetCalls, JobCalls, OperationCalls, BatchCalls, QueueCalls, KeyCalls, ResourceCalls):
    """A connection to a server, used from one event loop. What is not given comes from `load_settings`."""

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
        channel: Channel | None = None,
    ) -> None:
        self.settings = settings or load_settings(target, token, tenant_id, project_id, root_certs)
        self._owns_channel = channel is None
        self._patience = patience
        self._caller = Caller(channel or open_channel(self.settings), self.settings, deadline_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every stream that is still open and the connection. A channel that was given stays open."""
        for watch in list(self._caller.watches):
            watch.cancel()
        if self._owns_channel:
            await self._caller.channel.close()

    def raw(self, stub_class: Callable[[Channel], StubT]) -> StubT:
        """A generated stub over this connection, with key and deadline, for what has no method here.

        Its calls raise `grpc.aio.AioRpcError` and are sent once.
        """
        return self._caller.stub(stub_class)

    async def find(self, run_id: str) -> JobHandle | OperationHandle:
        """The handle of a run whose kind is not known. Raises RunNotFound when it is neither."""
        handles: list[JobHandle | OperationHandle] = [self.job(run_id), self.operation(run_id)]
        if run_id.startswith("op-"):  # how our servers begin the ids of operations; any other id is looked for twice
            handles.reverse()
        try:
            await handles[0].get()
            return handles[0]
        except RunNotFound:
            await handles[1].get()
            return handles[1]
