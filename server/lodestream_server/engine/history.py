"""Earlier runs by type, in memory: estimates are made at every submission and must not cost it a read."""

from datetime import timedelta

from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store.reading import Past, history
from lodestream_server.store.store import Store

#: Newest runs that count: machines and logs change.
_NEWEST = 50


class History:
    """Completed runs of each type, newest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, list[Past]] = {}

    async def of(self, type_: str) -> list[Past]:
        """The newest completed runs of the type."""
        if type_ not in self._known:
            self._known[type_] = await self._store.read(lambda db: history(db, type_, _NEWEST))
        return self._known[type_]

    def seen(self, run: RunState) -> None:
        """A run as it stands after a commit."""
        if run.state is not State.COMPLETED or run.ended is None or run.started is None:
            return
        if (known := self._known.get(run.type)) is not None:
            disk = run.sample.disk_bytes if run.sample else None
            known.insert(0, Past(run.size_bytes, (run.ended - run.started) / timedelta(seconds=1), disk))
            del known[_NEWEST:]
