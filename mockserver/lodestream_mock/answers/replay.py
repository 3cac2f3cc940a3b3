"""Documented payloads as typed messages, and when they are the answer."""

from functools import cache
from typing import Any, TypeVar

from google.protobuf.message import Message

from lodestream import documented, wire
from lodestream_mock.answers.call import Call
from lodestream_mock.play.run import Run

M = TypeVar("M", bound=Message)
_IDS = ("job_id", "operation_id", "original_operation_id", "batch_id", "webhook_id", "subscription_id")


@cache
def _bytes(example: str, language: wire.Language, message_type: Any) -> bytes:
    message: Message = wire.from_json(documented.example(example, language), message_type)
    return message.SerializeToString(deterministic=True)


def payload(call: Call, example: str, message_type: type[M]) -> M:
    """A documented payload in the call's language, fresh; the answer's provenance is noted."""
    call.documented(example)
    kind: Any = message_type
    fresh: M = kind.FromString(_bytes(example, call.language, kind))
    return fresh


def told(call: Call, run: Run, example: str, message_type: type[M]) -> M | None:
    """The documented payload where it is the answer about a run: for documented ids as long as the clock of a pinned
    scenario stands at the beginning, else exactly at a keyframe that names it. None otherwise."""
    session = call.session
    if session.pinned and run.run_id in _ids(example):
        return _said_by_caller(payload(call, example, message_type), run)
    if run.cancelled or run.kept or run.held or session.story(run).created != run.created:
        return None
    age = session.age(run)
    for frame in session.story(run).keyframes:
        if frame.at == age and frame.answers.get(call.method) == example:
            return _as(payload(call, example, message_type), run)
    return None


@cache
def _ids(example: str) -> frozenset[str]:
    """The ids that a payload is about; the results page of a job is about the job of the other pages."""
    shown = documented.example(example)
    return frozenset(
        str(shown[key]) for key in ("jobId", "operationId", "originalOperationId", "batchId") if key in shown
    )


def _as(message: M, run: Run) -> M:
    """The payload as if it were about this run."""
    known = message.DESCRIPTOR.fields_by_name
    for name in _IDS[:2]:
        if name in known:
            setattr(message, name, run.run_id)
    if "project_id" in known and run.project_id:
        _set(message, "project_id", run.project_id)
    return _said_by_caller(message, run)


def _set(message: Any, name: str, value: Any) -> None:
    setattr(message, name, value)


def _said_by_caller(message: M, run: Run) -> M:
    """The payload with the names that the caller gave when the run was submitted."""
    values: dict[str, Any] = {
        "job_name": run.name,
        "operation_name": run.name,
        "job_description": run.description,
        "job_type": run.type,
        "operation_type": run.type,
        "priority": run.priority,
    }
    for name, field in message.DESCRIPTOR.fields_by_name.items():
        if value := values.get(name):
            setattr(message, name, wire.numbers(field.enum_type).get(value, 0) if field.enum_type else value)
    return message


def echo(request: Message, answer: Message) -> None:
    """Puts into the answer what the request says under the same name and type: names, types, reasons, filters."""
    known = answer.DESCRIPTOR.fields_by_name
    for field, value in request.ListFields():
        twin = known.get(field.name)
        if twin is None or field.name in _SCOPE or not _same_type(field, twin):
            continue
        if field.is_repeated:
            target = getattr(answer, field.name)
            del target[:]
            target.extend(value)
        elif field.message_type:
            getattr(answer, field.name).CopyFrom(value)
        else:
            setattr(answer, field.name, value)


def _same_type(one: Any, other: Any) -> bool:
    return (one.type, one.is_repeated, one.message_type, one.enum_type) == (
        other.type,
        other.is_repeated,
        other.message_type,
        other.enum_type,
    )


_SCOPE = frozenset({"tenant_id", "project_id"})
