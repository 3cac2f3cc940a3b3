"""A load generator that costs little itself: bare keep-alive connections, one prepared request over and over."""

import asyncio
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a round: answers a second, and the median time to one in microseconds."""

    per_second: float
    median_us: float


async def load(host: str, port: int, request: bytes, *, connections: int, seconds: float) -> Load:
    """Sends `request` over every connection, the next one when the answer is there, for so long.

    Raises RuntimeError for any answer that is not 200.
    """
    loop = asyncio.get_running_loop()
    end = time.perf_counter() + seconds
    callers = [(await loop.create_connection(lambda: _Caller(request, end), host, port))[1] for _ in range(connections)]
    begun = time.perf_counter()
    await asyncio.gather(*(caller.finished for caller in callers))
    took = time.perf_counter() - begun
    times = sorted(one for caller in callers for one in caller.times)
    return Load(len(times) / took, times[len(times) // 2] * 1e6)


class _Caller(asyncio.Protocol):
    def __init__(self, request: bytes, end: float) -> None:
        self._request, self._end = request, end
        self._received = bytearray()
        self._expected = 0
        self._sent = 0.0
        self.times: list[float] = []
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._expected and (head := self._received.find(b"\r\n\r\n")) >= 0:
            self._expected = head + 4 + _length(bytes(self._received[:head]))
        if self._expected and len(self._received) >= self._expected:
            now = time.perf_counter()
            self.times.append(now - self._sent)
            self._received.clear()
            self._expected = 0
            if now < self._end:
                self._send()
            elif not self.finished.done():
                self._transport.close()
                self.finished.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_exception(error or RuntimeError("the server closed the connection"))

    def _send(self) -> None:
        self._sent = time.perf_counter()
        assert isinstance(self._transport, asyncio.WriteTransport)
        self._transport.write(self._request)


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    if b" 200 " not in lines[0]:
        raise RuntimeError(f"the server answered {lines[0].decode('latin-1')}")
    return next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
