"""How a fault leaves the server: what callers may know as a rich status, everything else as INTERNAL with an id that
finds the traceback in the server's log. Nothing of an unexpected exception's text goes out."""

import logging
import uuid
from typing import Any, NoReturn

from grpc.aio import AbortError

from lodestream import rich_status
from lodestream.errors import Internal, LodestreamError
from lodestream_server.grpc_door import call

log = logging.getLogger(__name__)
REQUEST_ID = "x-request-id"


async def refuse(context: Any, fault: Exception, method: str, request_id: str) -> NoReturn:
    """Ends the call with the status of the fault; passes on what ends calls by itself."""
    if isinstance(fault, AbortError):
        raise fault
    error = said(fault, method, request_id)
    if (seen := call.trail()) is not None:
        seen.reason = error.reason
    trailers = (*rich_status.to_trailers(error), (REQUEST_ID, request_id))
    await context.abort(rich_status.code_of(error), rich_status.to_status(error).message, trailers)
    raise AssertionError("abort raises")


def said(fault: Exception, method: str = "", request_id: str = "") -> LodestreamError:
    """What the caller is told."""
    if isinstance(fault, LodestreamError) and rich_status.reason_of(fault) == fault.reason != "INTERNAL":
        return fault
    error_id = uuid.uuid4().hex[:12]
    extra = {"method": method, "request": request_id, "error_id": error_id}
    log.error("an unexpected fault in %s", method, exc_info=fault, extra=extra)
    return Internal(
        f"An unexpected fault; error {error_id} in the server's log tells more.", details={"errorId": error_id}
    )
