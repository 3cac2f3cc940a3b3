"""What a worker process does to itself before it touches foreign data: no core files, no outliving the server,
bounded memory."""

import contextlib
import ctypes
import os
import resource
import signal
import sys

import psutil

#: From <sys/prctl.h>: which signal to get when the parent dies.
_PR_SET_PDEATHSIG = 1
#: The server's loop must stay prompt while all cores mine.
_NICE = 5
#: Writable memory per byte of memory allowed: allocators keep more than is in use at a time.
_RESERVED = 2
#: And for what is not the run's: thread stacks (8 MB each), the engines of the libraries.
_SLACK_BYTES = 1 << 30


def settle_in() -> None:
    """Once, at the start of the process."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    die_with_parent()


def bound_memory(memory_bytes: int) -> None:
    """Lets allocations fail beyond the limit for the run to come; 0 lifts it. The server watches resident memory as
    well."""
    # RLIMIT_DATA and not RLIMIT_AS: it counts writable memory only, and V8 (inside vl-convert) reserves terabytes
    # of addresses.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = resource.RLIM_INFINITY
    if memory_bytes > 0:
        soft = psutil.Process().memory_info().data + _RESERVED * memory_bytes + _SLACK_BYTES
    if hard != resource.RLIM_INFINITY:
        soft = hard if soft == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def end_group() -> None:
    """Ends this process and everything it started, at once."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def die_with_parent() -> None:
    """This process gets SIGKILL when the thread that started it ends; on Linux, nothing elsewhere."""
    # The pipe's end says the same, but not to a process that is stopped or holds the interpreter in a long native call.
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
