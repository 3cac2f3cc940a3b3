"""Plain values -> the protobuf types of the contract."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from lodestream.v1 import common_pb2 as common
from lodestream.v1.common_pb2 import JobStatus, OperationStatus, RunState
from lodestream.wire import numbers
from lodestream.wire.freeform import read_object

_JOB_STATUS = {
    RunState.RUN_STATE_RUNNING: JobStatus.JOB_STATUS_RUNNING,
    RunState.RUN_STATE_CANCELLING: JobStatus.JOB_STATUS_RUNNING,
    RunState.RUN_STATE_COMPLETED: JobStatus.JOB_STATUS_COMPLETED,
    RunState.RUN_STATE_FAILED: JobStatus.JOB_STATUS_FAILED,
    RunState.RUN_STATE_TIMED_OUT: JobStatus.JOB_STATUS_FAILED,
    RunState.RUN_STATE_CANCELLED: JobStatus.JOB_STATUS_CANCELLED,
}
_OPERATION_STATUS = {
    RunState.RUN_STATE_BLOCKED: OperationStatus.OPERATION_STATUS_PENDING,
    RunState.RUN_STATE_RUNNING: OperationStatus.OPERATION_STATUS_RUNNING,
    RunState.RUN_STATE_CANCELLING: OperationStatus.OPERATION_STATUS_RUNNING,
    RunState.RUN_STATE_COMPLETED: OperationStatus.OPERATION_STATUS_COMPLETED,
    RunState.RUN_STATE_FAILED: OperationStatus.OPERATION_STATUS_FAILED,
    RunState.RUN_STATE_TIMED_OUT: OperationStatus.OPERATION_STATUS_TIMEOUT,
    RunState.RUN_STATE_CANCELLED: OperationStatus.OPERATION_STATUS_CANCELLED,
}


def job_status(state: RunState.ValueType) -> JobStatus.ValueType:
    """The execution API's word for a state."""
    return _JOB_STATUS.get(state, JobStatus.JOB_STATUS_QUEUED)


def operation_status(state: RunState.ValueType) -> OperationStatus.ValueType:
    """The async API's word for a state."""
    return _OPERATION_STATUS.get(state, OperationStatus.OPERATION_STATUS_INITIATED)


def instant(epoch_ms: int) -> Timestamp:
    """Milliseconds since 1970 as a Timestamp."""
    return Timestamp(seconds=epoch_ms // 1000, nanos=epoch_ms % 1000 * 1_000_000)


def epoch_ms(timestamp: Timestamp) -> int:
    """A Timestamp as milliseconds since 1970."""
    return timestamp.seconds * 1000 + timestamp.nanos // 1_000_000


def duration(millis: float) -> Duration:
    """Milliseconds as a Duration; never negative."""
    whole = max(0, int(millis))
    return Duration(seconds=whole // 1000, nanos=whole % 1000 * 1_000_000)


def span(low: int, high: int) -> common.DurationRange:
    """Two ends in milliseconds as a range."""
    return common.DurationRange(low=duration(low), high=duration(high))


def struct(values: Mapping[str, Any]) -> Struct | None:
    """A free-form object; None when it is empty, so that the field stays unset."""
    if not values:
        return None
    out = Struct()
    read_object(dict(values), out)
    return out


def number(enum: EnumDescriptor, word: str) -> Any:
    """The number of a documented word; 0 when the word is empty or none of this enum's."""
    return numbers(enum).get(word, 0)


def type_of_work(enum: EnumDescriptor, field: str, word: str) -> dict[str, Any]:
    """The fields of an answer that say what a run does: a documented word, or Custom with an own workload's name."""
    found = number(enum, word)
    return {field: found} if found or not word else {field: number(enum, "Custom"), "custom_type": word}


def run_error(reason: str, message: str, stage: str = "") -> common.RunError:
    """Why a run failed."""
    return common.RunError(reason=reason, message=message, stage=stage or None)
