"""Workers that outlived their server: they end by themselves, but a run is not begun anew before its old worker is
certainly gone."""

import contextlib
import os
import signal

import psutil

#: SIGKILL takes milliseconds, except in a disk wait.
_WAIT_S = 5.0


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
        process.wait(_WAIT_S)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
    return True
