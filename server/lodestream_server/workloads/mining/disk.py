"""One face for a full disk: polars names it in a text, Python in a number; callers see OSError with errno
ENOSPC."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

_SAYS_FULL = ("os error 28", "No space left on device")


@contextmanager
def writing() -> Iterator[None]:
    """Around everything that writes with polars. Raises OSError(ENOSPC) when no space is left; lets other faults
    pass."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as fault:
        if getattr(fault, "errno", None) == errno.ENOSPC or any(words in str(fault) for words in _SAYS_FULL):
            raise OSError(errno.ENOSPC, "No space is left on the disk") from fault
        raise
