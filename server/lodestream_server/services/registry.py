"""Every service of the contract, added to a server: ours where somebody wrote one, the generated placeholder where
not."""

from importlib import import_module
from pathlib import Path
from typing import Any

from lodestream_server.engine import estimates
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.models import EngineSettings
from lodestream_server.grpc_door.methods import METHODS, SERVICES
from lodestream_server.services.archives import Archives
from lodestream_server.services.artifacts import ArtifactService
from lodestream_server.services.datasets import DatasetService
from lodestream_server.services.jobs import JobService
from lodestream_server.services.operations import OperationService
from lodestream_server.services.results import Results
from lodestream_server.services.watching import Pace, RunWatcher, Streams


def add_services(
    server: Any, engine: Engine, streams: Streams, *, settings: EngineSettings, pace: Pace, archives_dir: Path
) -> None:
    """Adds them all to a grpc.aio server, or to anything that takes handlers like one."""
    watcher = RunWatcher(engine, streams, pace)
    results = Results(engine, lambda resources, seconds: estimates.cost_usd(settings, resources, seconds))
    ours = {
        "OperationService": OperationService(engine, watcher, results),
        "JobService": JobService(engine, watcher, results),
        "DatasetService": DatasetService(engine),
        "ArtifactService": ArtifactService(engine, Archives(engine, archives_dir)),
    }
    for full_name in SERVICES:
        name = full_name.rpartition(".")[2]
        module = _stubs_of(full_name)
        servicer = ours.get(name) or getattr(module, f"{name}Servicer")()
        getattr(module, f"add_{name}Servicer_to_server")(servicer, server)


def _stubs_of(service: str) -> Any:
    method = next(method for name, method in METHODS.items() if name.startswith(f"{service}/"))
    file = method.descriptor.containing_service.file.name
    return import_module(f"{file.removesuffix('.proto').replace('/', '.')}_pb2_grpc")
