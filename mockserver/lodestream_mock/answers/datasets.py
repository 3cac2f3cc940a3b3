"""DatasetService: event logs taken, described from their bytes without any mining, listed and deleted."""

import csv
import hashlib
import io
from typing import Any

from lodestream.errors import BadDataset, DatasetNotFound, InvalidField, Malformed, Violation
from lodestream.v1 import dataset_pb2 as dataset
from lodestream_mock.answers.call import CALLER, UPLOADS, Call, answers, checked
from lodestream_mock.answers.filters import slim_page
from lodestream_mock.answers.unknown import missing
from lodestream_mock.play import typed

#: Datasets that the pages refer to.
_DOCUMENTED = (
    dataset.Dataset(
        dataset_id="880e8400-e29b-41d4-a716-446655440000",
        dataset_name="Customer Journey Data",
        format="csv",
        size_bytes=45_700_000,
        events=192_850,
        activities=47,
        variants=234,
        uploaded_by=CALLER,
    ),
    dataset.Dataset(
        dataset_id="dataset-1", dataset_name="Monthly Data", format="csv", events=187_250, uploaded_by=CALLER
    ),
)
_DETECTED = {
    "case_id_column": ("case_id", "case", "case:concept:name", "caseid"),
    "activity_name_column": ("activity", "concept:name", "activity_name"),
    "activity_time_column": ("timestamp", "time:timestamp", "time", "end_time"),
    "resource_column": ("resource", "org:resource"),
}


def shelf(call: Call) -> dict[str, dataset.Dataset]:
    """The session's datasets; the documented ones are there from the start."""
    found = call.session.shelf("dataset")
    if not call.session.counters.get("dataset-shelf"):
        call.session.count("dataset-shelf")
        for entry in _DOCUMENTED:
            copy = dataset.Dataset.FromString(entry.SerializeToString())
            copy.date_created.CopyFrom(typed.instant(call.session.scenario.now))
            found[copy.dataset_id] = copy
    return found


def upload(call: Call, parts: list[dataset.UploadDatasetRequest]) -> dataset.UploadDatasetResponse:
    """Raises InvalidField for a stream without header or with a wrong digest, BadDataset for an empty file."""
    if not parts or parts[0].WhichOneof("part") != "header":
        raise InvalidField.of(Violation("header", "must be the first message of an upload"))
    if parts[-1].WhichOneof("part") != "footer":
        raise Malformed("The upload ended without its footer, so nothing of it was stored; send it again.")
    header = parts[0].header
    checked(header)
    data = b"".join(part.chunk for part in parts[1:-1])
    digest = hashlib.sha256(data).hexdigest()
    if not data:
        raise BadDataset("The uploaded file is empty; send the bytes of an event log after the header.")
    told = header.sha256 or parts[-1].footer.sha256
    if told and told.lower() != digest:
        raise InvalidField.of(Violation("sha256", f"the file that arrived has {digest}; send it again"))
    dataset_id, _ = call.session.new_id("dataset")
    made = dataset.Dataset(
        dataset_id=dataset_id,
        dataset_name=header.dataset_name,
        format=_format(header.file_name),
        size_bytes=len(data),
        sha256=digest,
        uploaded_by=CALLER,
        date_created=typed.instant(call.session.epoch_ms),
    )
    if made.format == "csv":
        _describe(made, header, data)
    shelf(call)[dataset_id] = made
    return dataset.UploadDatasetResponse(dataset_id=dataset_id, dataset=made)


UPLOADS["UploadDataset"] = upload


def _format(file_name: str) -> str:
    name = file_name.lower()
    return next((ending for ending in ("xes.gz", "xes", "parquet") if name.endswith(f".{ending}")), "csv")


def _describe(made: dataset.Dataset, header: Any, data: bytes) -> None:
    text = data.decode("utf-8-sig", "replace")
    delimiter = header.delimiter or max(",;\t|", key=text.split("\n", 1)[0].count)
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    columns = list(rows.fieldnames or [])
    lower = {column.lower(): column for column in columns}
    mapping = made.mapping
    for field, names in _DETECTED.items():
        given = getattr(header, field) or next((lower[name] for name in names if name in lower), "")
        if given:
            setattr(mapping, field, given)
    mapping.delimiter = delimiter
    cases: set[str] = set()
    activities: set[str] = set()
    for row in rows:
        made.events += 1
        cases.add(row.get(mapping.case_id_column) or "")
        activities.add(row.get(mapping.activity_name_column) or "")
    made.cases, made.activities = len(cases - {""}), len(activities - {""})
    made.columns.extend(dataset.Dataset.Column(name=column, type="string") for column in columns)


@answers("ListDatasets")
def list_datasets(call: Call, request: dataset.ListDatasetsRequest) -> dataset.ListDatasetsResponse:
    """Newest first."""
    entries = list(reversed(shelf(call).values()))
    shown, token = slim_page(entries, request)
    return dataset.ListDatasetsResponse(datasets=shown, total_datasets=len(entries), next_page_token=token or None)


@answers("GetDataset")
def get_dataset(call: Call, request: dataset.GetDatasetRequest) -> dataset.GetDatasetResponse:
    """Raises DatasetNotFound."""
    return dataset.GetDatasetResponse(dataset=_one(call, request.dataset_id))


@answers("DeleteDataset")
def delete_dataset(call: Call, request: dataset.DeleteDatasetRequest) -> dataset.DeleteDatasetResponse:
    """Raises DatasetNotFound, also when repeated."""
    _one(call, request.dataset_id)
    del shelf(call)[request.dataset_id]
    return dataset.DeleteDatasetResponse(dataset_id=request.dataset_id)


def _one(call: Call, dataset_id: str) -> dataset.Dataset:
    found = shelf(call).get(dataset_id)
    if found is None:
        raise missing(call, DatasetNotFound, dataset_id, list(shelf(call)), "dataset")
    return found
