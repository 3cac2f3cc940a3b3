"""What a worker died of, from its exit code and from who sent which signal."""

import signal
from pathlib import Path

from lodestream_server.executors.port import Died, Signal


def died(code: int, sent: Signal | None, oom_killer_struck: bool) -> Died:
    """The death, told apart: our signal, the out-of-memory killer, somebody else's kill, exit 0, a crash."""
    if sent is not None and code == -getattr(signal, sent):
        return Died("WORKER_KILLED", f"The worker was ended by {sent}.", sent)
    if code == 0:
        return Died("WORKER_VANISHED", "The worker ended without a result.")
    if code == -signal.SIGKILL and oom_killer_struck:
        return Died("OUT_OF_MEMORY", "The system ended the worker because memory ran out.")
    if code == -signal.SIGKILL:
        return Died("WORKER_KILLED", "The worker was killed from outside.")
    if code < 0:
        return Died("WORKER_CRASHED", f"The worker crashed ({signal.Signals(-code).name}).")
    return Died("WORKER_CRASHED", f"The worker ended with exit code {code}.")


def oom_kills() -> int:
    """How often the kernel's out-of-memory killer has struck; only differences mean something."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:  # not Linux
        pass
    return 0
