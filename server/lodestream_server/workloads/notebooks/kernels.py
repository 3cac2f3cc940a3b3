"""Starting a kernel, and ending it with everything it started.

It speaks through sockets in a folder that only this user may enter: nothing listens on the network. The folder is a
short one of the system's, because a socket's path has 107 bytes and a run's folder alone can have as many.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from lodestream_server.workloads.notebooks.surroundings import Surroundings

#: Imports ipykernel and IPython; half a second on an idle machine.
_READY_S = 60.0
_PREFIX = "lodestream-kernel-"
#: From <sys/prctl.h>: orphans below this process become its children instead of init's.
_PR_SET_CHILD_SUBREAPER = 36
#: SIGKILL takes milliseconds, except in a disk wait.
_GONE_S = 2.0


class _InOurGroup(LocalProvisioner):
    """Starts the kernel in the worker's process group, not in a session of its own: whoever kills the group gets it
    too. Signals then go to the process alone."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        self.process = _start(cmd, kwargs["cwd"], kwargs["env"])
        self.pid, self.cwd = self.process.pid, kwargs["cwd"]
        return self.connection_info


def _start(command: Sequence[str], folder: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with open(_log(environment), "wb") as said:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )


def _end(kernel: Any) -> None:
    if kernel.process is not None:
        kernel.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            kernel.process.wait(_GONE_S)


def _log(environment: Mapping[str, str]) -> Path:
    """What the kernel says outside of cells."""
    return Path(environment["TMPDIR"], "kernel.log")


@asynccontextmanager
async def started(
    around: Surroundings, memory_bytes: int, cpus: int | None
) -> AsyncIterator[tuple[AsyncKernelManager, AsyncKernelClient]]:
    """A kernel that answers, until the context ends; then it and all it started are gone. Raises RuntimeError when
    it does not come up.

    Enter it in the main thread: the kernel dies with the thread that started it.
    """
    with _short_folder() as folder, _all_gone():
        manager = _manager(folder, memory_bytes, cpus)
        try:
            await manager.start_kernel(cwd=str(around.work), env=dict(around.environment))
            client = manager.client()
            client.start_channels()
            try:
                await _ready(client, around)
                yield manager, client
            finally:
                client.stop_channels()
        finally:
            _end(manager.provisioner)
            manager._close_control_socket()
            manager.context.destroy(linger=0)


async def _ready(client: AsyncKernelClient, around: Surroundings) -> None:
    client.allow_stdin = False
    try:
        await client.wait_for_ready(timeout=_READY_S)
    except RuntimeError as fault:
        said = _log(around.environment).read_text(errors="replace")
        raise RuntimeError(f"{fault}: {said[-2000:]}") from fault


def resident_bytes(pid: int) -> int:
    """What a kernel and all that it started have in memory; 0 when it is gone."""
    total = 0
    with contextlib.suppress(psutil.Error):
        kernel = psutil.Process(pid)
        for process in (kernel, *kernel.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def _manager(folder: Path, memory_bytes: int, cpus: int | None) -> AsyncKernelManager:
    manager = AsyncKernelManager(
        transport="ipc", ip=str(folder / "s"), connection_file=str(folder / "kernel.json"), kernel_name="python3"
    )
    mine = f"{__package__}.kernel"
    limits = [str(os.getpid()), str(memory_bytes), str(cpus or 0)]
    quiet = ["--HistoryManager.enabled=False"]
    # Ours, whatever is installed for this user: the path of a kernel's program is not for a notebook to choose.
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-P", "-m", mine, *limits, "-f", "{connection_file}", *quiet], language="python"
    )
    manager.provisioner = _InOurGroup(kernel_id="kernel", kernel_spec=manager._kernel_spec, parent=manager)
    return manager


@contextmanager
def _short_folder() -> Iterator[Path]:
    """A folder for sockets; those of workers that were killed are cleared away."""
    home = Path(tempfile.gettempdir())
    for old in home.glob(f"{_PREFIX}*"):
        pid = old.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=home))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _all_gone() -> Iterator[None]:
    """Kills at the end what was started below this process meanwhile, daemons included."""
    me = psutil.Process()
    before = set(me.children(recursive=True))
    _adopt_orphans(True)
    try:
        yield
    finally:
        while strangers := set(me.children(recursive=True)) - before:
            for process in strangers:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            if psutil.wait_procs(strangers, timeout=_GONE_S)[1]:
                break
        _adopt_orphans(False)


def _adopt_orphans(on: bool) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)
