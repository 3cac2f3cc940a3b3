"""How blocking twins wait for async methods: a loop in a thread of its own, and wrappers that keep every signature.

Called by `sync`. A twin holds the async object and the loop; its methods are wrapped ones of the async class.
"""

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar

from lodestream.client.paging import Listing
from lodestream.client.watching import EventT, SnapshotT, Watch
from lodestream.v1.common_pb2 import Done

P = ParamSpec("P")
T = TypeVar("T")
PageT = TypeVar("PageT")
ItemT = TypeVar("ItemT")


class LoopThread:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lodestream-client", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether work can still be done here."""
        return self._thread.is_alive()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of the work; it is cancelled when the waiting thread is interrupted."""
        if not self._thread.is_alive():
            work.close()
            raise RuntimeError("this client is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Ends the thread once what is still under way has been cancelled."""
        if self._thread.is_alive():
            self.run(_settled())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


async def _settled() -> None:
    """Returns when no other task is left on this loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


class Twin(Protocol):
    """Anything blocking that stands for something async."""

    _twin: Any
    _loop: LoopThread


async def awaited(work: Awaitable[T]) -> T:
    """The work as a coroutine."""
    return await work


def blocking(method: Callable[Concatenate[Any, P], Awaitable[T]]) -> Callable[Concatenate[Any, P], T]:
    """The method, waited for."""

    @functools.wraps(method)
    def call(self: Twin, /, *args: P.args, **options: P.kwargs) -> T:
        return self._loop.run(awaited(method(self._twin, *args, **options)))

    return call


def watching(
    method: Callable[Concatenate[Any, P], Watch[SnapshotT, EventT]],
) -> "Callable[Concatenate[Any, P], SyncWatch[SnapshotT, EventT]]":
    """The stream, as an iterator."""

    @functools.wraps(method)
    def call(self: Twin, /, *args: P.args, **options: P.kwargs) -> "SyncWatch[SnapshotT, EventT]":
        return SyncWatch(self._loop, method(self._twin, *args, **options))

    return call


def listing(
    method: Callable[Concatenate[Any, P], Listing[PageT, ItemT]],
) -> "Callable[Concatenate[Any, P], SyncListing[PageT, ItemT]]":
    """The list, as an iterator."""

    @functools.wraps(method)
    def call(self: Twin, /, *args: P.args, **options: P.kwargs) -> "SyncListing[PageT, ItemT]":
        return SyncListing(self._loop, method(self._twin, *args, **options))

    return call


class SyncWatch(Iterator[SnapshotT | EventT], Generic[SnapshotT, EventT]):
    """`Watch` as an iterator; leave it early inside `with`."""

    def __init__(self, loop: LoopThread, watch: Watch[SnapshotT, EventT]) -> None:
        self._loop, self._watch = loop, watch

    @property
    def token(self) -> str:
        """Where to go on; see `Watch`."""
        return self._watch.token

    @property
    def sequence(self) -> int:
        """The last event's number."""
        return self._watch.sequence

    @property
    def done(self) -> Done | None:
        """The last frame, once the stream came to its end."""
        return self._watch.done

    def __next__(self) -> SnapshotT | EventT:
        try:
            return self._loop.run(awaited(self._watch.__anext__()))
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server's stream."""
        self._loop.run(self._watch.aclose())


class SyncListing(Iterator[ItemT], Generic[PageT, ItemT]):
    """`Listing` as an iterator."""

    def __init__(self, loop: LoopThread, pages: Listing[PageT, ItemT]) -> None:
        self._loop, self._listing = loop, pages

    def __next__(self) -> ItemT:
        try:
            return self._loop.run(awaited(self._listing.__anext__()))
        except StopAsyncIteration:
            raise StopIteration from None

    def page(self, token: str = "") -> PageT:
        """One page: the first, or the one that `token` names."""
        return self._loop.run(self._listing.page(token))
