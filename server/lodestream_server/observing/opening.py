"""Puts together who observes a server's calls, as its settings say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from lodestream_server.engine.engine import Engine
from lodestream_server.grpc_door.listening import CannotListen
from lodestream_server.observing.calls import CallLog, Observer
from lodestream_server.observing.figures import Figures
from lodestream_server.observing.page_door import page_door
from lodestream_server.observing.traces import Traces
from lodestream_server.settings import ServerSettings


@dataclass(frozen=True, slots=True)
class Observation:
    """Who observes, and where the figures are to be read; None: nowhere."""

    observers: tuple[Observer, ...]
    metrics: str | None = None


@asynccontextmanager
async def observation(settings: ServerSettings, engine: Engine) -> AsyncIterator[Observation]:
    """For as long as the context lasts. Raises CannotListen, also for a library that is not installed."""
    observers: list[Observer] = [CallLog()]
    metrics = None
    async with AsyncExitStack() as stack:
        try:
            if settings.traces is not None:
                observers.append(traces := Traces(settings.traces))
                stack.push_async_callback(asyncio.to_thread, traces.close)
            if settings.metrics_port is not None:
                observers.append(figures := Figures(engine, settings.data_dir))
                door = page_door(settings.metrics_port, figures.page, figures.content_type)
                metrics = await stack.enter_async_context(door)
        except ImportError as fault:
            needs = f"Metrics and traces need {fault.name}: pip install 'lodestream[observability]'."
            raise CannotListen(needs) from None
        yield Observation(tuple(observers), metrics)
