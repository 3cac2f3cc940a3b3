"""One zip of all artifacts of an ended run, made when it is first asked for and kept for the askers after it.

The same run always gives the same bytes, so a broken-off download can go on at its offset even after a restart. It is
one of the run's files: whoever removes them removes it too.
"""

import asyncio
import hashlib
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from lodestream_server.engine.engine import Engine
from lodestream_server.runs.state import RunState
from lodestream_server.store.files import no_space
from lodestream_server.store.records import Artifact
from lodestream_server.store.zips import add_file

#: Archives kept; older ones are made again when somebody asks.
_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class Archive:
    """A finished zip."""

    path: Path
    size_bytes: int
    sha256: str


class Archives:
    """Zips under one folder, which is emptied when the server starts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._files = engine.store.files
        self._made: dict[str, asyncio.Task[Archive]] = {}
        self._files.drop_archives()

    async def of(self, run: RunState, artifacts: Sequence[Artifact]) -> Archive:
        """The zip of the run's artifacts. Raises DiskFull; FileNotFoundError when they are removed meanwhile."""
        task = self._made.get(run.run_id)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            files = [(_name(artifact), self._engine.artifact_path(artifact)) for artifact in artifacts]
            target, folder = self._files.archive(run.run_id), self._files.run(run.run_id)
            task = self._made[run.run_id] = asyncio.create_task(asyncio.to_thread(_make, target, files, folder))
            self._forget_oldest()
        return await asyncio.shield(task)

    def _forget_oldest(self) -> None:
        for run_id in [key for key, task in self._made.items() if task.done()][: max(0, len(self._made) - _KEPT)]:
            del self._made[run_id]
            # Downloads that have it open go on reading.
            self._files.archive(run_id).unlink(missing_ok=True)


def _name(artifact: Artifact) -> str:
    """phase/file: file names are unique within a phase."""
    return f"{artifact.phase}/{PurePosixPath(artifact.path).name}" if artifact.phase else artifact.path


def _make(target: Path, files: Sequence[tuple[str, Path]], folder: Path) -> Archive:
    partial = target.with_suffix(".partial")
    try:
        with no_space(), zipfile.ZipFile(partial, "w") as archive:
            for name, path in files:
                add_file(archive, name, path)
        with open(partial, "rb") as made:
            digest = hashlib.file_digest(made, "sha256").hexdigest()
        os.replace(partial, target)
        if not folder.exists():  # gone since: whoever removed the run's files may have looked for the zip before
            target.unlink(missing_ok=True)
    finally:
        partial.unlink(missing_ok=True)
    return Archive(target, target.stat().st_size, digest)
