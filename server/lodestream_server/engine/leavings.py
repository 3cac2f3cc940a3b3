"""What a stopped run leaves: one zip of what its finished phases produced, or nothing at all.

The zip is on the disk, whole, before the event that tells of it is committed.
"""

import asyncio
import hashlib
import logging
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import orjson

from lodestream.errors import LodestreamError
from lodestream_server.runs.bodies import ArtifactStored, Json, PhaseCompleted
from lodestream_server.runs.state import RunState
from lodestream_server.store import reading
from lodestream_server.store.doomed import doomed, gone
from lodestream_server.store.files import no_space, sync_folder
from lodestream_server.store.records import artifacts_of
from lodestream_server.store.store import Store
from lodestream_server.store.zips import FIXED_TIME, add_file

log = logging.getLogger(__name__)

#: The artifact's kind, and its file in the run's folder.
PARTIAL_RESULTS = "PartialResults"
_FILE = "partial-results.zip"


class Leavings:
    """Keeps and removes what stopped runs left behind."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._removing: set[asyncio.Task[None]] = set()

    async def kept(self, run: RunState) -> list[ArtifactStored]:
        """The zip of the finished phases, to be told of together with the end; none when nothing is to be kept.

        A cancellation goes through even if the zip cannot be made.
        """
        if not run.finished or not (run.cancel is None or run.cancel.preserve):
            return []
        try:
            events = await self._store.read(lambda db: reading.results_of(db, run.run_id))
            artifacts = await self._store.read(lambda db: artifacts_of(db, run.run_id))
            results = {one.body.phase: one.body.results for one in events if isinstance(one.body, PhaseCompleted)}
            files = [
                (f"{one.phase}/{PurePosixPath(one.path).name}", self._store.files.inside_run(run.run_id, one.path))
                for one in artifacts
                if one.phase in run.finished
            ]
            return [await asyncio.to_thread(_zip, run, self._store.files.run(run.run_id), files, results)]
        except (LodestreamError, OSError):
            log.exception("no zip of what %s left could be made", run.run_id)
            return []

    def seen(self, run: RunState) -> None:
        """A run as it stands after a commit: what it was told not to keep goes."""
        if run.receipt is not None and run.cancel is not None and not run.cancel.preserve:
            self.remove(run.run_id)

    def remove(self, run_id: str) -> None:
        """Removes the folder of a doomed run, soon."""
        task = asyncio.create_task(self._remove(run_id))
        self._removing.add(task)
        task.add_done_callback(self._removing.discard)

    async def sweep(self) -> None:
        """Removes what a server before this one could not any more: doomed files, and folders of runs that were never
        committed."""
        folders = await asyncio.to_thread(self._store.files.run_ids)
        for run_id in await self._store.read(lambda db: reading.strangers(db, folders)):
            await asyncio.to_thread(self._store.files.drop_run, run_id)
        for run_id in await self._store.read(doomed):
            await self._remove(run_id)

    async def close(self) -> None:
        """Waits for what is being removed."""
        if self._removing:
            await asyncio.wait(self._removing)

    async def _remove(self, run_id: str) -> None:
        try:
            await asyncio.to_thread(self._store.files.drop_run, run_id)
            await self._store.write(lambda tx: gone(tx, run_id))
        except Exception as fault:  # the next start tries again
            log.warning("the files of %s could not be removed: %s", run_id, fault)


def _zip(run: RunState, folder: Path, files: Sequence[tuple[str, Path]], results: Mapping[str, Json]) -> ArtifactStored:
    target, partial = folder / _FILE, folder / f"{_FILE}.partial"
    told = orjson.dumps(results, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    with no_space():
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial, "w") as archive:
            archive.writestr(zipfile.ZipInfo("results.json", FIXED_TIME), told, zipfile.ZIP_DEFLATED)
            for name, path in files:
                add_file(archive, name, path)
        with open(partial, "rb") as made:
            os.fsync(made.fileno())
            digest = hashlib.file_digest(made, "sha256").hexdigest()
        partial.rename(target)
        sync_folder(folder)
    return ArtifactStored(
        artifact_id=f"art-{hashlib.sha256(f'{run.run_id}/{_FILE}'.encode()).hexdigest()[:32]}",
        phase="",
        name="Partial results",
        type="Dataset",
        path=_FILE,
        size_bytes=target.stat().st_size,
        sha256=digest,
        kind=PARTIAL_RESULTS,
        format="zip",
        description=f"What {', '.join(run.finished)} produced before the run was stopped.",
    )
