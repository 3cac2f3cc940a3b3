"""Starting a process so that whoever is cancelled half-way leaves none behind. For workers and for describing."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine
from typing import Any


async def whole(starting: Coroutine[Any, Any, asyncio.subprocess.Process]) -> asyncio.subprocess.Process:
    """The process, which is to lead a session of its own. Cancelled meanwhile, it is ended first."""
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await end(await task)
        raise


async def end(process: asyncio.subprocess.Process) -> None:
    """Kills the process and what it started, and waits until it is gone; harmless when it is."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
