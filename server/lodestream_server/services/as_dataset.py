"""A stored dataset as the contract shows it: what was given, what was detected, what describing it found."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from lodestream.v1 import dataset_pb2
from lodestream_server.runs.shapes.values import timestamp
from lodestream_server.store.records import Dataset

_pb = dataset_pb2.Dataset


def as_dataset(dataset: Dataset) -> dataset_pb2.Dataset:
    """The dataset."""
    found = dataset.description
    return _pb(
        dataset_id=dataset.dataset_id,
        dataset_name=dataset.name,
        format=dataset.format,
        size_bytes=dataset.size_bytes,
        sha256=dataset.sha256,
        cases=_count(found, "cases"),
        events=_count(found, "events"),
        activities=_count(found, "activities"),
        variants=_count(found, "variants"),
        time_range=_time_range(found.get("timeRange")),
        mapping=_mapping(dataset.mapping),
        columns=[_pb.Column(name=item["name"], type=item.get("type")) for item in found.get("columns") or ()],
        notes=[str(note) for note in found.get("notes") or ()],
        uploaded_by=dataset.created_by or None,
        date_created=timestamp(dataset.created),
    )


def _count(found: Mapping[str, Any], key: str) -> int | None:
    value = found.get(key)
    return value if isinstance(value, int) else None


def _time_range(found: Any) -> _pb.TimeRange | None:
    if not isinstance(found, Mapping) or not found.get("startTime"):
        return None
    return _pb.TimeRange(start_time=_read(found["startTime"]), end_time=_read(found.get("endTime")))


def _read(text: Any) -> Timestamp | None:
    if not isinstance(text, str):
        return None
    when = datetime.fromisoformat(text)
    return timestamp(when if when.tzinfo else when.replace(tzinfo=UTC))


def _mapping(mapping: Mapping[str, str]) -> _pb.Mapping | None:
    by_key = {field.json_name: field.name for field in _pb.Mapping.DESCRIPTOR.fields}
    known = {by_key[key]: value for key, value in mapping.items() if key in by_key and value}
    return _pb.Mapping(**known) if known else None
