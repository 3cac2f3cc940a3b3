"""Earlier runs by tenant and type, in memory: estimates are made at every submission and must not cost it a read.

A tenant's estimates come from its own runs alone: how long others work, and on how much, is nobody else's business.
"""

from collections import OrderedDict
from datetime import timedelta

from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store.reading import Past, history
from lodestream_server.store.store import Store

#: Newest runs that count: machines and logs change.
_NEWEST = 50
#: Types of tenants remembered, some kilobytes each; others are read again.
_REMEMBERED = 2048


class History:
    """Completed runs of each tenant and type, newest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[tuple[str, str], list[Past]] = OrderedDict()

    async def of(self, tenant_id: str, type_: str) -> list[Past]:
        """The tenant's newest completed runs of the type."""
        key = tenant_id, type_
        if key not in self._known:
            self._known[key] = await self._store.read(lambda db: history(db, tenant_id, type_, _NEWEST))
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def seen(self, run: RunState) -> None:
        """A run as it stands after a commit."""
        if run.state is not State.COMPLETED or run.ended is None or run.started is None:
            return
        if (known := self._known.get((run.tenant_id, run.type))) is not None:
            disk = run.sample.disk_bytes if run.sample else None
            known.insert(0, Past(run.size_bytes, (run.ended - run.started) / timedelta(seconds=1), disk))
            del known[_NEWEST:]
