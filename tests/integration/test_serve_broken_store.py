"""`lodestream serve` on a store that cannot be used: one clear line, exit code 1, and nothing is destroyed."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys

import grpc
import pytest

from lodestream import rich_status
from lodestream.v1 import key_pb2
from lodestream.v1.key_pb2_grpc import KeyServiceStub
from tests.support.served import Served
from tests.support.server import running_server, signed

pytestmark = pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit bounds the size of files")


@pytest.fixture
async def data_dir(tmp_path):
    """A data directory that a server has used."""
    async with running_server(tmp_path / "data", seats=1) as server:
        await server.engine.keys.create(name="kept", role="read")
    return tmp_path / "data"


def refused(data_dir, *wrapper):
    """The one line that serving ends with."""
    words = [
        *wrapper,
        sys.executable,
        "-m",
        "lodestream",
        "serve",
        "--data-dir",
        str(data_dir),
        "--grpc",
        "127.0.0.1:0",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


def kept(data_dir):
    """What must survive: every file but the lock, with its content."""
    return {
        path.relative_to(data_dir): path.read_bytes()
        for path in data_dir.rglob("*")
        if path.is_file() and path.name not in ("lock", "lodestream.sqlite-shm", "lodestream.sqlite-wal")
    }


def test_a_newer_store_waits_for_its_program(data_dir):
    """The line says which versions, and what to do."""
    connection = sqlite3.connect(data_dir / "lodestream.sqlite")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = kept(data_dir)
    line = refused(data_dir)
    assert "version 999" in line
    assert "start the newer Lodestream again. Nothing was changed." in line
    assert kept(data_dir) == before


@pytest.mark.parametrize("ruin", [b"nonsense" * 4096, b"SQLite format 3\0" + b"\xff" * 8176])
def test_a_store_that_is_none_is_left_as_it_is(data_dir, ruin):
    """Somebody may still mend it; so do the datasets beside it stay."""
    (data_dir / "datasets" / "one").mkdir()
    (data_dir / "datasets" / "one" / "content").write_bytes(b"case,activity\n")
    (data_dir / "lodestream.sqlite").write_bytes(ruin)
    before = kept(data_dir)
    assert "The store cannot be read" in refused(data_dir)
    assert kept(data_dir) == before


def test_a_store_that_was_cut_short_is_left_as_it_is(data_dir):
    """Its first pages are whole, so that it looks like one."""
    path = data_dir / "lodestream.sqlite"
    path.write_bytes(path.read_bytes()[:20_000])
    before = kept(data_dir)
    assert "The store cannot be read" in refused(data_dir)
    assert kept(data_dir) == before


@pytest.mark.parametrize("limit", [1_000, 20_000, 100_000])
def test_a_first_start_without_room_can_be_repeated(tmp_path, limit):
    """However far it came; with room it starts as if nothing had been."""
    line = refused(tmp_path / "data", "prlimit", f"--fsize={limit}")
    assert "start again. Nothing was changed." in line


async def test_a_server_starts_where_there_was_no_room_before(tmp_path):
    """What the start before left behind is no obstacle."""
    for limit in (1_000, 20_000, 100_000):
        refused(tmp_path, "prlimit", f"--fsize={limit}")
    async with running_server(tmp_path, seats=1) as server:
        assert server.token


async def test_a_store_outlives_a_start_without_room(data_dir):
    """The disk filled up while the server was down: what was acknowledged is there when there is room again."""
    refused(data_dir, "prlimit", "--fsize=500")
    async with running_server(data_dir, seats=1) as server:
        assert {key.name for key in await server.engine.keys.list()} == {"admin", "kept"}


async def test_a_disk_that_fills_up_refuses_and_forgets_nothing(tmp_path):
    """The caller is told, the server goes on answering, and what was acknowledged is there when there is room again."""
    # Room for the store and for the beginning of its write-ahead log.
    wrapper = ("prlimit", "--fsize=600000")
    acknowledged: list[str] = []
    server = await asyncio.to_thread(started, tmp_path, wrapper)
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub, metadata = KeyServiceStub(channel), signed(server.token)

            async def fill():
                for number in range(10_000):
                    request = key_pb2.CreateKeyRequest(name=f"key {number}", role=key_pb2.ROLE_READ)
                    acknowledged.append((await stub.CreateKey(request, metadata=metadata)).key.prefix)

            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await fill()
            error = rich_status.from_call(caught.value)
            assert error is not None
            assert error.reason in ("DISK_FULL", "STORE_UNAVAILABLE")
            listed = await stub.ListKeys(key_pb2.ListKeysRequest(), metadata=metadata)
            assert set(acknowledged) <= {key.prefix for key in listed.keys}
    finally:
        await asyncio.to_thread(server.kill)
    assert acknowledged
    async with running_server(server.data, seats=1) as again:
        assert set(acknowledged) <= {key.prefix for key in await again.engine.keys.list()}


def started(folder, wrapper):
    """A server as a process of its own that answers."""
    server = Served(folder, wrapper=wrapper)
    server.start()
    return server
