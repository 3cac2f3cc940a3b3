"""How the server ended a call that was still being written to.

When a server refuses an upload before its end, grpc.aio lets the write that fails hide the server's status behind an
INTERNAL of its own: usually made just before the server's status arrives, sometimes just after it, and then over it.
This keeps the first status that came, and waits for the second where the first was not the server's.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

#: What grpc.aio says when it failed to write.
_OWN: Final = "Internal error from Core"
#: The server's status follows within milliseconds when there is one; a connection that broke has none.
_WAIT_S: Final = 1.0
_LOOK_S: Final = 0.01


class Ending:
    """Watches a call from its beginning."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._first: AioRpcError | None = None
        call.add_done_callback(self._note)

    async def of(self, status: AioRpcError) -> AioRpcError:
        """The server's status where there is one, else the one that was raised."""
        if not _is_own(status):
            return status
        if self._first is not None and not _is_own(self._first):
            return self._first
        for _ in range(int(_WAIT_S / _LOOK_S)):
            if not _is_own(found := await _status(self._call)):
                return found
            await asyncio.sleep(_LOOK_S)
        return AioRpcError(StatusCode.UNAVAILABLE, Metadata(), Metadata(), details="the connection broke")

    def _note(self, call: Any) -> None:
        self._first = _at_once(_status(call))


def _is_own(status: AioRpcError) -> bool:
    return status.code() is StatusCode.INTERNAL and (status.details() or "").startswith(_OWN)


async def _status(call: Any) -> AioRpcError:
    code, details, trailers = await call.code(), await call.details(), await call.trailing_metadata()
    return AioRpcError(code, Metadata(), trailers, details=details)


def _at_once(work: Coroutine[Any, Any, AioRpcError]) -> AioRpcError | None:
    """The result of work that need not wait: inside a callback nobody can, and later the status may be another."""
    try:
        work.send(None)
    except StopIteration as ended:
        result: AioRpcError = ended.value
        return result
    finally:
        work.close()
    return None
