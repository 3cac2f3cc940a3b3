"""Every service of the contract, added to a server: ours where somebody wrote one, the generated placeholder where
not."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from lodestream_server.delivery.delivery import Delivery
from lodestream_server.engine import estimates
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import EngineSettings
from lodestream_server.grpc_door.methods import METHODS, SERVICES
from lodestream_server.runs.state import RunState
from lodestream_server.services import machine
from lodestream_server.services.archives import Archives
from lodestream_server.services.artifacts import ArtifactService
from lodestream_server.services.batches import BatchService
from lodestream_server.services.datasets import DatasetService
from lodestream_server.services.jobs import JobService
from lodestream_server.services.keys import KeyService
from lodestream_server.services.operations import OperationService
from lodestream_server.services.queue import QueueService
from lodestream_server.services.resources import ResourceService
from lodestream_server.services.results import Results
from lodestream_server.services.system import SystemService
from lodestream_server.services.tracked_jobs import TrackedJobs
from lodestream_server.services.tracking import Component, TrackingService
from lodestream_server.services.watching import Pace, RunWatcher, Streams
from lodestream_server.services.webhooks import WebhookService
from lodestream_server.workloads.catalogue import Catalogue

#: A servicer for every service of the contract, by the service's full name.
Services = Mapping[str, Any]


def make_services(
    engine: Engine,
    streams: Streams,
    delivery: Delivery,
    *,
    settings: EngineSettings,
    pace: Pace,
    data_dir: Path,
    catalogue: Catalogue,
) -> Services:
    """Makes them once; any number of doors may then lead to them."""
    machine.begin()
    watcher = RunWatcher(engine, streams, pace)
    results = Results(engine, lambda resources, seconds: estimates.cost_usd(settings, resources, seconds))
    ours = {
        "OperationService": OperationService(engine, watcher, results, delivery.subscriptions.callbacks),
        "JobService": JobService(engine, watcher, results),
        "DatasetService": DatasetService(engine),
        "ArtifactService": ArtifactService(engine, Archives(engine)),
        "TrackingService": TrackingService(
            engine, watcher, streams, pace, TrackedJobs(engine, data_dir), _components(catalogue)
        ),
        "KeyService": KeyService(engine),
        "QueueService": QueueService(engine, streams, pace),
        "BatchService": BatchService(engine, results, streams, pace),
        "SystemService": SystemService(engine, data_dir, settings.node),
        "ResourceService": ResourceService(engine.resources),
        "WebhookService": WebhookService(engine, delivery),
    }
    return {full_name: ours.get(_short(full_name)) or _placeholder(full_name) for full_name in SERVICES}


def add_services(server: Any, services: Services) -> None:
    """Adds them all to a grpc.aio server, or to anything that takes handlers like one."""
    for full_name, servicer in services.items():
        getattr(_stubs_of(full_name), f"add_{_short(full_name)}Servicer_to_server")(servicer, server)


def _placeholder(service: str) -> Any:
    return getattr(_stubs_of(service), f"{_short(service)}Servicer")()


def _short(service: str) -> str:
    return service.rpartition(".")[2]


def _components(catalogue: Catalogue) -> Component:
    def component(run: RunState, phase: str) -> str | None:
        specs = catalogue.find(run.kind, run.type).phases
        return next((spec.component for spec in specs if spec.name == phase), None) or None

    return component


def _stubs_of(service: str) -> Any:
    method = next(method for name, method in METHODS.items() if name.startswith(f"{service}/"))
    file = method.descriptor.containing_service.file.name
    return import_module(f"{file.removesuffix('.proto').replace('/', '.')}_pb2_grpc")
