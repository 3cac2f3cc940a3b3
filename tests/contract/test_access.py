"""Who may call what: every method of the contract against every kind of wrong caller, from the descriptors."""

import asyncio
import time
import uuid

import pytest
import pytest_asyncio
from lodestream_server.grpc_door.methods import METHODS

from lodestream import errors, wire
from tests.contract.doors import GrpcDoor, method_of
from tests.contract.minimal import request_for

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAMES = [name.removeprefix("lodestream.v1.") for name in METHODS]
SCOPED = [name for name in NAMES if not name.startswith("KeyService/")]
WITH_PROJECT = [name for name in SCOPED if name != "SystemService/GetSystemStatus"]
#: Long enough for a key to be used once.
_LIVES_S = 0.3


async def ask(door, name, request):
    """Calls a method of any kind; the answer, or the first one of a stream."""
    method = method_of(name)
    if method.client_streams:
        return await door.send(name, [request])
    if not method.server_streams:
        return await door.call(name, request)
    stream = door.watch(name, request)
    try:
        return await anext(stream)
    finally:
        await stream.aclose()


async def new_key(world, **fields):
    """The token of a new key."""
    from lodestream.v1 import key_pb2

    request = key_pb2.CreateKeyRequest(**{"name": "somebody", "role": key_pb2.ROLE_ADMIN, **fields})
    return await world.door.call("KeyService/CreateKey", request)


@pytest.mark.parametrize("name", NAMES)
async def test_the_least_request_is_valid(world, name):
    """Or the matrices below would test validation instead of access."""
    assert wire.check(request_for(method_of(name), world.tenant_id, world.project_id)) == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def expired(real_server):
    """A key that was good, was used, and has expired since."""
    from lodestream.v1 import key_pb2

    request = key_pb2.CreateKeyRequest(name="short-lived", role=key_pb2.ROLE_ADMIN)
    request.expires_at.FromNanoseconds(time.time_ns() + int(_LIVES_S * 1e9))
    door = GrpcDoor(real_server.channel, real_server.token)
    token = (await door.call("KeyService/CreateKey", request)).token
    used = door.with_token(token)
    async with asyncio.timeout(10):
        while True:
            try:
                await used.call("KeyService/ListKeys", key_pb2.ListKeysRequest())
            except errors.Unauthenticated:
                return token


@pytest.mark.parametrize("name", NAMES)
async def test_nobody_comes_in_without_a_key(world, expired, name):
    """No key, a key that never was, one that was revoked and one that expired are all refused alike in kind."""
    from lodestream.v1 import key_pb2

    request = request_for(method_of(name), world.tenant_id, world.project_id)
    made = await new_key(world)
    await world.door.call("KeyService/RevokeKey", key_pb2.RevokeKeyRequest(prefix=made.key.prefix))
    for token in (None, "lode_never", made.token, expired):
        with pytest.raises(errors.Unauthenticated):
            await ask(world.door.with_token(token), name, request)


@pytest.mark.parametrize("name", SCOPED)
async def test_a_key_of_another_tenant_sees_nothing(world, name):
    """NOT_FOUND with the same text for every method and id."""
    made = await new_key(world, tenant_id=str(uuid.uuid4()))
    with pytest.raises(errors.NotFound) as caught:
        await ask(
            world.door.with_token(made.token), name, request_for(method_of(name), world.tenant_id, world.project_id)
        )
    assert (type(caught.value), caught.value.message) == (
        errors.NotFound,
        "There is no such tenant and project for this API key.",
    )


@pytest.mark.parametrize("name", WITH_PROJECT)
async def test_a_key_of_another_project_sees_nothing(world, name):
    """Also within its own tenant."""
    made = await new_key(world, tenant_id=world.tenant_id, project_id=str(uuid.uuid4()))
    with pytest.raises(errors.NotFound):
        await ask(
            world.door.with_token(made.token), name, request_for(method_of(name), world.tenant_id, world.project_id)
        )


@pytest.mark.parametrize("name", [name for name in NAMES if method_of(name).role != "read"])
async def test_a_role_below_the_methods_own_is_refused(world, name):
    """The contract's `role` is what counts."""
    made = await new_key(world, role={"write": 1, "admin": 2}[method_of(name).role], tenant_id=world.tenant_id)
    with pytest.raises(errors.RoleTooLow):
        await ask(
            world.door.with_token(made.token), name, request_for(method_of(name), world.tenant_id, world.project_id)
        )


@pytest.mark.parametrize("name", NAMES)
async def test_everything_is_built(world, name):
    """It answers, or refuses for a reason of its own."""
    told = "answered"
    try:
        await ask(world.door, name, request_for(method_of(name), world.tenant_id, world.project_id))
    except errors.LodestreamError as fault:
        told = f"{fault.reason}: {fault.message}"
    # A documented type of work may be missing behind a method that is there.
    assert not told.startswith(("INTERNAL", "UNAUTHENTICATED"))
    assert "part of the contract" not in told


@pytest.mark.parametrize("name", SCOPED)
async def test_a_request_without_a_project_is_refused(world, name):
    """With the missing fields named, also where they stand inside a watch request or an upload's header."""
    if world.door.name == "rest" and method_of(name).client_streams:
        pytest.skip("the address names the project over REST")
    request = request_for(method_of(name), world.tenant_id, world.project_id)
    request.Clear()
    with pytest.raises(errors.InvalidField) as caught:
        await ask(world.door, name, request)
    assert any(at.field.split(".")[-1] in ("tenant_id", "request", "header") for at in caught.value.violations)
