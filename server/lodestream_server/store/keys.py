"""API keys: 256 random bits with a visible prefix. Only the hash is stored; the secret is shown once, when the key
is made."""

import hashlib
import secrets
import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from lodestream.errors import KeyNotFound
from lodestream_server.runs.codec import dump, load
from lodestream_server.store.times import from_us, to_us
from lodestream_server.store.writer import Transaction

Role = Literal["read", "write", "admin"]
#: Marks our keys for secret scanners; the visible part of a key is this and the next eight characters.
MARK = "lode_"
VISIBLE = len(MARK) + 8


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. No tenant: good for every tenant; no project: for all of the tenant's."""

    key_id: str
    prefix: str
    name: str
    role: Role
    created: datetime
    tenant_id: str | None = None
    project_id: str | None = None
    revoked: datetime | None = None
    last_used: datetime | None = None
    expires: datetime | None = None

    def good_at(self, now: datetime) -> bool:
        """Whether calls with it pass at that instant."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    def covers(self, tenant_id: str, project_id: str | None) -> bool:
        """Whether the key is good for that project; None asks for the tenant as a whole."""
        return self.tenant_id in (None, tenant_id) and self.project_id in (None, project_id)


def new_secret() -> str:
    """A key nobody can guess."""
    return MARK + secrets.token_urlsafe(32)


def hashed(secret: str) -> bytes:
    """What is stored of a secret. It has 256 random bits, so a plain hash cannot be searched."""
    return hashlib.sha256(secret.encode()).digest()


def add_key(tx: Transaction, key: ApiKey, secret: str) -> ApiKey:
    """Writes a new key."""
    tx.connection.execute("INSERT INTO api_keys VALUES (?, ?, ?, NULL)", (key.key_id, hashed(secret), dump(key)))
    return key


def revoke_key(tx: Transaction, key_id: str, now: datetime) -> ApiKey:
    """Ends a key; ending it twice keeps the first instant. Raises KeyNotFound."""
    row = tx.connection.execute("SELECT record, last_used FROM api_keys WHERE key = ?", (key_id,)).fetchone()
    if row is None:
        raise KeyNotFound
    key = _key(*row)
    revoked = key if key.revoked else replace(key, revoked=now)
    tx.connection.execute("UPDATE api_keys SET record = ? WHERE key = ?", (dump(revoked), key_id))
    return revoked


def touch_key(tx: Transaction, key_id: str, now: datetime) -> None:
    """Notes that the key was used."""
    tx.connection.execute("UPDATE api_keys SET last_used = ? WHERE key = ?", (to_us(now), key_id))


def find_key(connection: sqlite3.Connection, secret: str) -> ApiKey | None:
    """The key of that secret, good or not."""
    row = connection.execute("SELECT record, last_used FROM api_keys WHERE hash = ?", (hashed(secret),)).fetchone()
    return _key(*row) if row else None


def all_keys(connection: sqlite3.Connection) -> tuple[ApiKey, ...]:
    """Every key, oldest first."""
    rows = connection.execute("SELECT record, last_used FROM api_keys")
    return tuple(sorted((_key(*row) for row in rows), key=lambda key: (key.created, key.key_id)))


def _key(record: bytes, last_used: int | None) -> ApiKey:
    key = load(ApiKey, record)
    return replace(key, last_used=from_us(last_used)) if last_used is not None else key
