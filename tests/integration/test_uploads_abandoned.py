"""Uploads that end early leave no file, whoever is cancelled meanwhile."""

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

from lodestream_server.store.files import Incoming


async def test_an_abandoned_upload_is_removed_even_if_its_caller_is_cancelled(tmp_path):
    """A connection that breaks ends the stream first and cancels the call right after."""
    incoming, busy = Incoming(tmp_path / "upload.partial", 1_000), threading.Event()
    await incoming.write(b"half of it")
    loop, threads = asyncio.get_running_loop(), ThreadPoolExecutor(1)
    loop.set_default_executor(threads)
    threads.submit(busy.wait)  # so that the removal has to wait for its turn
    leaving = asyncio.create_task(incoming.abandon())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaving
    busy.set()
    await asyncio.to_thread(lambda: None)
    assert not (tmp_path / "upload.partial").exists()
