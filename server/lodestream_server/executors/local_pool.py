"""Workers on this machine, started ahead: as many as seats. A worker that died, or grew too large, is replaced at
once."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lodestream_server.executors.local_worker import LocalWorker, start_worker
from lodestream_server.executors.port import Seat

log = logging.getLogger(__name__)

#: What a worker may know of the server's environment: nothing that could be a secret.
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
#: A worker this large after a run gives its memory back by ending; a mining worker idles at some 200 MB.
_TOO_LARGE = 600 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How the pool is set up. `lease_s`: silence after which a worker counts as hung."""

    seats: int = 2
    log_file: Path = Path(os.devnull)
    preload: Sequence[str] = ()
    lease_s: float = 15.0
    node: str = "worker-node"
    #: Id of the store, so that orphans can be told from the workers of other servers.
    owner: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


class LocalPool:
    """Implements `port.Executor` with processes of this machine."""

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self._environment = settings.environment
        self._idle: asyncio.Queue[LocalWorker] = asyncio.Queue()
        self._all: set[LocalWorker] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._numbers = list(range(settings.seats, 0, -1))
        self._taken = 0
        self._closed = False
        self._freed: Callable[[], None] = lambda: None

    @property
    def seats(self) -> int:
        """See `Executor.seats`."""
        return self._settings.seats

    @property
    def free(self) -> int:
        """See `Executor.free`."""
        return 0 if self._closed else self._settings.seats - self._taken

    async def open(self, freed: Callable[[], None]) -> None:
        """See `Executor.open`. Returns before the workers are ready: whoever takes a seat waits for one."""
        self._freed = freed
        for _ in range(self._settings.seats):
            self._start()

    async def take(self) -> Seat:
        """See `Executor.take`."""
        self._taken += 1
        try:
            while not (worker := await self._idle.get()).alive:
                await self._replace(worker)
        except BaseException:
            self._taken -= 1
            raise
        worker.occupy(self._release)
        return worker

    async def close(self) -> None:
        """See `Executor.close`."""
        self._closed = True
        for task in [*self._starting]:
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in [*self._all]))

    async def _release(self, worker: LocalWorker) -> None:
        if worker.alive and worker.settled and worker.rss_bytes < _TOO_LARGE:
            self._idle.put_nowait(worker)
        else:
            await self._replace(worker)
        self._taken -= 1
        self._freed()

    async def _replace(self, worker: LocalWorker) -> None:
        await worker.end()
        self._all.discard(worker)
        self._numbers.append(worker.number)
        self._start()

    def _start(self) -> None:
        if self._closed:
            return
        task = asyncio.create_task(self._start_one(self._numbers.pop()))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _start_one(self, number: int) -> None:
        delay_s = 0.0
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.sleep(delay_s)
            try:
                worker = await start_worker(number, self._settings, self._environment)
            except Exception:
                # Memory or processes may be short for a while; a pool without workers would be silent for ever.
                log.exception("worker %d could not be started", number)
                delay_s = min(10.0, delay_s * 2 + 0.5)
                continue
            self._all.add(worker)
            self._idle.put_nowait(worker)
            return


def worker_environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of processes that touch foreign data."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    passed |= {name: value for name, value in os.environ.items() if name.startswith("LC_")}
    return passed | dict(more)
