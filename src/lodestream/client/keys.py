"""API keys, for administrators."""

from collections.abc import Sequence
from datetime import datetime

from lodestream.client import arguments
from lodestream.client.calls import Caller
from lodestream.v1.key_pb2 import (
    CreateKeyRequest,
    CreateKeyResponse,
    Key,
    ListKeysRequest,
    RevokeKeyRequest,
    Role,
)
from lodestream.v1.key_pb2_grpc import KeyServiceStub


class KeyCalls:
    """The part of a client that deals with API keys. Every method takes an administrator's key."""

    _caller: Caller

    async def create_key(
        self,
        name: str,
        role: str | int = "write",
        *,
        tenant_id: str | None = None,
        project_id: str | None = None,
        expires_at: datetime | None = None,
    ) -> CreateKeyResponse:
        """A new key; its token is in the answer and nowhere else. Without a tenant it is good for every tenant."""
        request = CreateKeyRequest(
            name=name,
            role=Role.ValueType(arguments.number_of(Role.DESCRIPTOR, role, "role")),
            tenant_id=tenant_id,
            project_id=project_id,
            expires_at=arguments.timestamp(expires_at),
        )
        # Not sent twice: that would make a second key.
        return await self._caller.call(self._caller.stub(KeyServiceStub).CreateKey, request, repeatable=False)

    async def keys(self, *, include_revoked: bool = False) -> Sequence[Key]:
        """Keys that the caller may see, newest first, without their tokens."""
        request = ListKeysRequest(include_revoked=include_revoked)
        return tuple((await self._caller.call(self._caller.stub(KeyServiceStub).ListKeys, request)).keys)

    async def revoke_key(self, prefix: str) -> Key:
        """Revokes the key with that visible beginning: its next call is refused. Raises KeyNotFound."""
        request = RevokeKeyRequest(prefix=prefix)
        return (await self._caller.call(self._caller.stub(KeyServiceStub).RevokeKey, request)).key
