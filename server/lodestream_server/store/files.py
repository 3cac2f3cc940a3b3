"""The folders beside the database: datasets and what runs produce. Content appears under its name whole, or not at all.

datasets/<dataset id>/content    resources/<resource id>    uploads/<dataset id>.partial
runs/<run id>/phases/NN-name/    archives/<run id>.zip    logs/
"""

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from lodestream.errors import DiskFull, UploadTooLarge

_PIECE = 1024 * 1024
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Files:
    """Knows where everything is; nobody else joins paths."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        for name in ("datasets", "resources", "uploads", "runs", "archives", "logs"):
            (data_dir / name).mkdir(exist_ok=True, mode=0o700)

    def dataset(self, dataset_id: str) -> Path:
        """The content of a stored dataset."""
        return self.data_dir / "datasets" / dataset_id / "content"

    def resource(self, resource_id: str) -> Path:
        """The content of a registered resource."""
        return self.data_dir / "resources" / resource_id

    def keep_resource(self, resource_id: str, content: bytes) -> Path:
        """Writes the content of a resource, durably. Raises DiskFull."""
        target = self.resource(resource_id)
        with no_space():
            with open(target, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(target.parent)
        return target

    def drop_resource(self, resource_id: str) -> None:
        """Removes the content; absent is fine."""
        self.resource(resource_id).unlink(missing_ok=True)

    def run(self, run_id: str) -> Path:
        """The folder of a run."""
        return self.data_dir / "runs" / run_id

    def phases(self, run_id: str) -> Path:
        """The folder of what the run's finished phases left, each in a folder of its own."""
        return self.run(run_id) / "phases"

    def archive(self, run_id: str) -> Path:
        """The zip of all files of a run, while somebody has asked for it."""
        return self.data_dir / "archives" / f"{run_id}.zip"

    def inside_run(self, run_id: str, relative: str) -> Path:
        """A file of a run. Raises ValueError when the path leads out of the run's folder."""
        folder = self.run(run_id).resolve()
        found = (folder / relative).resolve()
        if not found.is_relative_to(folder):
            raise ValueError("the path leads out of the run's folder")
        return found

    def logs(self) -> Path:
        """Where server and workers write their own log files."""
        return self.data_dir / "logs"

    def begin_upload(self, dataset_id: str, limit_bytes: int) -> "Incoming":
        """A file to be written. Raises DiskFull."""
        return Incoming(self.data_dir / "uploads" / f"{dataset_id}.partial", limit_bytes)

    def keep_dataset(self, incoming: Path, dataset_id: str) -> Path:
        """Moves a finished upload to its place, durably. Raises DiskFull."""
        target = self.dataset(dataset_id)
        with no_space():
            target.parent.mkdir(mode=0o700)
            incoming.rename(target)
            sync_folder(target.parent)
            sync_folder(target.parent.parent)
        return target

    def drop_dataset(self, dataset_id: str) -> None:
        """Removes the content; absent is fine."""
        shutil.rmtree(self.dataset(dataset_id).parent, ignore_errors=True)

    def drop_run(self, run_id: str) -> None:
        """Removes all files of a run, and then the zip of them; absent is fine."""
        shutil.rmtree(self.run(run_id), ignore_errors=True)
        self.archive(run_id).unlink(missing_ok=True)

    def drop_archives(self) -> None:
        """Removes the zips of all runs; they are made again when somebody asks."""
        for left in (self.data_dir / "archives").iterdir():
            left.unlink()

    def run_ids(self) -> list[str]:
        """Runs that have a folder."""
        return [folder.name for folder in (self.data_dir / "runs").iterdir()]

    def sweep(self, known_datasets: Collection[str], known_resources: Collection[str]) -> None:
        """Removes what a crash left behind: unfinished uploads, contents without a record."""
        for partial in (self.data_dir / "uploads").iterdir():
            partial.unlink(missing_ok=True)
        for folder in (self.data_dir / "datasets").iterdir():
            if folder.name not in known_datasets:
                shutil.rmtree(folder, ignore_errors=True)
        for file in (self.data_dir / "resources").iterdir():
            if file.name not in known_resources:
                file.unlink(missing_ok=True)


class Incoming:
    """An upload on its way to the disk, hashed as it comes; bounded in size and in memory."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self.path = path
        self.size_bytes = 0
        self._limit = limit_bytes
        self._hash = hashlib.sha256()
        with no_space():
            # One chunk is in memory at a time; the system's own cache is the buffer.
            self._file = open(path, "xb", buffering=0)  # noqa: SIM115  # closed by finish and abandon

    async def write(self, chunk: bytes) -> None:
        """Adds a chunk. Raises UploadTooLarge, DiskFull; after that only `abandon` makes sense."""
        if self.size_bytes + len(chunk) > self._limit:
            raise UploadTooLarge(f"The upload is larger than the {self._limit} bytes this server accepts.")
        self.size_bytes += len(chunk)
        await asyncio.to_thread(self._write, chunk)

    async def finish(self) -> str:
        """Makes the file durable; its SHA-256 in hex. Raises DiskFull."""
        await asyncio.to_thread(self._sync)
        return self._hash.hexdigest()

    async def abandon(self) -> None:
        """Forgets the file, even if the caller is cancelled meanwhile; twice is harmless."""
        self._file.close()
        # A broken connection ends the stream and then cancels the call: the file must go all the same.
        await asyncio.shield(asyncio.to_thread(self.path.unlink, missing_ok=True))

    def _write(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        rest = memoryview(chunk)
        with no_space():
            while rest:
                rest = rest[self._file.write(rest) :]

    def _sync(self) -> None:
        with no_space():
            os.fsync(self._file.fileno())
            self._file.close()


async def copy_into(path: Path, write: Callable[[bytes], Awaitable[None]]) -> None:
    """Hands the file over, piece by piece."""
    with await asyncio.to_thread(open, path, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            await write(piece)


def sync_folder(folder: Path) -> None:
    """Makes names in the folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def no_space() -> Iterator[None]:
    """Turns the system's "no space left" into DiskFull; other faults pass."""
    try:
        yield
    except OSError as fault:
        if fault.errno in _FULL:
            raise DiskFull from fault
        raise
