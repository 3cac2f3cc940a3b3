"""Batches: operations that depend on each other, submitted all or none."""

import asyncio
from collections.abc import Mapping
from typing import Any

from lodestream.client import arguments
from lodestream.client.calls import Caller
from lodestream.client.patience import DEFAULT_PATIENCE, Patience
from lodestream.client.runs import Broken
from lodestream.client.watching import Watch
from lodestream.v1.batch_pb2 import (
    BatchEvent,
    CancelBatchRequest,
    CancelBatchResponse,
    GetBatchRequest,
    GetBatchResponse,
    SubmitBatchRequest,
    SubmitBatchResponse,
    WatchBatchRequest,
)
from lodestream.v1.batch_pb2_grpc import BatchServiceStub


class BatchHandle:
    """One batch, by its id. `submitted` is the server's answer where this client submitted it."""

    submitted: SubmitBatchResponse | None = None

    def __init__(self, caller: Caller, batch_id: str, *, patience: Patience = DEFAULT_PATIENCE) -> None:
        self.id = batch_id
        self._caller, self._patience = caller, patience

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    async def get(self) -> GetBatchResponse:
        """The batch as it is now. Raises RunNotFound."""
        return await self._caller.call(self._stub.GetBatch, self._wanted())

    def watch(
        self, *, replay: bool = False, token: str = "", after: int = 0, on_break: Broken | None = None
    ) -> Watch[GetBatchResponse, BatchEvent]:
        """The batch, live: the state now, then each step of its operations once and in order; with `replay` every step
        from the first."""
        request = WatchBatchRequest(request=self._wanted(), replay=replay)

        def start(token: str) -> Any:
            request.resume_token = token
            return self._stub.WatchBatch(request)

        return Watch(
            self._caller,
            start,
            from_one=replay,
            token=token,
            after=after,
            patience=self._patience,
            on_break=on_break,
        )

    async def wait(self, timeout_s: float | None = None) -> GetBatchResponse:
        """The batch as it is after its last operation's end. Raises TimeoutError after `timeout_s`; it goes on."""
        async with asyncio.timeout(timeout_s), self.watch() as updates:
            async for _ in updates:
                pass
        return await self.get()

    async def cancel(self, reason: str = "", *, force: bool = False, keep_results: bool = True) -> CancelBatchResponse:
        """Stops what has not ended of the batch; returns when it has stopped. Repeated: the same receipt."""
        request = CancelBatchRequest(
            **self._place(),
            force_termination=force,
            preserve_partial_results=keep_results,
            **arguments.given(reason=reason),
        )
        return await self._caller.call(self._stub.CancelBatch, request)

    @property
    def _stub(self) -> Any:
        return self._caller.stub(BatchServiceStub)

    def _wanted(self) -> GetBatchRequest:
        return GetBatchRequest(**self._place())

    def _place(self) -> dict[str, str]:
        settings = self._caller.settings
        return {"tenant_id": settings.tenant_id, "project_id": settings.project_id, "batch_id": self.id}


class BatchCalls:
    """The part of a client that deals with batches."""

    _caller: Caller
    _patience: Patience

    async def submit_batch(
        self, batch: SubmitBatchRequest | Mapping[str, Any], *, request_id: str | None = None
    ) -> BatchHandle:
        """Submits a batch, as a message or as its documented JSON (batchName, operations, failurePolicy …); returns
        once it is durable. Safe against a broken connection: it is submitted once.

        Raises InvalidField, DependencyProblem, UnknownDataset and what else SubmitBatch names.
        """
        request = SubmitBatchRequest()
        request.CopyFrom(
            batch if isinstance(batch, SubmitBatchRequest) else arguments.message(batch, SubmitBatchRequest)
        )
        request.tenant_id, request.project_id = self._caller.settings.tenant_id, self._caller.settings.project_id
        request.request_id = request_id or request.request_id or arguments.new_request_id()
        answer = await self._caller.call(self._caller.stub(BatchServiceStub).SubmitBatch, request)
        handle = self.batch(answer.batch_id)
        handle.submitted = answer
        return handle

    def batch(self, batch_id: str) -> BatchHandle:
        """The handle of a batch. Asks nothing."""
        return BatchHandle(self._caller, batch_id, patience=self._patience)
