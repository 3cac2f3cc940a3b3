"""One worker process of this machine, seen from the server: its pipe, its signals, and what became of it."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import psutil

from lodestream_server.executors.death import died, oom_kills
from lodestream_server.executors.port import Assignment, Died, Outcome, Signal, Told
from lodestream_server.executors.starting import end, whole
from lodestream_server.executors.wording import as_wire, heard, outcome
from lodestream_server.worker import frames
from lodestream_server.worker.v1 import worker_pb2 as wire

if TYPE_CHECKING:
    from lodestream_server.executors.local_pool import PoolSettings

log = logging.getLogger(__name__)

#: A worker that is silent but computes may hold the interpreter in one native call: this many leases are borne.
_BUSY_LEASES = 4
#: A process that closed its pipe is given this long to end.
_ENDING_S = 1.0
#: Python, protobuf and psutil load in a tenth of it; the machine may be busy.
_READY_S = 60.0


class LocalWorker:
    """Implements `port.Seat`; reused for the next run while it is alive and settled."""

    def __init__(
        self,
        number: int,
        process: asyncio.subprocess.Process,
        pipe: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        node: str,
        lease_s: float,
    ) -> None:
        self.number = number
        self.node = f"{node}-{number:02}"
        self.pid = process.pid
        #: The last run came to an outcome of its own, so that the process can be trusted with the next.
        self.settled = True
        self.rss_bytes = 0
        self._process = process
        self._reader, self._writer = pipe
        self._own_lease_s = self._lease_s = lease_s
        self._run_id = ""
        self._sent: Signal | None = None
        self._oom_before = 0
        self._released: Callable[[LocalWorker], Awaitable[None]] | None = None

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.returncode is None and not self._reader.at_eof()

    def occupy(self, released: Callable[["LocalWorker"], Awaitable[None]]) -> None:
        """Called by the pool when the seat is taken."""
        self._released = released

    async def begin(self, assignment: Assignment) -> None:
        """See `Seat.begin`."""
        self.settled, self._run_id, self._oom_before = False, assignment.run_id, oom_kills()
        self._lease_s = assignment.lease_s or self._own_lease_s
        self._send(wire.ToWorker(run=as_wire(assignment)))

    async def words(self) -> AsyncIterator[Told | Outcome]:
        """See `Seat.words`."""
        last, cpu = time.monotonic(), 0.0
        reading = asyncio.ensure_future(frames.read_async(self._reader, wire.FromWorker))
        try:
            while True:
                done, _ = await asyncio.wait((reading,), timeout=self._lease_s / 5)
                if not done:
                    silent_s, now_cpu = time.monotonic() - last, self._cpu_s()
                    if self._is_hung(silent_s, now_cpu > cpu):
                        yield await self._hung(silent_s)
                        return
                    continue
                try:
                    word = heard(reading.result())
                except (frames.Broken, ValueError) as fault:
                    yield await self._gone(fault)
                    return
                if isinstance(word, wire.Ended):
                    self.settled, self.rss_bytes = True, word.rss_bytes
                    yield outcome(word)
                    return
                if word is not None:
                    yield word
                # After the yield: while the server was busy with the word, the worker's silence was not its own.
                last, cpu = time.monotonic(), self._cpu_s()
                reading = asyncio.ensure_future(frames.read_async(self._reader, wire.FromWorker))
        finally:
            reading.cancel()

    def ask_to_stop(self) -> None:
        """See `Seat.ask_to_stop`."""
        self._send(wire.ToWorker(cancel=wire.Cancel(run_id=self._run_id)))

    def signal(self, which: Signal) -> None:
        """See `Seat.signal`."""
        if self._process.returncode is not None:
            return
        self._sent = which
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if which == "SIGTERM":
                self._process.terminate()
            else:
                # Children that left the group, such as daemons of a notebook, are found only while it lives.
                strays = psutil.Process(self.pid).children(recursive=True)
                os.killpg(self.pid, signal.SIGKILL)
                for stray in strays:
                    with contextlib.suppress(psutil.Error):
                        stray.kill()

    async def release(self) -> None:
        """See `Seat.release`."""
        if self._released is not None:
            released, self._released = self._released, None
            await released(self)

    async def end(self) -> None:
        """Kills what is left of the process group and waits until it is gone."""
        self._writer.close()
        await end(self._process)

    def _send(self, message: wire.ToWorker) -> None:
        if not self._writer.is_closing():
            self._writer.write(frames.pack(message))

    def _is_hung(self, silent_s: float, computing: bool) -> bool:
        if silent_s < self._lease_s:
            return False
        return not computing or silent_s >= _BUSY_LEASES * self._lease_s

    async def _hung(self, silent_s: float) -> Died:
        await self.end()
        return Died("WORKER_HUNG", f"The worker gave no sign of life for {silent_s:.0f} seconds.")

    async def _gone(self, fault: Exception) -> Died:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), _ENDING_S)
        code = self._process.returncode
        await self.end()
        if code is None:
            log.error("worker %s broke the protocol: %s", self.node, fault)
            return Died("WORKER_CRASHED", "The worker stopped talking and was ended.", self._sent)
        return died(code, self._sent, oom_kills() > self._oom_before)

    def _cpu_s(self) -> float:
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return times.user + times.system


async def start_worker(number: int, settings: "PoolSettings", environment: Mapping[str, str]) -> LocalWorker:
    """Starts a process in its own session and waits until it is ready. Raises OSError, TimeoutError, Broken."""
    ours, theirs = socket.socketpair()
    try:
        with theirs, open(settings.log_file, "ab", buffering=0) as log_file:  # noqa: ASYNC230  # opening, once per process
            process = await whole(
                asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",  # the current folder is no place to import from
                    "-m",
                    "lodestream_server.worker",
                    "--pipe",
                    str(theirs.fileno()),
                    "--preload",
                    ",".join(settings.preload),
                    "--owner",
                    settings.owner,
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log_file,
                    stderr=log_file,
                    start_new_session=True,
                    env=dict(environment),
                )
            )
    except BaseException:
        ours.close()
        raise
    ours.setblocking(False)
    try:
        reader, writer = await asyncio.open_connection(sock=ours)
    except BaseException:
        await end(process)
        ours.close()
        raise
    worker = LocalWorker(number, process, (reader, writer), settings.node, settings.lease_s)
    try:
        async with asyncio.timeout(_READY_S):
            await frames.read_async(reader, wire.FromWorker)
    except BaseException:
        await worker.end()
        raise
    return worker
