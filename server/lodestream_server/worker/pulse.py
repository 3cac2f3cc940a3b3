"""Sign of life every three seconds and a sample of the process group every two, also while the work is inside one
long step."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from lodestream_server.runs.bodies import Sampled

#: The lease is 15 s: five signs may be missed.
ALIVE_EVERY_S = 3.0
SAMPLE_EVERY_S = 2.0
_KERNEL_SAYS = Path("/proc/self/task", str(os.getpid()), "children").exists()


class Sampler:
    """Measures this process, its children and the run's folder from the moment it is made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._me = psutil.Process()
        self._lock = threading.Lock()
        self._begin = self._before = time.monotonic()
        # A run begins without children; looking for them reads the whole process table.
        self._cpu_begin = self._cpu_before = self._cpu_s([])
        self._io_begin = self._io()

    def sample(self, phase: str) -> Sampled:
        """What was used until now; the CPU percent is since the last sample."""
        with self._lock:
            children = self._me.children(recursive=True) if _may_have_children() else []
            now, cpu = time.monotonic(), self._cpu_s(children)
            share = max(0.0, cpu - self._cpu_before) / max(now - self._before, 0.001)
            self._before, self._cpu_before = now, cpu
            read, written, operations = (b - a for a, b in zip(self._io_begin, self._io(), strict=True))
            return Sampled(
                # More than all cores is an artefact of a very short interval.
                cpu_percent=round(min(share, os.cpu_count() or 1) * 100, 1),
                rss_bytes=self._rss(children),
                cpu_s=round(cpu - self._cpu_begin, 3),
                elapsed_s=round(now - self._begin, 3),
                read_bytes=read,
                written_bytes=written,
                io_operations=operations,
                threads=self._me.num_threads(),
                disk_bytes=self._disk_bytes(),
                phase=phase,
            )

    def _rss(self, children: Sequence[psutil.Process]) -> int:
        total = 0
        for process in (self._me, *children):
            with contextlib.suppress(psutil.Error):  # ended meanwhile
                total += process.memory_info().rss
        return total

    def _cpu_s(self, children: Sequence[psutil.Process]) -> float:
        mine = self._me.cpu_times()
        # Children that ended are in the parent's own account.
        total = mine.user + mine.system + mine.children_user + mine.children_system
        for child in children:
            with contextlib.suppress(psutil.Error):
                times = child.cpu_times()
                total += times.user + times.system
        return total

    def _disk_bytes(self) -> int:
        total = 0
        for path in self._folder.rglob("*"):
            with contextlib.suppress(OSError):  # renamed or removed meanwhile
                total += path.stat().st_size if path.is_file() else 0
        return total

    def _io(self) -> tuple[int, int, int]:
        try:
            io = self._me.io_counters()
        except (AttributeError, psutil.Error):  # not on every platform
            return 0, 0, 0
        return io.read_bytes, io.write_bytes, io.read_count + io.write_count


def _may_have_children() -> bool:
    """Whether looking for children is worth its price: psutil reads the whole process table, 2 ms on a usual machine,
    and most phases have none. True where the kernel does not say."""
    try:
        return any(path.read_bytes() for path in Path("/proc/self/task").glob("*/children")) or not _KERNEL_SAYS
    except OSError:  # a thread ended meanwhile
        return True


class Pulse:
    """A thread that calls `alive` and `sample` in their rhythm until closed."""

    def __init__(self, alive: Callable[[], None], sample: Callable[[], None]) -> None:
        self._rhythm = [(ALIVE_EVERY_S, alive), (SAMPLE_EVERY_S, sample)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread and waits for it, so that nothing is said after the end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        due = [time.monotonic() + every for every, _ in self._rhythm]
        while not self._stop.wait(max(0.0, min(due) - time.monotonic())):
            for index, (every, call) in enumerate(self._rhythm):
                if time.monotonic() >= due[index]:
                    call()
                    due[index] = time.monotonic() + every
