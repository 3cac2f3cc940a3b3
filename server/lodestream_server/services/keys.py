"""KeyService: who may call. A key that is good for one tenant sees and makes keys of that tenant alone."""

from datetime import datetime
from typing import Any, Final

from lodestream.errors import InvalidField, KeyNotFound, NotFound, RoleTooLow, Violation
from lodestream.v1 import key_pb2, key_pb2_grpc
from lodestream_server.engine.engine import Engine
from lodestream_server.grpc_door import call
from lodestream_server.runs.shapes.values import instant, timestamp
from lodestream_server.store.keys import ApiKey, Role

_pb = key_pb2
_ROLES: Final[dict[Role, key_pb2.Role.ValueType]] = {
    "read": key_pb2.ROLE_READ,
    "write": key_pb2.ROLE_WRITE,
    "admin": key_pb2.ROLE_ADMIN,
}


class KeyService(key_pb2_grpc.KeyServiceServicer):
    """See the contract; every method raises what its comment there names."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def CreateKey(self, request: _pb.CreateKeyRequest, context: Any) -> _pb.CreateKeyResponse:
        """Creates a key and answers with its token, which is shown this once."""
        tenant, project = _area(request)
        role = next(role for role, number in _ROLES.items() if number == request.role)
        key, token = await self._engine.keys.create(
            name=request.name, role=role, tenant_id=tenant, project_id=project, expires=_end(request)
        )
        return _pb.CreateKeyResponse(key=as_key(key), token=token)

    async def ListKeys(self, request: _pb.ListKeysRequest, context: Any) -> _pb.ListKeysResponse:
        """Keys that the caller may see, newest first, without their tokens."""
        now, every = self._engine.clock.now(), request.include_revoked
        keys = [key for key in await self._visible() if every or key.good_at(now)]
        return _pb.ListKeysResponse(keys=[as_key(key) for key in keys])

    async def RevokeKey(self, request: _pb.RevokeKeyRequest, context: Any) -> _pb.RevokeKeyResponse:
        """Revokes a key: its next call is refused."""
        found = next((key for key in await self._visible() if key.prefix == request.prefix), None)
        if found is None:
            raise KeyNotFound
        return _pb.RevokeKeyResponse(key=as_key(await self._engine.keys.revoke(found.key_id)))

    async def _visible(self) -> list[ApiKey]:
        """Newest first."""
        mine = call.current().key
        return [key for key in reversed(await self._engine.keys.list()) if _sees(mine, key)]


def as_key(key: ApiKey) -> key_pb2.Key:
    """The key without its token."""
    used = key.last_used
    return key_pb2.Key(
        prefix=key.prefix,
        name=key.name,
        role=_ROLES[key.role],
        tenant_id=key.tenant_id,
        project_id=key.project_id,
        created_at=timestamp(key.created),
        expires_at=timestamp(key.expires),
        revoked_at=timestamp(key.revoked),
        last_used_at=timestamp(used.replace(second=0, microsecond=0) if used else None),
    )


def _sees(mine: ApiKey, other: ApiKey) -> bool:
    return mine.tenant_id is None or (other.tenant_id is not None and mine.covers(other.tenant_id, other.project_id))


def _end(request: _pb.CreateKeyRequest) -> datetime | None:
    """When the new key expires: never later than the caller's own."""
    asked = instant(request.expires_at) if request.HasField("expires_at") else None
    own = call.current().key.expires
    if own is not None and (asked is None or asked > own):
        fault = f"must not be later than {own:%Y-%m-%dT%H:%M:%SZ}, when this key itself expires"
        raise InvalidField.of(Violation("expires_at", fault))
    return asked


def _area(request: _pb.CreateKeyRequest) -> tuple[str | None, str | None]:
    """Tenant and project of the new key: never more than the caller's own."""
    mine = call.current().key
    tenant, project = request.tenant_id.lower() or None, request.project_id.lower() or None
    if project and not tenant:
        raise InvalidField.of(Violation("tenant_id", "is required beside project_id"))
    if mine.tenant_id is None:
        return tenant, project
    if tenant is None or (mine.project_id is not None and project is None):
        raise RoleTooLow("This key is good for one tenant or project; the keys it creates have to name it.")
    if not mine.covers(tenant, project):
        raise NotFound("There is no such tenant and project for this API key.")
    return tenant, project
