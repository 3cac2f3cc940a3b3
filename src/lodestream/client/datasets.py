"""Datasets: upload, list, describe, delete."""

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from lodestream.client import arguments, transfers
from lodestream.client.calls import Caller
from lodestream.client.paging import Listing
from lodestream.v1.dataset_pb2 import (
    Dataset,
    DeleteDatasetRequest,
    GetDatasetRequest,
    ListDatasetsRequest,
    ListDatasetsResponse,
    UploadDatasetRequest,
)
from lodestream.v1.dataset_pb2_grpc import DatasetServiceStub

Header = UploadDatasetRequest.Header
_ENDING = re.compile(r"(\.(csv|tsv|txt|xes|parquet|gz))+$", re.IGNORECASE)


class DatasetCalls:
    """The part of a client that deals with event logs."""

    _caller: Caller

    async def upload_dataset(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        *,
        name: str | None = None,
        file_name: str | None = None,
        case_id_column: str | None = None,
        activity_column: str | None = None,
        time_column: str | None = None,
        start_time_column: str | None = None,
        resource_column: str | None = None,
        delimiter: str | None = None,
        encoding: str | None = None,
        timestamp_format: str | None = None,
        moved: transfers.Moved | None = None,
    ) -> Dataset:
        """Uploads an event log (CSV, XES, XES.gz, Parquet) in constant memory; columns that are left out are detected.

        `source` is a path or an open binary file, which is read from where it stands. Its checksum goes along, so that
        the server refuses what changed or broke off on its way. `moved` is called with bytes sent and bytes in all.
        Raises OSError for a path that cannot be read, BadDataset with what is wrong with the file.
        """
        header = Header(
            tenant_id=self._caller.settings.tenant_id,
            project_id=self._caller.settings.project_id,
            dataset_name=name,
            file_name=file_name,
            case_id_column=case_id_column,
            activity_name_column=activity_column,
            activity_time_column=time_column,
            start_time_column=start_time_column,
            resource_column=resource_column,
            delimiter=delimiter,
            encoding=encoding,
            timestamp_format=timestamp_format,
        )
        if not isinstance(source, str | os.PathLike):
            _name(header, os.path.basename(str(getattr(source, "name", "") or "upload")))
            return (await transfers.upload(self._caller, header, source, _size(source), moved)).dataset
        path = Path(source)
        _name(header, path.name)
        file = await asyncio.to_thread(path.open, "rb")
        with file:
            return (await transfers.upload(self._caller, header, file, _size(file), moved)).dataset

    def datasets(self, *, page_size: int = 0) -> Listing[ListDatasetsResponse, Dataset]:
        """Datasets of the project, newest first."""

        async def fetch(token: str) -> ListDatasetsResponse:
            scope = self._caller.settings
            page = arguments.given(page_token=token, page_size=page_size)
            request = ListDatasetsRequest(tenant_id=scope.tenant_id, project_id=scope.project_id, **page)
            return await self._caller.call(self._caller.stub(DatasetServiceStub).ListDatasets, request)

        return Listing(fetch, lambda page: page.datasets, lambda page: page.next_page_token)

    async def dataset(self, dataset_id: str) -> Dataset:
        """One dataset with its description. Raises DatasetNotFound."""
        scope = self._caller.settings
        request = GetDatasetRequest(tenant_id=scope.tenant_id, project_id=scope.project_id, dataset_id=dataset_id)
        return (await self._caller.call(self._caller.stub(DatasetServiceStub).GetDataset, request)).dataset

    async def delete_dataset(self, dataset_id: str) -> None:
        """Deletes a dataset and its file. Raises DatasetNotFound, DatasetInUse."""
        scope = self._caller.settings
        request = DeleteDatasetRequest(tenant_id=scope.tenant_id, project_id=scope.project_id, dataset_id=dataset_id)
        # Not sent twice: the second would find nothing.
        await self._caller.call(self._caller.stub(DatasetServiceStub).DeleteDataset, request, repeatable=False)


def _name(header: Header, file_name: str) -> None:
    """What was not named is named after the file, without its ending."""
    if not header.file_name:
        header.file_name = file_name
    if not header.dataset_name:
        header.dataset_name = _ENDING.sub("", header.file_name) or header.file_name


def _size(file: BinaryIO) -> int | None:
    """Bytes from here to the end, where the file can tell."""
    try:
        return os.fstat(file.fileno()).st_size - file.tell()
    except (OSError, AttributeError, ValueError):
        return None


def parameters_with(parameters: Mapping[str, Any] | None, dataset: str | Dataset | None) -> dict[str, Any]:
    """Free-form parameters of a run that works on a dataset."""
    merged = dict(parameters or {})
    if dataset is not None:
        merged["datasetId"] = dataset if isinstance(dataset, str) else dataset.dataset_id
    return merged
