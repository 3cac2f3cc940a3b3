"""What is kept for how long: every so often, what is old or too much goes, tenant by tenant. Off unless asked for.

Runs themselves stay, with their story and their results. A sweep that is killed half-way is taken up by the next one:
each step is whole, and files go after the record of them.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from lodestream.errors import DatasetInUse, DatasetNotFound
from lodestream_server.delivery import attempt_log
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.keeping import Keep, Policy
from lodestream_server.engine.leavings import Leavings
from lodestream_server.store import retention as stored
from lodestream_server.store.reading import Scope
from lodestream_server.store.records import remove_dataset
from lodestream_server.store.requests import forget
from lodestream_server.store.store import Store
from lodestream_server.store.times import to_us

log = logging.getLogger(__name__)

#: Runs and attempts looked for at a stretch; the writer has others to serve.
_AT_ONCE: Final = 200
_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: How far a sweep looks back beyond what the last one saw: a run that somebody needed then may be free now.
_LOOK_BACK: Final = timedelta(days=30)


@dataclass(slots=True)
class Swept:
    """What went: runs that lost events, events, runs that lost files, datasets, attempts, request ids."""

    runs_cut: int = 0
    events: int = 0
    runs_emptied: int = 0
    datasets: int = 0
    attempts: int = 0
    requests: int = 0


class Retention:
    """Sweeps the store of one engine."""

    def __init__(self, store: Store, leavings: Leavings, clock: Clock, policy: Policy) -> None:
        self._store = store
        self._leavings = leavings
        self._clock = clock
        self._policy = policy
        self._seen: dict[str, datetime] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Sweeps now and from then on, if the policy asks for anything."""
        if not self._policy.asks_for_nothing:
            self._task = asyncio.create_task(self._run(), name="retention")

    async def stop(self) -> None:
        """Ends at the next step."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def sweep(self) -> Swept:
        """What is over goes; what went."""
        swept = Swept()
        for tenant in await self._store.read(stored.tenants):
            keep = self._policy.tenants.get(tenant, self._policy.default)
            await self._old_events(tenant, keep, swept)
            await self._too_many_events(tenant, keep, swept)
            await self._files(tenant, keep, swept)
            await self._datasets(tenant, keep, swept)
        if (before := self._before(self._policy.attempts_days)) is not None:
            await self._attempts(before, swept)
        if (before := self._before(self._policy.requests_days)) is not None:
            swept.requests = await self._store.write(partial(forget, before=before))
        return swept

    async def has_all_after(self, run_id: str, sequence: int) -> bool:
        """Whether every event of the run above that number is there still: else its story can only be told anew."""
        return await self._store.read(lambda db: stored.has_all_after(db, run_id, sequence))

    async def _run(self) -> None:
        while True:
            try:
                if (swept := await self.sweep()) != Swept():
                    log.info("what was old has gone", extra={name: getattr(swept, name) for name in Swept.__slots__})
            except Exception:
                log.exception("what is old could not be removed; the next sweep tries again")
            await self._clock.sleep_until(self._clock.now() + timedelta(seconds=self._policy.every_s))

    async def _old_events(self, tenant: str, keep: Keep, swept: Swept) -> None:
        if (before := self._before(keep.events_days)) is None:
            return
        since = self._seen.get(tenant, _BEGIN)
        find = partial(stored.runs_to_cut, tenant=tenant, since=since, before=before, limit=_AT_ONCE)
        while runs := await self._store.read(find):
            for run_id in runs:
                swept.events += await self._store.write(partial(stored.cut, run_id=run_id))
            swept.runs_cut += len(runs)
        self._seen[tenant] = max(since, before - _LOOK_BACK)

    async def _too_many_events(self, tenant: str, keep: Keep, swept: Swept) -> None:
        if keep.events_bytes is None:
            return
        runs = await self._store.read(partial(stored.runs_with_events, tenant=tenant))
        sized = [(ended, size) for _, ended, size in runs]
        for run_id, *_ in runs[: stored.too_many(sized, None, keep.events_bytes)]:
            swept.events += await self._store.write(partial(stored.cut, run_id=run_id))
            swept.runs_cut += 1

    async def _files(self, tenant: str, keep: Keep, swept: Swept) -> None:
        before = self._before(keep.artifacts_days)
        if before is None and keep.artifacts_bytes is None:
            return
        runs = await self._store.read(partial(stored.runs_with_files, tenant=tenant))
        sized = [(ended, size) for _, ended, size in runs]
        for run_id, *_ in runs[: stored.too_many(sized, to_us(before) if before else None, keep.artifacts_bytes)]:
            if await self._store.write(partial(stored.drop_files, run_id=run_id)):
                self._leavings.remove(run_id)
                swept.runs_emptied += 1

    async def _datasets(self, tenant: str, keep: Keep, swept: Swept) -> None:
        before = self._before(keep.datasets_days)
        if before is None and keep.datasets_bytes is None:
            return
        idle = await self._store.read(partial(stored.idle_datasets, tenant=tenant))
        sized = [(created, size) for *_, created, size in idle]
        for project, dataset_id, *_ in idle[
            : stored.too_many(sized, to_us(before) if before else None, keep.datasets_bytes)
        ]:
            with contextlib.suppress(DatasetInUse, DatasetNotFound):  # somebody was quicker
                await self._store.write(partial(remove_dataset, scope=Scope(tenant, project), dataset_id=dataset_id))
                await asyncio.to_thread(self._store.files.drop_dataset, dataset_id)
                swept.datasets += 1

    async def _attempts(self, before: datetime, swept: Swept) -> None:
        find = partial(attempt_log.old, before=before, most=_AT_ONCE)
        while numbers := await self._store.read(find):
            if not (gone := await self._store.write(partial(attempt_log.prune, numbers=numbers))):
                return  # all of them were asked for again meanwhile
            swept.attempts += gone

    def _before(self, days: float | None) -> datetime | None:
        return None if days is None else self._clock.now() - timedelta(days=days)
