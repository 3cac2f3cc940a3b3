"""Datasets: kept whole or not at all, described elsewhere, refused with the reason; and the keys beside them."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lodestream_server.engine.datasets import NewDataset
from lodestream_server.engine.engine import Engine
from lodestream_server.runs.states import State
from lodestream_server.store.files import Incoming
from lodestream_server.store.paging import PageRequest

from lodestream.errors import (
    BadDataset,
    DatasetInUse,
    DatasetNotFound,
    DiskFull,
    Internal,
    InvalidField,
    KeyNotFound,
    UploadTooLarge,
)
from tests.integration.engine_world import ELSEWHERE, SCOPE, appears, engine_at, job

CSV = b"case,activity\n1,a\n1,b\n"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine that takes uploads of up to a megabyte."""
    async with engine_at(tmp_path / "data", largest_upload_bytes=10**6) as opened:
        yield opened


async def _upload(engine: Engine, content: bytes, file_name: str = "log.csv", **given):
    async with await engine.datasets.upload(NewDataset(SCOPE, "A log", file_name, **given)) as upload:
        for begin in range(0, len(content), 7):
            await upload.write(content[begin : begin + 7])
        return await upload.finish()


def _left_over(tmp_path: Path) -> list[Path]:
    data = tmp_path / "data"
    return [*(data / "uploads").iterdir(), *(data / "datasets").iterdir()]


async def test_an_upload_becomes_a_described_dataset(engine, tmp_path):
    """What was given wins over what was detected; a run can use it; the bytes are those that came."""
    dataset = await _upload(engine, CSV, mapping={"delimiter": ";"}, created_by="ann")
    assert (dataset.format, dataset.size_bytes, dataset.description) == ("csv", len(CSV), {"events": 2})
    assert dataset.mapping == {"caseIdColumn": "case", "delimiter": ";"}
    assert await engine.datasets.get(SCOPE, dataset.dataset_id) == dataset
    assert (tmp_path / "data" / "datasets" / dataset.dataset_id / "content").read_bytes() == CSV
    run = await engine.ended(SCOPE, (await engine.submit(job("Count", datasetId=dataset.dataset_id))).run.run_id)
    assert (run.state, run.dataset_id, run.size_bytes) == (State.COMPLETED, dataset.dataset_id, len(CSV))


@pytest.mark.parametrize(
    ("content", "file_name", "expected"),
    [
        (b"PAR1....", "log.csv", "parquet"),
        (gzip.compress(b"<log/>", mtime=0), "log.bin", "xes.gz"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><log/>", "log.csv", "xes"),
        (b"case;activity\n", "log.dat", "csv"),
    ],
)
async def test_the_format_is_what_the_content_says(engine, monkeypatch, content, file_name, expected):
    """Names lie; first bytes seldom do."""

    async def describe(file):
        return {"format": file.format}

    monkeypatch.setattr(engine.datasets._describer, "describe", describe)
    dataset = await _upload(engine, content, file_name)
    assert dataset.format == dataset.description["format"] == expected


async def test_what_cannot_be_read_is_refused_in_words_and_leaves_nothing(engine, tmp_path):
    """The describing function's reason and message reach the caller."""
    with pytest.raises(BadDataset, match="no header") as caught:
        await _upload(engine, b"bad\n")
    assert caught.value.details["cause"] == "NO_HEADER"
    with pytest.raises(BadDataset, match="empty"):
        await _upload(engine, b"")
    assert _left_over(tmp_path) == []


async def test_a_describing_process_that_breaks_tells_nothing_of_itself(engine, tmp_path):
    """Its traceback stays in the workers' log."""
    with pytest.raises(Internal) as caught:
        await _upload(engine, b"\xff\xfe not UTF-8")
    assert "Traceback" not in str(caught.value)
    assert "UnicodeDecodeError" in (tmp_path / "data" / "logs" / "workers.log").read_text()
    assert _left_over(tmp_path) == []


async def test_too_large_an_upload_is_refused_as_soon_as_it_is_known(engine, tmp_path):
    """By its announced size before the first byte, by its real one at the byte too many."""
    with pytest.raises(UploadTooLarge):
        await engine.datasets.upload(NewDataset(SCOPE, "A log", declared_bytes=10**6 + 1))
    async with await engine.datasets.upload(NewDataset(SCOPE, "A log")) as upload:
        await upload.write(b"x" * 10**6)
        with pytest.raises(UploadTooLarge):
            await upload.write(b"x")
    assert _left_over(tmp_path) == []


async def test_an_upload_that_breaks_off_leaves_nothing(engine, tmp_path):
    """Not now, and not after a crash in the middle of it either."""
    upload = await engine.datasets.upload(NewDataset(SCOPE, "A log"))
    await upload.write(CSV)
    assert len(_left_over(tmp_path)) == 1
    await upload.__aexit__(ConnectionError, ConnectionError(), None)
    assert _left_over(tmp_path) == []


async def test_what_a_crash_left_behind_is_swept_away(tmp_path):
    """Unfinished uploads and contents without a record go when the server starts."""
    async with engine_at(tmp_path / "data") as engine:
        kept = await _upload(engine, CSV)
    (tmp_path / "data" / "uploads" / "x.partial").write_bytes(b"half")
    (tmp_path / "data" / "datasets" / "nobody").mkdir()
    async with engine_at(tmp_path / "data") as engine:
        assert [path.name for path in _left_over(tmp_path)] == [kept.dataset_id]
        assert (await engine.datasets.get(SCOPE, kept.dataset_id)).sha256 == kept.sha256


async def test_no_space_left_is_said_and_nothing_is_kept(engine, monkeypatch, tmp_path):
    """The error is about the disk, not about the file."""

    def full(self, chunk):
        raise DiskFull

    monkeypatch.setattr(Incoming, "_write", full)
    with pytest.raises(DiskFull):
        await _upload(engine, CSV)
    assert _left_over(tmp_path) == []


async def test_a_dataset_is_deleted_only_when_nobody_needs_it(engine, tmp_path):
    """A run that has not ended holds it; afterwards record and bytes go."""
    dataset = await _upload(engine, CSV)
    gate, begun = tmp_path / "gate", tmp_path / "begun"
    run_id = (await engine.submit(job("OnlyWait", datasetId=dataset.dataset_id, gate=gate, begun=begun))).run.run_id
    await appears(begun)
    with pytest.raises(DatasetInUse):
        await engine.datasets.delete(SCOPE, dataset.dataset_id)
    gate.touch()
    await engine.ended(SCOPE, run_id)
    await engine.datasets.delete(SCOPE, dataset.dataset_id)
    with pytest.raises(DatasetNotFound):
        await engine.datasets.get(SCOPE, dataset.dataset_id)
    assert _left_over(tmp_path) == []


async def test_datasets_of_other_projects_are_not_there(engine):
    """Not to look at, not to delete, not to list."""
    dataset = await _upload(engine, CSV)
    for look in (engine.datasets.get, engine.datasets.delete):
        with pytest.raises(DatasetNotFound):
            await look(ELSEWHERE, dataset.dataset_id)
    assert (await engine.datasets.list(ELSEWHERE, PageRequest())).items == ()
    assert (await engine.datasets.list(SCOPE, PageRequest())).items == (dataset,)


async def test_a_dataset_needs_a_name_and_a_known_format(engine):
    """The field is named."""
    with pytest.raises(InvalidField, match="dataset_name"):
        await engine.datasets.upload(NewDataset(SCOPE, " "))
    with pytest.raises(InvalidField, match="must be one of csv"):
        await engine.datasets.upload(NewDataset(SCOPE, "A log", format="docx"))


async def test_a_key_opens_until_it_is_revoked(engine, tmp_path):
    """Only its hash is stored; its visible beginning is not enough."""
    key, secret = await engine.keys.create(name="ci", role="write", tenant_id="t")
    assert (await engine.keys.check(secret)).key_id == key.key_id
    assert secret.startswith(key.prefix)
    assert await engine.keys.check(key.prefix) is None
    assert key.covers("t", "any")
    assert not key.covers("other", None)
    assert secret.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "data").glob("lodestream.sqlite*"))
    await engine.keys.revoke(key.key_id)
    assert await engine.keys.check(secret) is None
    assert [known.revoked is not None for known in await engine.keys.list()] == [True]
    with pytest.raises(KeyNotFound):
        await engine.keys.revoke("nobody")
