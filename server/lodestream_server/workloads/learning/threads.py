"""No more processor threads than the run may use: the libraries would take all cores of the machine.

One: the steps between the barriers of boosting take microseconds, and two threads that wait for each other on a machine
where another worker is busy cost far more than they bring.
"""

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

THREADS = 1


def few() -> AbstractContextManager[object]:
    """Within this block numerical libraries use at most `THREADS` threads."""
    limits: AbstractContextManager[object] = threadpool_limits(limits=THREADS)
    return limits
