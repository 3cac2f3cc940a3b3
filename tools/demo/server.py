"""The real server as a process of its own, for as long as the demonstration runs.

Called by the demonstration and by proofs that need a server like a user's: started by `lodestream serve`, found through
its ready file, stopped with SIGTERM.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

START_S: Final = 30.0
STOP_S: Final = 20.0
TAIL_LINES: Final = 30


class ServerFailed(Exception):
    """The server did not start, or did not stop as it should."""


@asynccontextmanager
async def serving(folder: Path, *options: str) -> AsyncIterator[dict[str, str]]:
    """A server with its data below `folder`; gives the content of its ready file: "grpc" and "token".

    Stops it at the end. Raises ServerFailed when it does not start, or stops with an error.
    """
    ready, log = folder / "ready.json", folder / "server.log"
    ready.unlink(missing_ok=True)
    process = await _start(folder, ready, log, options)
    try:
        await _answering(process, ready)
        yield json.loads(ready.read_text(encoding="utf-8"))
    except BaseException:
        await _stopped(process)
        raise
    code = await _stopped(process)
    if code != 0:
        raise ServerFailed(f"The server stopped with exit code {code} instead of 0.")


def log_tail(folder: Path) -> list[str]:
    """The last lines that the server wrote."""
    try:
        return (folder / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
    except OSError:
        return []


async def _start(folder: Path, ready: Path, log: Path, options: tuple[str, ...]) -> asyncio.subprocess.Process:
    data = folder / "data"
    arguments = ["serve", "--data-dir", str(data), "--grpc", "127.0.0.1:0", "--ready-file", str(ready), *options]
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "lodestream", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={name: value for name, value in os.environ.items() if not name.startswith("LODESTREAM_")},
            # Ctrl-C at the terminal reaches this program alone, which then stops the server in its own way.
            start_new_session=True,
        )


async def _answering(process: asyncio.subprocess.Process, ready: Path) -> None:
    """Returns when the ready file is there."""
    try:
        async with asyncio.timeout(START_S):
            while not await asyncio.to_thread(ready.exists):
                if process.returncode is not None:
                    raise ServerFailed(f"The server ended with exit code {process.returncode} before it answered.")
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise ServerFailed(f"The server did not answer within {START_S:g} s.") from None


async def _stopped(process: asyncio.subprocess.Process) -> int:
    """Its exit code, after SIGTERM; SIGKILL when it does not stop."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()
