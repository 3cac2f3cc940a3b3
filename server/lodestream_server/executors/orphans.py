"""Workers that outlived their server: they end by themselves, but a run is not begun anew before its old worker is
certainly gone."""

import contextlib
import os
import signal
import time

import psutil

#: SIGKILL takes milliseconds, except in a disk wait.
_WAIT_S = 5.0
_LOOK_S = 0.01


def end_orphan(pid: int, owner: str) -> bool:
    """Kills the process group of that worker if it still works for `owner`; whether there was one. Blocks until it
    is gone."""
    try:
        process = psutil.Process(pid)
        command = process.cmdline()
        if "lodestream_server.worker" not in command or owner not in command:
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        _wait(process)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
    return True


def _wait(process: psutil.Process) -> None:
    # Not Process.wait: an orphan that nobody reaps stays as a zombie, which runs nothing any more.
    until = time.monotonic() + _WAIT_S
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        time.sleep(_LOOK_S)
