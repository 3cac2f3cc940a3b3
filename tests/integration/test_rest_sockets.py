"""What only a real socket shows: bodies that are refused before they are read, and callers who do not play by the
book."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest

from lodestream.rest.app import Facade
from lodestream.rest.serving import RestServer
from tests.integration.rest_world import ASYNC, Server, local_channel

START = f"POST {ASYNC}/operation HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@asynccontextmanager
async def served():
    """The address of a facade."""
    async with local_channel(Server()) as channel:
        rest = RestServer(Facade(channel), "127.0.0.1:0")
        try:
            yield await rest.start()
        finally:
            await rest.stop(grace_s=1)


@asynccontextmanager
async def connected(address):
    """A bare connection: (reader, writer)."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def answered(reader):
    """(status, document) of an answer with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length"))
    return int(lines[0].split()[1]), json.loads(await reader.readexactly(length))


async def test_a_body_above_the_limit_is_refused_by_its_announcement_alone():
    """The answer comes before a single byte of the 50 MB is sent."""
    async with served() as address, connected(address) as (reader, writer), asyncio.timeout(2):
        writer.write(f"{START}Content-Length: 50000000\r\n\r\n".encode())
        code, document = await answered(reader)
    assert (code, document["reason"]) == (413, "BODY_TOO_LARGE")


async def test_a_chunked_body_above_the_limit_is_refused_as_soon_as_it_passes_it():
    """Without any announcement, after little more than the limit."""
    async with served() as address, connected(address) as (reader, writer), asyncio.timeout(2):
        writer.write(f"{START}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(5):
            writer.write(b"f4240\r\n" + b" " * 1_000_000 + b"\r\n")
            await writer.drain()
        code, document = await answered(reader)
    assert (code, document["reason"]) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_caller_who_sends_everything_first_still_gets_the_answer(chunked):
    """Most libraries do; closing the socket under them would hide the reason."""

    async def body():
        for _ in range(50):
            yield b" " * 1_000_000

    headers = {"content-type": "application/json"} | ({} if chunked else {"content-length": "50000000"})
    async with served() as address, httpx.AsyncClient(base_url=address) as client:
        answer = await client.post(f"{ASYNC}/operation", content=body(), headers=headers)
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")


async def test_a_caller_who_stops_half_way_holds_nothing():
    """The request is over when the connection is."""
    async with served() as address:
        async with connected(address) as (_, writer):
            writer.write(f"{START}Content-Length: 100\r\n\r\n{{".encode())
            await writer.drain()
        async with httpx.AsyncClient(base_url=address) as client:
            assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "request_line",
    [b"\x00\xff\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\nx\r\n\r\n"],
)
async def test_what_is_not_http_is_answered_without_a_trace(request_line):
    """400 from the parser, or the connection ends; nothing of the inside shows."""
    async with served() as address, connected(address) as (reader, writer), asyncio.timeout(2):
        writer.write(request_line)
        writer.write_eof()
        said = await reader.read()
    assert b"Traceback" not in said
    assert said == b"" or said.startswith(b"HTTP/1.1 4")
