"""An upload of any size goes straight into the stream of the contract, and everything said about it goes before."""

import hashlib
import tracemalloc

import pytest

from lodestream.errors import BadDataset, UploadTooLarge
from tests.integration.rest_files_world import DATASETS, Datasets, asking

LOG = b"case,activity,time\n1,a,2024-01-01\n"
OCTETS = {"content-type": "application/octet-stream"}


def form(*parts: tuple[str, bytes, str | None]) -> dict:
    """A multipart body with its parts in this order: (name, content, file name or None for a field)."""
    body = b""
    for name, content, file_name in parts:
        extra = f'; filename="{file_name}"' if file_name is not None else ""
        body += f'--edge\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + content + b"\r\n"
    return {"content": body + b"--edge--\r\n", "headers": {"content-type": "multipart/form-data; boundary=edge"}}


@pytest.mark.parametrize("file_first", [False, True])
async def test_a_form_brings_the_file_and_what_is_said_about_it(file_first):
    """In whatever order a browser sends the parts."""
    datasets = Datasets()
    file = ("file", LOG, "C:\\logs\\günlük.csv")
    fields = [("datasetName", "Günlük".encode(), None), ("caseIdColumn", b"case", None), ("resourceColumn", b"", None)]
    async with asking(datasets) as client:
        answer = await client.post(DATASETS, **form(*([file, *fields] if file_first else [*fields, file])))
    assert answer.status_code == 200, answer.text
    assert answer.json()["datasetId"] == "ds-1"
    assert answer.json()["dataset"]["datasetName"] == "Günlük"
    header = datasets.header
    assert (header.file_name, header.case_id_column) == ("günlük.csv", "case")
    assert not header.HasField("resource_column")
    assert (datasets.size, datasets.complete) == (len(LOG), True)


async def test_bare_bytes_are_described_by_the_query():
    """The same names as the form's parts."""
    datasets = Datasets()
    query = {"datasetName": "Log", "fileName": "log.xes.gz", "activityTimeColumn": "when"}
    async with asking(datasets) as client:
        answer = await client.post(DATASETS, params=query, content=LOG, headers=OCTETS)
    assert answer.status_code == 200, answer.text
    assert (datasets.header.file_name, datasets.header.activity_time_column) == ("log.xes.gz", "when")
    assert datasets.digest.digest() == hashlib.sha256(LOG).digest()


@pytest.mark.parametrize("as_form", [False, True])
async def test_memory_stays_constant_whatever_the_size(as_form):
    """16 MB pass through far less memory, every byte in its place."""
    datasets, sent, block = Datasets(), hashlib.sha256(), bytes(range(256)) * 256

    async def body():
        if as_form:
            yield b'--edge\r\nContent-Disposition: form-data; name="datasetName"\r\n\r\nBig\r\n'
            yield b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        for _ in range(256):
            sent.update(block)
            yield block
        if as_form:
            yield b"\r\n--edge--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=edge"} if as_form else OCTETS
    async with asking(datasets) as client:
        tracemalloc.start()
        answer = await client.post(
            DATASETS, params={} if as_form else {"datasetName": "Big"}, content=body(), headers=headers
        )
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert answer.status_code == 200, answer.text
    assert datasets.size == 256 * len(block)
    assert datasets.digest.digest() == sent.digest()
    assert datasets.largest_chunk <= 1024 * 1024
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ([("datasetName", b"Log", None)], "file"),
        ([("file", LOG, "a.csv")], "datasetName"),
        ([("datasetName", b" ", None), ("file", LOG, "a.csv")], "datasetName"),
        ([("datasetName", b"Log", None), ("caseColumn", b"x", None), ("file", LOG, "a.csv")], "caseIdColumn"),
        ([("datasetName", b"a", None), ("datasetName", b"b", None), ("file", LOG, "a.csv")], "twice"),
        ([("datasetName", b"a", None), ("file", LOG, "a.csv"), ("file", LOG, "a.csv")], "twice"),
        ([("datasetName", b"\xff", None), ("file", LOG, "a.csv")], "not UTF-8"),
        ([("datasetName", b"x" * 70_000, None)], "65536 bytes"),
    ],
)
async def test_a_form_at_fault_is_refused_and_nothing_is_stored(parts, fault):
    """The answer names the part and the fix."""
    datasets = Datasets()
    async with asking(datasets) as client:
        answer = await client.post(DATASETS, **form(*parts))
    assert answer.status_code == 400, answer.text
    assert fault in answer.text
    assert not datasets.complete


@pytest.mark.parametrize("cut", [1, 10, 40, 120, 200])
async def test_a_form_that_ends_too_early_stores_nothing(cut):
    """A dropped connection looks like that to some servers."""
    datasets = Datasets()
    whole = form(("datasetName", b"Log", None), ("file", LOG * 10, "a.csv"))
    async with asking(datasets) as client:
        answer = await client.post(DATASETS, content=whole["content"][:cut], headers=whole["headers"])
    assert answer.status_code == 400
    assert not datasets.complete


@pytest.mark.parametrize("content_type", ["text/csv", "application/json", "multipart/mixed; boundary=x"])
async def test_other_media_types_are_not_taken(content_type):
    """415 names those that are."""
    async with asking() as client:
        answer = await client.post(DATASETS, content=b"{}", headers={"content-type": content_type})
    assert (answer.status_code, "application/octet-stream" in answer.text) == (415, True)


async def test_a_form_without_a_boundary_cannot_be_read():
    """And says so."""
    async with asking() as client:
        answer = await client.post(DATASETS, content=b"x", headers={"content-type": "multipart/form-data"})
    assert (answer.status_code, "boundary" in answer.text) == (400, True)


@pytest.mark.parametrize(("error", "code"), [(UploadTooLarge(), 413), (BadDataset("Row 2 has no case."), 422)])
@pytest.mark.parametrize("refuse_after", [0, 1])
async def test_what_the_server_refuses_ends_the_upload_at_once(error, code, refuse_after):
    """In the middle of the body as after its first bytes."""
    datasets = Datasets()
    datasets.error, datasets.refuse_after = error, refuse_after
    blocks = []

    async def body():
        for _ in range(2000):
            blocks.append(1)
            yield b"x" * 65_536

    async with asking(datasets) as client:
        answer = await client.post(DATASETS, params={"datasetName": "Log"}, content=body(), headers=OCTETS)
    assert (answer.status_code, answer.json()["reason"]) == (code, error.reason)
    assert answer.headers["connection"] == "close"
    assert datasets.size < 2_000_000


async def test_an_unknown_parameter_beside_bare_bytes_is_refused():
    """With the nearest known one."""
    async with asking() as client:
        answer = await client.post(
            DATASETS, params={"datasetName": "Log", "caseIdColum": "x"}, content=LOG, headers=OCTETS
        )
    assert (answer.status_code, "did you mean caseIdColumn?" in answer.text) == (400, True)
