"""Between the port's dataclasses and the frames of the worker protocol."""

import orjson

from lodestream_server.executors.port import Assignment, Broke, Done, Outcome, Stopped, Told
from lodestream_server.runs.codec import decode
from lodestream_server.worker.v1 import worker_pb2 as wire


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
    if (given := assignment.dataset) is not None:
        order.dataset.CopyFrom(
            wire.Dataset(
                dataset_id=given.dataset_id,
                name=given.name,
                path=str(given.path),
                format=given.format,
                size_bytes=given.size_bytes,
                sha256=assignment.dataset_sha256,
                mapping=given.mapping,
            )
        )
    return order
