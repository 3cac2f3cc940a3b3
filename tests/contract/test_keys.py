"""Keys: shown once, seen by whom they concern, revoked at once."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from lodestream import errors
from lodestream.v1 import key_pb2
from tests.contract.kinds import JOBS

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def create(door, **fields):
    """A new key."""
    request = key_pb2.CreateKeyRequest(**{"name": "somebody", "role": key_pb2.ROLE_WRITE, **fields})
    return await door.call("KeyService/CreateKey", request)


async def prefixes(door, **fields):
    """The prefixes of all keys that the caller sees."""
    return [key.prefix for key in (await door.call("KeyService/ListKeys", key_pb2.ListKeysRequest(**fields))).keys]


async def test_a_token_is_shown_once_and_begins_with_its_prefix(world):
    """Lists know the prefix alone."""
    made = await create(world.door, tenant_id=world.tenant_id)
    assert made.token.startswith(made.key.prefix)
    assert len(made.token) > len(made.key.prefix) + 32
    listed = await world.door.call("KeyService/ListKeys", key_pb2.ListKeysRequest())
    assert made.key.prefix == listed.keys[0].prefix
    assert made.token not in str(listed)


async def test_who_called_is_the_name_of_the_key(world):
    """submittedBy and cancelledBy."""
    made = await create(world.door, name="Ada", tenant_id=world.tenant_id, project_id=world.project_id)
    request = JOBS.request("SubmitJob", **world.scope, job_name="x", job_type=JOBS.quick)
    job = await world.door.with_token(made.token).call("JobService/SubmitJob", request)
    assert job.submitted_by == "Ada"


async def test_a_revoked_key_ends_with_its_next_call(world):
    """Revoking twice changes nothing further; an unknown prefix is not found."""
    made = await create(world.door, role=key_pb2.ROLE_ADMIN)
    theirs = world.door.with_token(made.token)
    assert made.key.prefix in await prefixes(theirs)
    request = key_pb2.RevokeKeyRequest(prefix=made.key.prefix)
    first = await world.door.call("KeyService/RevokeKey", request)
    assert await world.door.call("KeyService/RevokeKey", request) == first
    with pytest.raises(errors.Unauthenticated):
        await prefixes(theirs)
    assert made.key.prefix not in await prefixes(world.door)
    assert made.key.prefix in await prefixes(world.door, include_revoked=True)
    with pytest.raises(errors.KeyNotFound):
        await world.door.call("KeyService/RevokeKey", key_pb2.RevokeKeyRequest(prefix="lode_nobody"))


async def test_a_tenants_administrator_stays_within_the_tenant(world):
    """Sees, makes and revokes keys of that tenant alone."""
    mine = await create(world.door, role=key_pb2.ROLE_ADMIN, tenant_id=world.tenant_id)
    other = await create(world.door, role=key_pb2.ROLE_ADMIN, tenant_id=str(uuid.uuid4()))
    theirs = world.door.with_token(mine.token)
    assert await prefixes(theirs) == [mine.key.prefix]
    await create(theirs, tenant_id=world.tenant_id, project_id=world.project_id)
    with pytest.raises(errors.RoleTooLow):
        await create(theirs)
    with pytest.raises(errors.NotFound):
        await create(theirs, tenant_id=str(uuid.uuid4()))
    with pytest.raises(errors.KeyNotFound):
        await theirs.call("KeyService/RevokeKey", key_pb2.RevokeKeyRequest(prefix=other.key.prefix))


async def test_a_key_tells_when_it_ends(world):
    """When it is made, and in lists until then."""
    end = datetime.now(UTC) + timedelta(hours=1)
    made = await create(world.door, tenant_id=world.tenant_id, expires_at=end)
    assert made.key.expires_at.ToDatetime(UTC) == end
    listed = await world.door.call("KeyService/ListKeys", key_pb2.ListKeysRequest())
    assert next(key for key in listed.keys if key.prefix == made.key.prefix) == made.key


async def test_no_key_makes_one_that_outlives_it(world):
    """Else the end of a key would end nothing. One that is over already is nothing to make either."""
    now = datetime.now(UTC)
    end = now + timedelta(hours=1)
    made = await create(world.door, role=key_pb2.ROLE_ADMIN, tenant_id=world.tenant_id, expires_at=end)
    theirs = world.door.with_token(made.token)
    for wrong in ({}, {"expires_at": end + timedelta(seconds=1)}, {"expires_at": now - timedelta(days=1)}):
        with pytest.raises(errors.InvalidField, match="expires_at"):
            await create(theirs, tenant_id=world.tenant_id, **wrong)
    await create(theirs, tenant_id=world.tenant_id, expires_at=end)


async def test_a_project_needs_its_tenant(world):
    """A key for a project of no tenant means nothing."""
    with pytest.raises(errors.InvalidField, match="tenant_id"):
        await create(world.door, project_id=world.project_id)
