"""Room kept back for what is under way: a file of a few megabytes that is given up when the disk is full.

Then runs can still end, and say why, in the room that it leaves; new work is refused until there is enough for the file
again. Given up by the writer, asked by the engine before it takes anything on.
"""

import errno
import logging
import os
import shutil
from pathlib import Path
from typing import Final

from lodestream.errors import DiskFull

log = logging.getLogger(__name__)

#: Some thousands of events.
SIZE_BYTES: Final = 4 * 1024 * 1024
#: Taken back once there is so many times its size, so that it does not come and go.
_ENOUGH: Final = 2
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Reserve:
    """The file. `given_up`: it is not there and should be."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.given_up = False
        self._take()

    def give_up(self) -> None:
        """Makes the room free. Repeated: no further effect."""
        if not self.given_up and self._path.exists():
            self.given_up = True
            self._path.unlink(missing_ok=True)
            log.error("the disk is full: what is under way uses the reserve, and new work is refused")

    def check(self) -> None:
        """Takes the room back where it can. Raises DiskFull where it cannot."""
        if not self.given_up:
            return
        if shutil.disk_usage(self._path.parent).free < _ENOUGH * SIZE_BYTES or not self._take():
            raise DiskFull
        log.warning("there is room on the disk again; new work is taken on")

    def _take(self) -> bool:
        try:
            with open(self._path, "ab") as file:
                os.posix_fallocate(file.fileno(), 0, SIZE_BYTES)
            self.given_up = False
        except OSError as fault:
            self._path.unlink(missing_ok=True)
            # Where files may not be so large, or room cannot be kept, there is no reserve, and nothing is refused.
            self.given_up = fault.errno in _FULL
        return not self.given_up
