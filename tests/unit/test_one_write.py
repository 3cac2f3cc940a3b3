"""What is written at a stretch goes out in one piece, in order, and nothing of it is lost."""

import asyncio
from typing import Any

import pytest

from lodestream.rest.one_write import MOST_HELD_BYTES, OneWrite


class Wire:
    """A transport that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def write(self, data: bytes) -> None:
        """A piece."""
        self.told.append(data)

    def close(self) -> None:
        """The end."""
        self.told.append("closed")

    def is_closing(self) -> bool:
        """Whether the end was told."""
        return "closed" in self.told

    def get_extra_info(self, name: str) -> str:
        """Something that only the transport knows."""
        return f"its {name}"


@pytest.fixture
def wire() -> Wire:
    """The transport below."""
    return Wire()


async def test_head_and_body_are_one_piece(wire):
    """Written one after the other, sent when the writer lets others run; the next stretch is a piece of its own."""
    one = OneWrite(wire, asyncio.get_running_loop())
    one.write(b"head ")
    one.write(b"body")
    assert wire.told == []
    await asyncio.sleep(0)
    one.write(b"more")
    await asyncio.sleep(0)
    assert wire.told == [b"head body", b"more"]


async def test_nothing_is_lost_by_closing(wire):
    """What is held goes out first."""
    one = OneWrite(wire, asyncio.get_running_loop())
    one.write(b"last words")
    one.close()
    await asyncio.sleep(0)
    assert wire.told == [b"last words", "closed"]
    assert one.is_closing()


async def test_a_lot_is_not_held_back(wire):
    """So that the transport can say in time that the reader is slow."""
    one = OneWrite(wire, asyncio.get_running_loop())
    one.write(b"x" * MOST_HELD_BYTES)
    assert wire.told == []
    one.write(b"y")
    assert [len(piece) for piece in wire.told] == [MOST_HELD_BYTES + 1]
    await asyncio.sleep(0)
    assert len(wire.told) == 1


async def test_the_rest_is_the_transports_own(wire):
    """Whoever asks for the socket gets it."""
    assert OneWrite(wire, asyncio.get_running_loop()).get_extra_info("socket") == "its socket"
