"""A stream that resumes by itself: every event once, in order, whatever happens to the connection.

Called by the handles of runs for each kind of Watch RPC. All that resuming needs is the token of the last frame; the
sequence numbers prove that nothing was lost or told twice. The server's stream is cancelled whenever it is left.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from grpc.aio import EOF, AioRpcError

from lodestream.client.calls import Caller
from lodestream.client.failures import is_passing
from lodestream.client.patience import DEFAULT_PATIENCE, Gap, Patience, Strain
from lodestream.client.problems import ServerUnreachable
from lodestream.v1.common_pb2 import Done


class Numbered(Protocol):
    """An event with its place in the run."""

    @property
    def sequence(self) -> int:
        """From 1."""


SnapshotT = TypeVar("SnapshotT")
EventT = TypeVar("EventT", bound=Numbered)

#: A resume token -> the started call.
Opener = Callable[[str], Any]


def unseen(events: Iterable[EventT], last: int, holes: bool, from_one: bool) -> Sequence[EventT]:
    """The events with numbers above `last`, in order. Raises Gap where a number is missing although `holes` is false.

    With `last` 0 any number may come first, or only 1 with `from_one`.
    """
    fresh: list[EventT] = []
    for event in events:
        if event.sequence <= last:
            continue
        if not holes and event.sequence != last + 1 and (last or from_one):
            raise Gap(f"after event {last} came {event.sequence}")
        last = event.sequence
        fresh.append(event)
    return fresh


class Watch(AsyncIterator[SnapshotT | EventT], Generic[SnapshotT, EventT]):
    """Snapshots and events of one stream, to its end. Use it with `async for`, inside `async with` if you may leave
    early.

    The state comes first (not with replay), then events; after a reset by the server the state comes again and
    `sequence` starts over. To go on in another process, keep `token` and `sequence` after an item and pass both to a
    new watch. Raises what the server refuses with; ServerUnreachable when nobody answered for `Patience.give_up_s`;
    BrokenStream when events are missing for good.
    """

    def __init__(
        self,
        caller: Caller,
        opener: Opener,
        *,
        holes: bool = False,
        from_one: bool = False,
        token: str = "",
        after: int = 0,
        patience: Patience = DEFAULT_PATIENCE,
        on_break: Callable[[str], None] | None = None,
    ) -> None:
        self.token = token
        self.sequence = after
        #: The last frame of a stream that came to its end, with the state the run ended in.
        self.done: Done | None = None
        #: How often the connection was taken up again.
        self.resumptions = 0
        self._caller, self._opener, self._patience = caller, opener, patience
        self._holes, self._from_one, self._on_break = holes, from_one, on_break
        self._items: AsyncGenerator[Any, None] = self._run()
        self._call: Any = None
        self._closed = self._reading = False
        caller.watches.add(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SnapshotT | EventT:
        self._reading = True
        try:
            item: SnapshotT | EventT = await self._items.__anext__()
            return item
        finally:
            self._reading = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the server's stream; a reader in another task comes to its end. Repeated: no further effect."""
        self.cancel()
        if not self._reading:
            await self._items.aclose()

    def cancel(self) -> None:
        """The same from code that cannot wait."""
        self._closed = True
        if self._call is not None:
            self._call.cancel()

    async def _run(self) -> AsyncGenerator[Any, None]:
        strain = Strain(self._patience)
        while self._is_open():
            strain.connected(self.sequence, self.token)
            self._call = call = self._opener(self.token)
            try:
                async with aclosing(self._frames(call)) as frames:
                    async for item in frames:
                        strain.heard()
                        if item is not None:
                            yield item
                why = "the stream ended early"
            except AioRpcError as status:
                why = str(error := self._caller.error_of(status))
                if not is_passing(status):
                    raise error from None
            except TimeoutError:
                why = f"nothing came for {self._patience.silence_s:g} s"
            except Gap as gap:
                strain.gap(gap, self.sequence)
                why = str(gap)
            except asyncio.CancelledError:
                if self._was_cancelled():
                    raise
                return
            finally:
                call.cancel()
            if self._is_open():
                await self._pause(strain, why)

    def _is_open(self) -> bool:
        return self.done is None and not self._closed

    def _was_cancelled(self) -> bool:
        """Whether the reading task was cancelled, and not just this watch."""
        task = asyncio.current_task()
        return not (self._closed and task and not task.cancelling())

    async def _frames(self, call: Any) -> AsyncGenerator[Any, None]:
        """The items of one connection; None for a sign of life. Ends with the connection or with `done`."""
        while True:
            async with asyncio.timeout(self._patience.silence_s):
                frame = await call.read()
            if frame is EOF:
                return
            match frame.WhichOneof("frame"):
                case "snapshot":
                    self.token = frame.resume_token
                    yield frame.snapshot
                case "events":
                    fresh = unseen(frame.events.events, self.sequence, self._holes, self._from_one)
                    for place, event in enumerate(fresh, 1):
                        self.sequence = event.sequence
                        if place == len(fresh):
                            self.token = frame.resume_token
                        yield event
                    self.token = frame.resume_token
                case "reset":
                    self.token, self.sequence, self._from_one = frame.resume_token, 0, False
                case "done":
                    self.token, self.done = frame.resume_token, frame.done
                    return
                case _:
                    self.token = frame.resume_token or self.token
            yield None

    async def _pause(self, strain: Strain, why: str) -> None:
        delay_s = strain.broken(self.sequence, self.token)
        if delay_s is None:
            target, patience = self._caller.settings.target, self._patience.give_up_s
            raise ServerUnreachable(f"No answer from {target} for {patience:g} s: {why}")
        self.resumptions += 1
        if self._on_break is not None:
            self._on_break(why)
        await asyncio.sleep(delay_s)
