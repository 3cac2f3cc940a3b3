"""Datasets: uploaded in constant memory, described in another process, listed, deleted when nobody needs them.

A dataset exists once its record is committed; until then its bytes are an upload that a crash or an error sweeps away.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from weakref import WeakValueDictionary

from lodestream.errors import BadDataset, DatasetNotFound, InvalidField, UploadTooLarge, Violation
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.ids import Ids
from lodestream_server.executors.describing import Describer
from lodestream_server.store.files import Incoming, copy_into
from lodestream_server.store.paging import Page, PageRequest
from lodestream_server.store.quotas import NO_QUOTAS, Quotas, dataset_count, room_for_bytes
from lodestream_server.store.reading import Scope
from lodestream_server.store.records import (
    Artifact,
    Dataset,
    add_dataset,
    find_dataset,
    page_of_datasets,
    remove_dataset,
)
from lodestream_server.store.store import Store
from lodestream_server.store.writer import Transaction
from lodestream_server.workloads.phase import BadInput, DatasetFile
from lodestream_server.workloads.sniffing import Format, sniff

_FORMATS: tuple[Format, ...] = ("csv", "xes", "xes.gz", "parquet")


@dataclass(frozen=True, slots=True)
class NewDataset:
    """A dataset to be. `mapping` as in `DatasetFile`; no `format`: from the content and the file's name."""

    scope: Scope
    name: str
    file_name: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    created_by: str = ""
    format: str | None = None
    #: What the caller says the size will be; too large a one is refused before the first byte.
    declared_bytes: int | None = None
    #: Worth knowing beside what describing it finds.
    notes: tuple[str, ...] = ()


class Upload:
    """An upload under way. As a context manager it is abandoned unless finished."""

    def __init__(self, new: NewDataset, dataset_id: str, incoming: Incoming, datasets: "Datasets") -> None:
        self.dataset_id = dataset_id
        self._new = new
        self._incoming = incoming
        self._datasets = datasets
        self._over = False

    async def write(self, chunk: bytes) -> None:
        """Adds a chunk. Raises UploadTooLarge, DiskFull."""
        await self._incoming.write(chunk)

    async def finish(self, promised: Collection[str] = ()) -> Dataset:
        """The stored dataset, described; `promised` are SHA-256 in hexadecimal that the file must have.

        Raises BadDataset, QuotaExceeded, DiskFull; then nothing is kept.
        """
        try:
            return await self._datasets.keep(self._new, self.dataset_id, self._incoming, promised)
        finally:
            self._over = True
            await self._incoming.abandon()

    async def abandon(self) -> None:
        """Forgets what came; harmless when it is over."""
        if not self._over:
            self._over = True
            await self._incoming.abandon()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.abandon()


class Datasets:
    """The datasets of one store."""

    def __init__(
        self,
        store: Store,
        describer: Describer,
        clock: Clock,
        ids: Ids,
        largest_bytes: int,
        quotas: Quotas = NO_QUOTAS,
    ) -> None:
        self._store = store
        self._describer = describer
        self._clock = clock
        self._ids = ids
        self._largest = largest_bytes
        self._quotas = quotas
        #: Whoever needs what a run left may ask at the same time as others.
        self._adopting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def upload(self, new: NewDataset) -> Upload:
        """Begins an upload. Raises InvalidField, UploadTooLarge, QuotaExceeded, DiskFull."""
        if not new.name.strip():
            raise InvalidField.of(Violation("dataset_name", "is required"))
        if new.format is not None and new.format not in _FORMATS:
            raise InvalidField.of(Violation("format", f"must be one of {', '.join(_FORMATS)}"))
        if new.declared_bytes is not None and new.declared_bytes > self._largest:
            raise UploadTooLarge(f"The upload is larger than the {self._largest} bytes this server accepts.")
        self._store.reserve.check()
        # A full tenant learns it before it sends everything; what counts is asked again when the dataset is stored.
        least = max(1, new.declared_bytes or 0)
        await self._store.read(lambda db: room_for_bytes(db, new.scope.tenant_id, least, self._quotas))
        dataset_id = self._ids.new(self._clock.now())
        return Upload(new, dataset_id, self._store.files.begin_upload(dataset_id, self._largest), self)

    async def keep(
        self, new: NewDataset, dataset_id: str, incoming: Incoming, promised: Collection[str] = ()
    ) -> Dataset:
        """Makes a dataset of a complete upload; called by it."""
        if incoming.size_bytes == 0:
            raise BadDataset("The file is empty.", details={"cause": "EMPTY_FILE"})
        sha256 = await incoming.finish()
        if any(other.lower() != sha256 for other in promised):
            fault = f"The file that arrived has the SHA-256 {sha256}, which is not the one promised; send it again."
            raise BadDataset(fault, details={"cause": "OTHER_CHECKSUM"})
        format_ = cast(Format, new.format) if new.format else _sniffed(incoming.path, new.file_name)
        file = DatasetFile(dataset_id, new.name, incoming.path, format_, incoming.size_bytes, dict(new.mapping))
        description = await self._describer.describe(file)
        detected = description.pop("mapping", None) or {}
        if new.notes:
            description["notes"] = [*(description.get("notes") or ()), *new.notes]
        dataset = Dataset(
            dataset_id=dataset_id,
            tenant_id=new.scope.tenant_id,
            project_id=new.scope.project_id,
            name=new.name,
            file_name=new.file_name,
            format=format_,
            size_bytes=incoming.size_bytes,
            sha256=sha256,
            created=self._clock.now(),
            created_by=new.created_by,
            mapping=_merged(detected, new.mapping),
            description=description,
        )
        files = self._store.files
        return await self._store.keep(
            partial(files.keep_dataset, incoming.path, dataset_id),
            lambda tx: self._add(tx, dataset),
            partial(files.drop_dataset, dataset_id),
        )

    async def adopt(self, scope: Scope, artifact: Artifact, path: Path, by: str) -> Dataset:
        """A file that a run published, as a dataset; the same one however often it is asked for.

        Raises BadDataset, DiskFull.
        """
        dataset_id = f"ds-{artifact.artifact_id.removeprefix('art-')}"
        lock = self._adopting.setdefault(dataset_id, asyncio.Lock())
        async with lock:
            return await self._adopt(scope, dataset_id, artifact, path, by)

    async def _adopt(self, scope: Scope, dataset_id: str, artifact: Artifact, path: Path, by: str) -> Dataset:
        known = await self._store.read(lambda db: find_dataset(db, scope, dataset_id))
        if known is not None:
            return known
        notes = (f"This is what the run {artifact.run_id} left.",)
        new = NewDataset(scope, artifact.name, path.name, created_by=by, format=artifact.format, notes=notes)
        if new.format not in _FORMATS:
            raise BadDataset(f"A {artifact.format} file is no event log.", details={"cause": "UNKNOWN_FORMAT"})
        await asyncio.to_thread(self._store.files.drop_dataset, dataset_id)
        incoming = self._store.files.begin_upload(dataset_id, artifact.size_bytes)
        async with Upload(new, dataset_id, incoming, self) as upload:
            await copy_into(path, upload.write)
            return await upload.finish()

    def _add(self, tx: Transaction, dataset: Dataset) -> Dataset:
        room_for_bytes(tx.connection, dataset.tenant_id, dataset.size_bytes, self._quotas)
        return add_dataset(tx, dataset)

    async def get(self, scope: Scope, dataset_id: str) -> Dataset:
        """The dataset. Raises DatasetNotFound."""
        found = await self._store.read(lambda db: find_dataset(db, scope, dataset_id))
        if found is None:
            raise DatasetNotFound
        return found

    async def list(self, scope: Scope, page: PageRequest) -> Page[Dataset]:
        """A page, newest first."""
        return await self._store.read(lambda db: page_of_datasets(db, scope, page))

    async def count(self, scope: Scope) -> int:
        """How many the project has."""
        return await self._store.read(lambda db: dataset_count(db, scope.tenant_id, scope.project_id))

    async def delete(self, scope: Scope, dataset_id: str) -> Dataset:
        """Forgets the dataset and its bytes. Raises DatasetNotFound, DatasetInUse."""
        dataset = await self._store.write(lambda tx: remove_dataset(tx, scope, dataset_id))
        await asyncio.to_thread(self._store.files.drop_dataset, dataset_id)
        return dataset


def _merged(detected: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    found = {key: str(value) for key, value in detected.items() if value is not None}
    return found | {key: value for key, value in given.items() if value}


def _sniffed(path: Path, file_name: str) -> Format:
    """The format by content; the name decides only what content cannot. Raises BadDataset."""
    try:
        return sniff(path, file_name)
    except BadInput as fault:
        raise BadDataset(str(fault), details={"cause": fault.reason}) from fault
