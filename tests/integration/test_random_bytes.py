"""Bytes that no client of ours would send, to every method: random ones, broken ones, ones with a bit turned over."""

import random
from typing import Any

import grpc
import pytest
from google.protobuf.message import DecodeError
from lodestream_server.grpc_door.methods import METHODS, Method

from lodestream import rich_status, wire
from tests.contract.doors import type_of
from tests.contract.minimal import request_for
from tests.support.server import PROJECT, TENANT, running_server

#: Of each kind, for each method.
_TRIES = 8
#: What a fault of ours, or one that nobody translated, would look like.
_NEVER = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
_LEAKS = ("Traceback", "google.protobuf", "Exception", ".py", "sqlite", "Error parsing")


def _noise(dice: random.Random, _: bytes) -> bytes:
    return dice.randbytes(dice.randrange(1, 60))


def _cut(dice: random.Random, valid: bytes) -> bytes:
    return valid[: dice.randrange(1, len(valid))] if len(valid) > 1 else b"\x0a"


def _turned(dice: random.Random, valid: bytes) -> bytes:
    place = dice.randrange(len(valid)) if valid else 0
    return valid[:place] + bytes([(valid[place] if valid else 0) ^ 1 << dice.randrange(8)]) + valid[place + 1 :]


def _is_valid(method: Method, data: bytes) -> bool:
    """Whether the bytes are a request all the same: some are."""
    try:
        return not wire.check(type_of(method.descriptor.input_type).FromString(data))
    except DecodeError:
        return False


async def _answered(server: Any, name: str, method: Method, data: bytes) -> grpc.aio.AioRpcError | None:
    """The refusal, None where there is none."""
    kind = "stream" if method.client_streams else "unary"
    begin = getattr(server.channel, f"{kind}_{'stream' if method.server_streams else 'unary'}")
    call = begin(f"/{name}", request_serializer=None, response_deserializer=None)
    call = call(iter([data]) if method.client_streams else data, metadata=server.metadata, timeout=30)
    try:
        await (call.read() if method.server_streams else call)
    except grpc.aio.AioRpcError as status:
        return status
    finally:
        call.cancel()
    return None


@pytest.mark.parametrize("make", [_noise, _cut, _turned], ids=["noise", "cut short", "a bit turned over"])
async def test_bytes_of_any_kind_are_answered_in_our_words(tmp_path, make):
    """INVALID_ARGUMENT where they are no valid request; never UNKNOWN, and nothing of the parser's or Python's text."""
    dice, refused = random.Random(8), 0
    async with running_server(tmp_path, seats=1) as server:
        for name, method in METHODS.items():
            valid = request_for(method, TENANT, PROJECT).SerializeToString()
            for data in [make(dice, valid) for _ in range(_TRIES)]:
                status = await _answered(server, name, method, data)
                told = f"{name} {data!r}: {status}"
                assert status is not None or _is_valid(method, data), told
                if status is None:
                    continue
                assert status.code() not in _NEVER, told
                assert rich_status.from_call(status) is not None, told
                assert not any(leak in str(status.details()) for leak in _LEAKS), told
                if not _is_valid(method, data):
                    refused += 1
                    assert status.code() is grpc.StatusCode.INVALID_ARGUMENT, told
    assert refused > len(METHODS)
