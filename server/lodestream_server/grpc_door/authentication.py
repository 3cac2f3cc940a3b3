"""Who calls, and whether this method and project are theirs. Raises what callers see; asks who knows credentials."""

from collections.abc import Iterable, Mapping
from typing import Final

from lodestream.errors import NotFound, RoleTooLow, Unauthenticated
from lodestream_server.grpc_door.credentials import Checker
from lodestream_server.store.keys import ApiKey, Role
from lodestream_server.store.reading import Scope

_RANK: Final[Mapping[Role, int]] = {"read": 0, "write": 1, "admin": 2}
_BEARER: Final = "bearer "
#: Longer than any key or web token; hashing what strangers send has a bound.
_LONGEST: Final = 8_000


async def identify(keys: Checker, metadata: Iterable[tuple[str, str | bytes]]) -> ApiKey:
    """The key that came with the call. Raises Unauthenticated."""
    sent = [value for key, value in metadata if key == "authorization"]
    if len(sent) != 1 or not isinstance(sent[0], str) or len(sent[0]) > _LONGEST:
        raise Unauthenticated
    if not sent[0].lower().startswith(_BEARER):
        raise Unauthenticated
    key = await keys.check(sent[0][len(_BEARER) :].strip())
    if key is None:
        raise Unauthenticated("The API key is unknown, revoked or expired.")
    return key


def allow(key: ApiKey, needed: Role) -> None:
    """Raises RoleTooLow."""
    if _RANK[key.role] < _RANK[needed]:
        raise RoleTooLow(f"This call takes a key with the role {needed}; this key has the role {key.role}.")


def cover(key: ApiKey, scope: Scope) -> None:
    """Raises NotFound when the key is not good for the project: one answer, whether or not something is there."""
    if scope.tenant_id and not key.covers(scope.tenant_id, scope.project_id or None):
        raise NotFound("There is no such tenant and project for this API key.")
