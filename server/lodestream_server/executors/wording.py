"""Between the port's dataclasses and the frames of the worker protocol."""

import orjson

from lodestream_server.executors.port import Assignment, Broke, Done, Outcome, Stopped, Told
from lodestream_server.runs.codec import decode
from lodestream_server.worker.v1 import worker_pb2 as wire
from lodestream_server.workloads.phase import DatasetFile, EarlierRun


def heard(message: wire.FromWorker) -> Told | wire.Ended | None:
    """What a frame says; None for a mere sign of life. Raises UnknownKind, ValueError for what cannot be read."""
    match message.WhichOneof("word"):
        case "facts":
            return Told(tuple((decode(fact.kind, fact.body), fact.age_us / 1e6) for fact in message.facts.facts))
        case "ended":
            return message.ended
        case _:
            return None


def outcome(ended: wire.Ended) -> Outcome:
    """How the run ended, in the port's words."""
    match ended.WhichOneof("how"):
        case "completed":
            return Done()
        case "stopped":
            return Stopped()
        case _:
            failed = ended.failed
            details = orjson.loads(failed.details) if failed.details else {}
            return Broke(failed.reason or "INTERNAL", failed.message, failed.phase, details, failed.traceback)


def as_wire(assignment: Assignment) -> wire.Assignment:
    """The order for the worker."""
    order = wire.Assignment(
        run_id=assignment.run_id,
        epoch=assignment.epoch,
        run_name=assignment.run_name,
        parameters=orjson.dumps(assignment.parameters),
        folder=str(assignment.folder),
        memory_bytes=assignment.memory_bytes,
        phases=[
            wire.PhaseOrder(
                name=phase.name,
                function=phase.function,
                version=phase.version,
                component=phase.component,
                known_complete=phase.known_complete,
            )
            for phase in assignment.phases
        ],
    )
    if assignment.dataset is not None:
        order.dataset.CopyFrom(_dataset(assignment.dataset, assignment.dataset_sha256))
    order.datasets.extend(_dataset(one) for one in assignment.datasets)
    order.resources.extend(
        wire.Resource(resource_id=one.resource_id, name=one.name, type=one.type, path=str(one.path))
        for one in assignment.resources
    )
    order.sources.extend(_source(one) for one in assignment.sources)
    order.inputs.extend(assignment.inputs)
    return order


def _dataset(given: DatasetFile, sha256: str = "") -> wire.Dataset:
    return wire.Dataset(
        dataset_id=given.dataset_id,
        name=given.name,
        path=str(given.path),
        format=given.format,
        size_bytes=given.size_bytes,
        sha256=sha256,
        mapping=given.mapping,
    )


def _source(run: EarlierRun) -> wire.Source:
    source = wire.Source(
        run_id=run.run_id,
        kind=run.kind,
        type=run.type,
        name=run.name,
        parameters=orjson.dumps(run.parameters),
        phases=[
            wire.SourcePhase(name=one.name, results=orjson.dumps(one.results), folder=str(one.folder))
            for one in run.phases
        ],
    )
    if run.started is not None:
        source.started.FromDatetime(run.started)
    if run.ended is not None:
        source.ended.FromDatetime(run.ended)
    return source
