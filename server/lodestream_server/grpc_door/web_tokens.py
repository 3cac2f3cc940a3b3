"""JSON web tokens beside API keys: signed by an issuer whose public keys are known (JWKS), or with a shared key.

A token has to expire and to name its subject and its tenant: `sub`, `exp`, `tenant_id` (a GUID, or "*" for every
tenant), and may name `project_id` and `role` (read, write or admin; read when left out). Each way of signing takes its
own algorithms only, so that a public key never serves as a shared one. PyJWT comes with the extra `server`.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast, get_args

from lodestream.errors import LodestreamError
from lodestream_server.store.keys import ApiKey, Role

log = logging.getLogger(__name__)

_SHARED: Final = ("HS256", "HS384", "HS512")
_PUBLIC: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
#: RFC 7518 section 3.2: a key of HS256 has at least as many bits as its hash.
_LEAST_KEY_BYTES: Final = 32
#: Clocks of issuer and server may differ by this.
_LEEWAY_S: Final = 30
_CLAIMS: Final = ("exp", "sub", "tenant_id")


class BadWebTokenSettings(LodestreamError):
    """The settings for JSON web tokens cannot be used."""

    reason = "BAD_WEB_TOKEN_SETTINGS"


@dataclass(frozen=True, slots=True)
class WebTokenSettings:
    """Who signs: `jwks` is an https address or a file of public keys, `shared_key` a file with the key. One of them."""

    issuer: str | None = None
    audience: str | None = None
    jwks: str | None = None
    shared_key: Path | None = None


class WebTokens:
    """Checks tokens. Raises BadWebTokenSettings when it is made with settings that cannot work."""

    def __init__(self, settings: WebTokenSettings) -> None:
        try:
            import jwt
        except ImportError:
            raise BadWebTokenSettings("JSON web tokens need PyJWT: pip install 'lodestream[server]'.") from None
        self._jwt = jwt
        self._settings = settings
        self._algorithms, self._key_of = self._signing(settings)

    async def check(self, token: str) -> ApiKey | None:
        """Whose token this is; None when it is none, is over, or lacks a claim."""
        try:
            key = await self._key_of(token)
            claims = self._jwt.decode(
                token,
                key,
                algorithms=list(self._algorithms),
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=_LEEWAY_S,
                options={"require": list(_CLAIMS), "verify_aud": self._settings.audience is not None},
            )
        except (self._jwt.PyJWTError, ValueError) as fault:
            log.info("a web token was refused: %s", type(fault).__name__)
            return None
        return _as_key(claims)

    def _signing(self, settings: WebTokenSettings) -> tuple[tuple[str, ...], Callable[[str], Any]]:
        if (settings.jwks is None) == (settings.shared_key is None):
            raise BadWebTokenSettings("Name either the issuer's public keys (JWKS) or a file with a shared key.")
        if settings.shared_key is not None:
            return _SHARED, _always(_shared_key(settings.shared_key))
        if settings.issuer is None:
            raise BadWebTokenSettings("Public keys need the issuer whose tokens are good: name it.")
        assert settings.jwks is not None  # one of the two is there
        if settings.jwks.startswith("https://"):
            client = self._jwt.PyJWKClient(settings.jwks, cache_jwk_set=True, lifespan=300, timeout=5)
            return _PUBLIC, lambda token: asyncio.to_thread(lambda: client.get_signing_key_from_jwt(token).key)
        return _PUBLIC, self._from_file(Path(settings.jwks))

    def _from_file(self, path: Path) -> Callable[[str], Any]:
        try:
            keys = self._jwt.PyJWKSet.from_dict(json.loads(path.read_text()))
        except (OSError, ValueError, self._jwt.PyJWTError) as fault:
            raise BadWebTokenSettings(f"{path}: no set of public keys can be read there: {fault}.") from None

        async def find(token: str) -> Any:
            named = self._jwt.get_unverified_header(token).get("kid")
            found = [key.key for key in keys.keys if named in (None, key.key_id)]
            if len(found) != 1:
                raise self._jwt.InvalidTokenError("no key of that name")
            return found[0]

        return find


def _shared_key(path: Path) -> bytes:
    try:
        key = path.read_bytes().strip()
    except OSError as fault:
        raise BadWebTokenSettings(f"{path}: {fault.strerror}.") from None
    if len(key) < _LEAST_KEY_BYTES:
        raise BadWebTokenSettings(f"{path}: a shared key has at least {_LEAST_KEY_BYTES} bytes.")
    return key


def _always(key: bytes) -> Callable[[str], Any]:
    async def find(token: str) -> bytes:
        return key

    return find


def _as_key(claims: dict[str, Any]) -> ApiKey | None:
    """The claims as the key that everything else knows; None when one is not what it should be."""
    role, tenant, project = claims.get("role", "read"), claims["tenant_id"], claims.get("project_id")
    good = all(isinstance(text, str) and 0 < len(text) <= 200 for text in (claims["sub"], tenant, project or "-"))
    if not good or role not in get_args(Role):
        return None
    # GUIDs are equal whatever their case. The end is the token's own: a key that it makes must not outlive it.
    return ApiKey(
        f"jwt-{claims['sub']}",
        "jwt",
        claims["sub"],
        cast(Role, role),
        created=datetime.now(UTC),
        tenant_id=None if tenant == "*" else tenant.lower(),
        project_id=project.lower() if project else None,
        expires=datetime.fromtimestamp(int(claims["exp"]), UTC),
    )
