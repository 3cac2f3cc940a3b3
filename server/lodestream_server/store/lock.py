"""One server per data directory: a lock that the operating system frees when the process ends, however it ends."""

import fcntl
import os
from pathlib import Path

from lodestream.errors import DataDirInUse


class DataDirLock:
    """Holds `<data dir>/lock` until released."""

    def __init__(self, data_dir: Path) -> None:
        """Takes the lock. Raises DataDirInUse, naming the process that has it."""
        self._file = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise DataDirInUse(
                f"Another server (process {holder}) is using this data directory; stop it or choose another directory."
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Gives the directory free; once is enough, twice is harmless."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
