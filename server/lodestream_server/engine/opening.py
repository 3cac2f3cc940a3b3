"""From a data directory to a working engine and back: the one place that knows how the parts are put together."""

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from lodestream_server.engine.backoff import Dice
from lodestream_server.engine.clock import Clock, SystemClock
from lodestream_server.engine.datasets import Datasets
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.ids import Ids, RandomIds
from lodestream_server.engine.keys import Keys
from lodestream_server.engine.models import EngineSettings
from lodestream_server.executors.describing import Describer
from lodestream_server.executors.local_pool import LocalPool, PoolSettings, worker_environment
from lodestream_server.store.store import Store
from lodestream_server.workloads.built_in import BUILT_IN
from lodestream_server.workloads.catalogue import Catalogue

#: Share of the machine's memory that runs may use; the rest is for the server and the system's cache.
_FOR_RUNS = 0.7


@asynccontextmanager
async def open_engine(
    data_dir: Path,
    settings: EngineSettings | None = None,
    *,
    catalogue: Catalogue = BUILT_IN,
    clock: Clock | None = None,
    ids: Ids | None = None,
    dice: Dice = random.random,
) -> AsyncIterator[Engine]:
    """A started engine over the directory; closed at the end, with whatever is still running handed back to the queue.

    Raises DataDirInUse, StoreTooNew, StoreDamaged.
    """
    settings = _complete(settings or EngineSettings())
    clock, ids = clock or SystemClock(), ids or RandomIds()
    store = await Store.open(data_dir)
    workers_log = store.files.logs() / "workers.log"
    environment = worker_environment(settings.worker_environment)
    pool = LocalPool(
        PoolSettings(
            seats=settings.seats,
            log_file=workers_log,
            preload=catalogue.preload(),
            lease_s=settings.lease_s,
            node=settings.node,
            owner=store.id,
            environment=environment,
        )
    )
    describer = Describer(
        settings.describe, environment, workers_log, settings.describe_timeout_s, settings.run_memory_bytes
    )
    datasets = Datasets(store, describer, clock, ids, settings.largest_upload_bytes, settings.quotas)
    engine = Engine(
        store,
        pool,
        catalogue,
        datasets,
        Keys(store, clock, ids),
        settings=settings,
        clock=clock,
        ids=ids,
        dice=dice,
    )
    try:
        await engine.start()
        yield engine
    finally:
        await engine.close()


def _complete(settings: EngineSettings) -> EngineSettings:
    """The settings with the machine's own figures where they say 0."""
    seats = max(1, settings.seats)
    whole = settings.memory_bytes or seats * settings.run_memory_bytes
    whole = whole or int(psutil.virtual_memory().total * _FOR_RUNS)
    return replace(
        settings,
        memory_bytes=whole,
        run_memory_bytes=settings.run_memory_bytes or whole // seats,
        cpu_units=settings.cpu_units or float(seats_of_this_machine()),
    )


def seats_of_this_machine() -> int:
    """One per core: mining uses all cores when it is alone."""
    return max(1, os.cpu_count() or 1)
