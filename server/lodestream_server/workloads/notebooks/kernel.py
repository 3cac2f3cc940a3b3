"""`python -m lodestream_server.workloads.notebooks.kernel PARENT MEMORY CPUS …`: the process that a notebook's code
runs in.

Dies with its worker, also while a cell holds the interpreter; bounded in memory and cores. Everything behind the
three numbers is for ipykernel.
"""

import os
import random
import sys

from ipykernel import kernelapp
from ipykernel.iostream import IOPubThread

from lodestream_server.worker import limits


class _NoListener(IOPubThread):
    """Takes no words from forked processes: for them ipykernel would listen on a port of the network."""

    def _setup_pipe_in(self) -> None:
        self._pipe_flag = False


def main() -> None:
    """Sets the limits, then becomes the kernel."""
    parent, memory_bytes, cpus = (int(given) for given in sys.argv[1:4])
    del sys.argv[1:4]
    limits.die_with_parent()
    if os.getppid() != parent:  # it died before we asked to die with it
        os._exit(1)
    limits.bound_memory(memory_bytes)
    if cpus:
        _use_cores(cpus)

    kernelapp.IOPubThread = _NoListener  # type: ignore[attr-defined]  # the only way to have it made of ours
    kernelapp.IPKernelApp.launch_instance()


def _use_cores(count: int) -> None:
    """Some of the cores: libraries count the ones they may use, and notebooks beside each other get others."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, random.sample(sorted(mine), min(count, len(mine))))


if __name__ == "__main__":
    main()
