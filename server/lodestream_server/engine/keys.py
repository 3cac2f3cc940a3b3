"""API keys for the doors: made, checked on every call, revoked at once. A short memory spares a read per call."""

import asyncio
import logging
from datetime import datetime, timedelta

from lodestream.errors import InvalidField, Violation
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.ids import Ids
from lodestream_server.store import keys as stored
from lodestream_server.store.keys import ApiKey, Role
from lodestream_server.store.store import Store

log = logging.getLogger(__name__)

#: Keys in memory; more callers than that at once pay a read each.
_REMEMBERED = 1024
#: How exact `last_used` is: a write per call would cost more than the call.
_TOUCH_EVERY = timedelta(minutes=1)


class Keys:
    """The keys of one store."""

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._known: dict[bytes, ApiKey] = {}
        self._touched: dict[str, datetime] = {}
        self._touching: set[asyncio.Task[None]] = set()

    async def create(
        self,
        *,
        name: str,
        role: Role,
        tenant_id: str | None = None,
        project_id: str | None = None,
        expires: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which nobody can read again. Raises InvalidField for one that is over already."""
        now, secret = self._clock.now(), stored.new_secret()
        if expires is not None and expires <= now:
            raise InvalidField.of(Violation("expires_at", "must be in the future"))
        key_id, prefix = self._ids.new(now, "key-"), secret[: stored.VISIBLE]
        key = ApiKey(key_id, prefix, name, role, now, tenant_id, project_id, expires=expires)
        await self._store.write(lambda tx: stored.add_key(tx, key, secret))
        return key, secret

    async def check(self, secret: str) -> ApiKey | None:
        """The key of that secret; None when it is unknown, revoked or over."""
        digest = stored.hashed(secret)
        known = self._known
        key = known.get(digest) or await self._store.read(lambda db: stored.find_key(db, secret))
        if key is None or not key.good_at(self._clock.now()):
            return None
        if len(known) >= _REMEMBERED:
            known.clear()
        # Into the memory as it was before the read: a key revoked meanwhile must not come back.
        known[digest] = key
        self._touch(key)
        return key

    async def list(self) -> tuple[ApiKey, ...]:
        """Every key, oldest first, without secrets."""
        return await self._store.read(stored.all_keys)

    async def revoke(self, key_id: str) -> ApiKey:
        """Ends a key; no call that begins after this passes. Raises KeyNotFound."""
        key = await self._store.write(lambda tx: stored.revoke_key(tx, key_id, self._clock.now()))
        self._known = {}
        return key

    def _touch(self, key: ApiKey) -> None:
        now = self._clock.now()
        if key.key_id in self._touched and now - self._touched[key.key_id] < _TOUCH_EVERY:
            return
        self._touched[key.key_id] = now
        task = asyncio.create_task(self._note_use(key.key_id, now))
        self._touching.add(task)
        task.add_done_callback(self._touching.discard)

    async def _note_use(self, key_id: str, now: datetime) -> None:
        try:
            await self._store.write(lambda tx: stored.touch_key(tx, key_id, now))
        except Exception as fault:  # a call must not fail for it
            log.warning("the use of a key could not be noted: %s", fault)
