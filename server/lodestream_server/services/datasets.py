"""DatasetService: event logs in, described, listed, deleted. An upload passes through in constant memory."""

from collections.abc import AsyncIterator
from typing import Any, Final

from lodestream.errors import InvalidField, Malformed, Violation
from lodestream.v1 import dataset_pb2, dataset_pb2_grpc
from lodestream_server.engine.datasets import NewDataset
from lodestream_server.engine.engine import Engine
from lodestream_server.grpc_door import call
from lodestream_server.services.as_dataset import as_dataset
from lodestream_server.store.paging import PageRequest

_pb = dataset_pb2
#: Documented: so that nobody's memory is asked for more at once.
_LARGEST_CHUNK: Final = 1024 * 1024
#: Header fields that name columns and ways to read them.
_MAPPING: Final = (
    "case_id_column",
    "activity_name_column",
    "activity_time_column",
    "start_time_column",
    "resource_column",
    "delimiter",
    "encoding",
    "timestamp_format",
)


class DatasetService(dataset_pb2_grpc.DatasetServiceServicer):
    """See the contract; every method raises what its comment there names."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def UploadDataset(
        self, requests: AsyncIterator[_pb.UploadDatasetRequest], context: Any
    ) -> _pb.UploadDatasetResponse:
        """Stores an event log; nothing of a stream that breaks off."""
        header = (await anext(aiter(requests))).header
        footer = None
        async with await self._engine.datasets.upload(_new(header)) as upload:
            async for request in requests:
                if footer is not None:
                    raise Malformed("Nothing comes after the footer of an upload.")
                if request.WhichOneof("part") == "footer":
                    footer = request.footer
                    continue
                await upload.write(_chunk(request))
            if footer is None:  # a connection that breaks can look like the end of the stream
                raise Malformed("The upload ended without its footer, so nothing of it was stored; send it again.")
            dataset = await upload.finish([named for named in (header.sha256, footer.sha256) if named])
        return _pb.UploadDatasetResponse(dataset_id=dataset.dataset_id, dataset=as_dataset(dataset))

    async def ListDatasets(self, request: _pb.ListDatasetsRequest, context: Any) -> _pb.ListDatasetsResponse:
        """Datasets of a project, newest first."""
        wanted = PageRequest(None, request.page_size, request.page_token or None)
        scope = call.current().scope
        page = await self._engine.datasets.list(scope, wanted)
        return _pb.ListDatasetsResponse(
            datasets=[as_dataset(dataset) for dataset in page.items],
            total_datasets=await self._engine.datasets.count(scope),
            next_page_token=page.next_token,
        )

    async def GetDataset(self, request: _pb.GetDatasetRequest, context: Any) -> _pb.GetDatasetResponse:
        """One dataset with its description."""
        dataset = await self._engine.datasets.get(call.current().scope, request.dataset_id)
        return _pb.GetDatasetResponse(dataset=as_dataset(dataset))

    async def DeleteDataset(self, request: _pb.DeleteDatasetRequest, context: Any) -> _pb.DeleteDatasetResponse:
        """Deletes a dataset and its file."""
        dataset = await self._engine.datasets.delete(call.current().scope, request.dataset_id)
        return _pb.DeleteDatasetResponse(dataset_id=dataset.dataset_id)


def _new(header: _pb.UploadDatasetRequest.Header) -> NewDataset:
    here = call.current()
    json_names = {field.name: field.json_name for field in header.DESCRIPTOR.fields}
    return NewDataset(
        scope=here.scope,
        name=header.dataset_name,
        file_name=header.file_name,
        mapping={json_names[name]: value for name in _MAPPING if (value := getattr(header, name))},
        created_by=here.by,
    )


def _chunk(request: _pb.UploadDatasetRequest) -> bytes:
    if request.WhichOneof("part") != "chunk":
        raise Malformed("After the header an upload consists of chunks and, last, a footer.")
    if len(request.chunk) > _LARGEST_CHUNK:
        raise InvalidField.of(Violation("chunk", f"must not exceed {_LARGEST_CHUNK} bytes"))
    return request.chunk
