"""What only a real socket shows: bodies that are refused before they are read, and callers who do not play by the
book."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest

from lodestream.rest import http_protocol
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
async def test_what_is_not_http_is_answered_with_a_problem(request_line):
    """400; nothing of the inside shows."""
    async with served() as address, connected(address) as (reader, writer), asyncio.timeout(2):
        writer.write(request_line)
        code, document = await answered(reader)
    assert (code, document["reason"]) == (400, "MALFORMED")


@pytest.mark.parametrize("where", ["line", "one header", "many headers"])
async def test_endless_heads_are_refused_as_soon_as_they_pass_the_limit(where):
    """Nobody fills the memory before any handler is asked."""
    async with served() as address, connected(address) as (reader, writer), asyncio.timeout(5):
        begin = b"GET /healthz" + (b"" if where == "line" else b" HTTP/1.1\r\nHost: localhost\r\n")
        writer.write(begin + (b"X: " if where == "one header" else b""))
        for number in range(40):
            writer.write(b"a" * 10_000 if where != "many headers" else b"X-%d: %s\r\n" % (number, b"a" * 10_000))
        code, document = await answered(reader)
    assert (code, document["reason"]) == (431, "HEADERS_TOO_LARGE")


async def test_a_head_that_dribbles_in_is_given_up(monkeypatch):
    """A connection is not held by a byte a minute."""
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", 0.05)
    async with served() as address, connected(address) as (reader, writer), asyncio.timeout(2):
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        code, document = await answered(reader)
    assert (code, document["reason"]) == (408, "TOO_SLOW")


async def test_a_head_in_pieces_is_a_head():
    """Slow networks cut where they like; the next request on the connection counts anew."""
    async with served() as address, connected(address) as (reader, writer), asyncio.timeout(5):
        for _ in range(3):
            for piece in (b"GET /hea", b"lthz HTTP/1.1\r\nHo", b"st: localhost\r\nX: " + b"a" * 30_000, b"\r\n\r\n"):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            assert await answered(reader) == (200, {"status": "ok"})
