"""What the job and the operation service ask of the engine alike: places in the queue, ids for one effect, downloads
of what a stopped run keeps."""

import hashlib
from datetime import datetime
from typing import Any

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message

from lodestream.errors import InvalidField, Violation
from lodestream_server.engine.engine import Engine
from lodestream_server.engine.leavings import PARTIAL_RESULTS
from lodestream_server.engine.models import QueuePlace
from lodestream_server.grpc_door.call import Call
from lodestream_server.runs.shapes import words
from lodestream_server.runs.shapes.common import artifact_url, completion
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store.reading import Scope
from lodestream_server.store.requests import RequestId


def type_of(enum: EnumDescriptor, request: Any, field: str, place: str = "") -> str:
    """The type of work that a request names: a documented word or an own workload, "" for none. `place` leads to the
    request where it is part of another. Raises InvalidField."""
    word = words.type_word(enum, getattr(request, field))
    if (word == words.CUSTOM) == bool(request.custom_type):
        return request.custom_type or word
    fault = "is required where the type is Custom" if word == words.CUSTOM else "excludes a documented type"
    raise InvalidField.of(Violation(f"{place}custom_type", fault))


async def place_of(engine: Engine, run: RunState) -> QueuePlace | None:
    """The run's place in the queue; None when it does not wait there."""
    return await engine.queue_place(run.run_id) if run.state is State.QUEUED else None


def expected(run: RunState, place: QueuePlace | None) -> tuple[datetime | None, datetime | None]:
    """When a waiting run should begin and be done."""
    start = place.estimated_start if place else run.scheduled_at if run.state is State.SCHEDULED else None
    return start, completion(start, run.estimate)


def one_effect(call: Call, request: Message, request_id: str) -> RequestId | None:
    """The engine's name for the caller's request id; None without one. Keys are kept apart by project and method."""
    if not request_id:
        return None
    scope = f"{call.scope.tenant_id}/{call.scope.project_id}/{call.method}"
    return RequestId(scope, request_id, hashlib.sha256(request.SerializeToString(deterministic=True)).digest())


async def kept_urls(engine: Engine, scope: Scope, run: RunState) -> list[str]:
    """Where the zip of what a cancelled run keeps is."""
    artifacts = await engine.artifacts(scope, run.run_id)
    return [artifact_url(run, artifact.artifact_id) for artifact in artifacts if artifact.kind == PARTIAL_RESULTS]
