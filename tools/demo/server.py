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


class Server:
    """`lodestream serve` with its data below a folder; killed and started anew, it keeps its address and its data."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self._options = options
        self._grpc = "127.0.0.1:0"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> dict[str, str]:
        """Starts it; gives the content of its ready file: "grpc" and "token". Raises ServerFailed."""
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        data = str(self.folder / "data")
        where = ("--data-dir", data, "--grpc", self._grpc, "--ready-file", str(ready))
        self._process = await _started(self.folder / "server.log", "serve", *where, *self._options)
        try:
            await _answering(self._process, ready)
            found: dict[str, str] = json.loads(ready.read_text(encoding="utf-8"))
        except BaseException:
            await self.stop()
            raise
        self._grpc = found["grpc"]
        return found

    async def stop(self) -> int:
        """Its exit code after SIGTERM; it is killed when it does not stop."""
        return await self._ended(signal.SIGTERM)

    async def kill(self) -> None:
        """Ends it with SIGKILL: no chance to put anything in order."""
        await self._ended(signal.SIGKILL)

    async def _ended(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        try:
            async with asyncio.timeout(STOP_S):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()


@asynccontextmanager
async def serving(folder: Path, *options: str) -> AsyncIterator[dict[str, str]]:
    """A server until the context ends; gives the content of its ready file.

    Raises ServerFailed when it does not start, or stops with an error.
    """
    server = Server(folder, *options)
    ready = await server.start()
    try:
        yield ready
    except BaseException:
        await server.stop()
        raise
    code = await server.stop()
    if code != 0:
        raise ServerFailed(f"The server stopped with exit code {code} instead of 0.")


def log_tail(folder: Path) -> list[str]:
    """The last lines that the server wrote."""
    try:
        return (folder / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
    except OSError:
        return []


async def _started(log: Path, *words: str) -> asyncio.subprocess.Process:
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "lodestream", *words),
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
