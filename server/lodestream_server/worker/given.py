"""What an assignment hands to the phases: datasets, resources and earlier runs, as `Phase` shows them."""

from datetime import UTC
from pathlib import Path

import orjson

from lodestream_server.worker.v1 import worker_pb2 as wire
from lodestream_server.workloads.phase import DatasetFile, EarlierRun, Finished, ResourceFile


def dataset(order: wire.Assignment) -> DatasetFile | None:
    """The dataset of the run."""
    return _dataset(order.dataset) if order.HasField("dataset") else None


def datasets(order: wire.Assignment) -> dict[str, DatasetFile]:
    """All datasets by id, that of the run first."""
    first = [order.dataset] if order.HasField("dataset") else []
    return {one.dataset_id: _dataset(one) for one in (*first, *order.datasets)}


def resources(order: wire.Assignment) -> dict[str, ResourceFile]:
    """The resources by id."""
    return {
        one.resource_id: ResourceFile(
            one.resource_id,
            one.name,
            one.type,  # type: ignore[arg-type]  # one of the two words since it was registered
            Path(one.path),
        )
        for one in order.resources
    }


def sources(order: wire.Assignment) -> tuple[EarlierRun, ...]:
    """The completed runs, in their order."""
    return tuple(_source(one) for one in order.sources)


def _dataset(one: wire.Dataset) -> DatasetFile:
    return DatasetFile(
        one.dataset_id,
        one.name,
        Path(one.path),
        one.format,  # type: ignore[arg-type]  # one of the four words; the server checked it at upload
        one.size_bytes,
        dict(one.mapping),
    )


def _source(one: wire.Source) -> EarlierRun:
    return EarlierRun(
        one.run_id,
        one.kind,  # type: ignore[arg-type]  # one of the two words
        one.type,
        one.name,
        orjson.loads(one.parameters),
        tuple(Finished(phase.name, orjson.loads(phase.results), Path(phase.folder)) for phase in one.phases),
        one.started.ToDatetime(UTC) if one.HasField("started") else None,
        one.ended.ToDatetime(UTC) if one.HasField("ended") else None,
    )
