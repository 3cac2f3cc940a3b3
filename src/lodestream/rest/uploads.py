"""Uploads: a body of any size goes straight into the UploadDataset stream, a chunk at a time.

octet-stream carries the file, the query what is to be said about it: that goes straight through. A form carries both in
any order, so its file waits on disk until the rest has come. Memory stays constant either way.
"""

import asyncio
import errno
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Any, Final

from grpc import aio

from lodestream.errors import DiskFull
from lodestream.rest import reading, rpc_errors
from lodestream.rest.answers import CLOSE, Answer
from lodestream.rest.asked import Asked
from lodestream.rest.multipart import Field, FileBegun, Form
from lodestream.rest.problems import Refusal, invalid, refusal_of, refusal_of_fields
from lodestream.rest.rpcs import Rpc
from lodestream.v1.dataset_pb2 import UploadDatasetRequest
from lodestream.wire import Refused, check, from_params, to_json

#: The contract allows 1 MiB a message.
CHUNK_BYTES: Final = 256 * 1024
#: A caller who sends nothing for this long has gone without saying so.
SILENCE_S: Final = 60.0
#: Above it a file that waits for its fields goes to disk.
_IN_MEMORY_BYTES: Final = 1024 * 1024


class Uploads:
    """Answers POST …/datasets."""

    def __init__(self, rpc: Rpc, spool_dir: str | None = None) -> None:
        self._rpc = rpc
        self._spool_dir = spool_dir

    async def __call__(self, asked: Asked) -> Answer:
        """Raises Refused for what is said about the file, Refusal for the rest."""
        call = self._rpc.call(metadata=reading.metadata(asked))
        try:
            complete = await self._send(asked, call)
            answer = await call
        except (aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise await self._refusal(error, call, asked) from None
        except (Refusal, Refused, DiskFull) as refused:
            raise _closing(refused, asked) from None
        finally:
            call.cancel()
        headers = [(b"content-language", asked.language.encode()), (b"x-request-id", asked.request_id.encode())]
        return Answer(200, to_json(answer, asked.language), headers=headers if complete else [*headers, CLOSE])

    async def _send(self, asked: Asked, call: Any) -> bool:
        """Sends everything; False when the server had its answer before the end."""
        stream = _parts(asked, self._spool_dir) if _is_multipart(asked) else _octets(asked)
        buffer = bytearray()
        async for part in stream:
            if isinstance(part, UploadDatasetRequest.Header):
                await call.write(UploadDatasetRequest(header=part))
                continue
            buffer += part
            if call.done():
                return False
            if len(buffer) >= CHUNK_BYTES:
                await call.write(UploadDatasetRequest(chunk=bytes(buffer)))
                buffer.clear()
        if buffer:
            await call.write(UploadDatasetRequest(chunk=bytes(buffer)))
        await call.write(UploadDatasetRequest(footer=UploadDatasetRequest.Footer()))
        await call.done_writing()
        return True

    async def _refusal(self, error: Exception, call: Any, asked: Asked) -> Exception:
        """What the caller is told when the server refused: it may have done so in the middle of the body."""
        if not isinstance(error, aio.AioRpcError):
            try:
                await call
            except aio.AioRpcError as told:
                error = told
        if not isinstance(error, aio.AioRpcError):
            return error
        header = UploadDatasetRequest.Header.DESCRIPTOR
        refused = rpc_errors.refusal(error, header, asked.path, with_body=_is_multipart(asked))
        return _closing(refused, asked) if refused else error


def _closing(refused: Refusal | Refused | DiskFull, asked: Asked) -> Refusal:
    """The refusal, saying that the connection ends when the rest of the body was not read."""
    match refused:
        case Refusal():
            told = refused
        case Refused():
            told = refusal_of_fields(refused)
        case DiskFull():
            told = refusal_of(refused)
    if not asked.body_is_read:
        told.headers.append(CLOSE)
    return told


def _is_multipart(asked: Asked) -> bool:
    media_type = asked.header(b"content-type").split(";")[0].strip().lower()
    if not media_type:
        raise Refusal("UNSUPPORTED_MEDIA_TYPE", "Say which: multipart/form-data or application/octet-stream.")
    return media_type == "multipart/form-data"


async def _octets(asked: Asked) -> AsyncIterator[UploadDatasetRequest.Header | bytes]:
    yield _header(asked, {}, "")
    async for chunk in _body(asked):
        yield chunk


async def _parts(asked: Asked, spool_dir: str | None) -> AsyncIterator[UploadDatasetRequest.Header | bytes]:
    """The header and the file of a form. Its parts may come in any order, and the header goes first."""
    form = Form(asked.header(b"content-type"))
    fields: dict[str, str] = {}
    file_name: str | None = None
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES, dir=spool_dir) as waiting:
        async for data in _body(asked):
            for piece in form.feed(data):
                match piece:
                    case Field():
                        if piece.name in fields:
                            raise invalid(f"/{piece.name}", "is given twice", "send it once")
                        fields[piece.name] = piece.text
                    case FileBegun():
                        if file_name is not None:
                            raise invalid("/file", "is given twice", "send one file")
                        file_name = piece.file_name
                    case bytes():
                        await asyncio.to_thread(_keep, waiting, piece)
        form.finish()
        if file_name is None:
            raise invalid("/file", "is required", "send the event log as the part named file")
        yield _header(asked, fields, file_name)
        waiting.seek(0)
        while chunk := await asyncio.to_thread(waiting.read, CHUNK_BYTES):
            yield chunk


def _keep(waiting: IO[bytes], piece: bytes) -> None:
    try:
        waiting.write(piece)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                "No space is left for the upload; send it as application/octet-stream, which needs none."
            ) from None
        raise


def _header(asked: Asked, fields: dict[str, str], file_name: str) -> UploadDatasetRequest.Header:
    """What is said about the file, from parts, query and path. Raises Refused."""
    given = {**asked.query, **{name: [text] for name, text in fields.items() if text}}
    header = from_params(UploadDatasetRequest.Header, asked.path, given)
    if file_name and not header.file_name:
        header.file_name = file_name[-255:]
    if problems := check(header):
        location = "body" if _is_multipart(asked) else "query"
        raise Refused(reading.placed(problem, asked.path, location == "body") for problem in problems)
    return header


async def _body(asked: Asked) -> AsyncIterator[bytes]:
    """The chunks of the body. Raises Refusal when the caller goes, or falls silent."""
    while True:
        try:
            message = await asyncio.wait_for(asked.receive(), SILENCE_S)
        except TimeoutError:
            raise Refusal("TOO_SLOW", f"Nothing came for {SILENCE_S:.0f} seconds.") from None
        if message["type"] == "http.disconnect":
            raise Refusal("TOO_SLOW", "The caller went away before the body was complete.")
        if chunk := message.get("body", b""):
            yield chunk
        if not message.get("more_body", False):
            asked.body_is_read = True
            return
