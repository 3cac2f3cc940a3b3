"""States, kinds and types as the numbers of the contract's enums, and back. The documented word of a state differs
between jobs and operations; that difference lives here alone."""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor

from lodestream.v1 import common_pb2, rest_pb2
from lodestream_server.runs.bodies import Level
from lodestream_server.runs.states import PhaseStatus, Priority, State

_pb = common_pb2

RUN_STATES: Final[Mapping[State, _pb.RunState.ValueType]] = {
    state: _pb.RunState.Value(f"RUN_STATE_{state.value}") for state in State
}
JOB_STATUSES: Final[Mapping[State, _pb.JobStatus.ValueType]] = {
    State.BLOCKED: _pb.JOB_STATUS_QUEUED,
    State.SCHEDULED: _pb.JOB_STATUS_QUEUED,
    State.QUEUED: _pb.JOB_STATUS_QUEUED,
    State.RUNNING: _pb.JOB_STATUS_RUNNING,
    State.RETRY_WAIT: _pb.JOB_STATUS_QUEUED,
    State.CANCELLING: _pb.JOB_STATUS_RUNNING,
    State.COMPLETED: _pb.JOB_STATUS_COMPLETED,
    State.FAILED: _pb.JOB_STATUS_FAILED,
    State.CANCELLED: _pb.JOB_STATUS_CANCELLED,
    State.TIMED_OUT: _pb.JOB_STATUS_FAILED,
}
OPERATION_STATUSES: Final[Mapping[State, _pb.OperationStatus.ValueType]] = {
    State.BLOCKED: _pb.OPERATION_STATUS_PENDING,
    State.SCHEDULED: _pb.OPERATION_STATUS_INITIATED,
    State.QUEUED: _pb.OPERATION_STATUS_INITIATED,
    State.RUNNING: _pb.OPERATION_STATUS_RUNNING,
    State.RETRY_WAIT: _pb.OPERATION_STATUS_INITIATED,
    State.CANCELLING: _pb.OPERATION_STATUS_RUNNING,
    State.COMPLETED: _pb.OPERATION_STATUS_COMPLETED,
    State.FAILED: _pb.OPERATION_STATUS_FAILED,
    State.CANCELLED: _pb.OPERATION_STATUS_CANCELLED,
    State.TIMED_OUT: _pb.OPERATION_STATUS_TIMEOUT,
}
STAGE_STATUSES: Final[Mapping[PhaseStatus, _pb.StageStatus.ValueType]] = {
    status: _pb.StageStatus.Value(f"STAGE_STATUS_{status.value.upper()}") for status in PhaseStatus
}
PRIORITIES: Final[Mapping[Priority, _pb.Priority.ValueType]] = {
    priority: _pb.Priority.Value(f"PRIORITY_{priority.name}") for priority in Priority
}
LEVELS: Final[Mapping[Level, _pb.LogLevel.ValueType]] = {
    "DEBUG": _pb.LOG_LEVEL_DEBUG,
    "INFO": _pb.LOG_LEVEL_INFO,
    "WARN": _pb.LOG_LEVEL_WARN,
    "ERROR": _pb.LOG_LEVEL_ERROR,
}


def _by_word(enum: EnumDescriptor) -> dict[str, Any]:
    return {value.GetOptions().Extensions[rest_pb2.word].en: value.number for value in enum.values if value.number}


#: The word for types beyond the documented ones; custom_type has their name.
CUSTOM: Final = "Custom"
_JOB_TYPES: Final = _by_word(_pb.JobType.DESCRIPTOR)
_OPERATION_TYPES: Final = _by_word(_pb.OperationType.DESCRIPTOR)
_ARTIFACT_TYPES: Final = _by_word(_pb.ArtifactType.DESCRIPTOR)
_URGENCIES: Final = _by_word(_pb.RecommendationPriority.DESCRIPTOR)


def job_type(word: str) -> _pb.JobType.ValueType:
    """The number of a job type; Custom for an own workload."""
    return _JOB_TYPES.get(word) or _pb.JOB_TYPE_CUSTOM


def operation_type(word: str) -> _pb.OperationType.ValueType:
    """The number of an operation type; Custom for an own workload."""
    return _OPERATION_TYPES.get(word) or _pb.OPERATION_TYPE_CUSTOM


def custom_type(word: str) -> str | None:
    """The name of an own workload; None for a documented type, whose number says it all."""
    return None if word in _JOB_TYPES or word in _OPERATION_TYPES else word


def operation_word(word: str) -> str:
    """What filters call the type of an operation: its documented word, or Custom for every own workload."""
    return word if word in _OPERATION_TYPES else CUSTOM


def artifact_type(word: str) -> _pb.ArtifactType.ValueType | None:
    """The number of an artifact type."""
    return _ARTIFACT_TYPES.get(word)


def urgency(word: str) -> _pb.RecommendationPriority.ValueType | None:
    """The number of a recommendation's priority."""
    return _URGENCIES.get(word)


def type_word(enum: EnumDescriptor, number: int) -> str:
    """The documented word of a type; "" for none."""
    value = enum.values_by_number.get(number)
    return str(value.GetOptions().Extensions[rest_pb2.word].en) if value else ""


def priority(number: int) -> Priority:
    """The priority of a request; Normal when it does not say."""
    return Priority(number) if number else Priority.NORMAL


def job_states(status: int) -> frozenset[State]:
    """The states that a job status stands for; empty for none."""
    return frozenset(state for state, number in JOB_STATUSES.items() if number == status)


def operation_states(status: int) -> frozenset[State]:
    """The states that an operation status stands for; empty for none."""
    return frozenset(state for state, number in OPERATION_STATUSES.items() if number == status)
