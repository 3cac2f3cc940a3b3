"""Jobs and operations as one table, so that what holds for runs is stated once."""

from dataclasses import dataclass
from typing import Any

from lodestream.v1 import common_pb2, job_pb2, operation_pb2


@dataclass(frozen=True, slots=True)
class Kind:
    """Names of one shape's methods, messages and fields."""

    name: str
    service: str
    start: str
    get: str
    list: str
    cancel: str
    results: str
    watch: str
    messages: Any
    id_field: str
    type_field: str
    name_field: str
    #: Types of work: one that ends at once, one that waits for its gate, one that fails.
    quick: int
    waiting: int
    failing: int
    entries: str
    completed: int
    cancelled: int
    failed: int

    def request(self, method: str, **fields: Any) -> Any:
        """A request of one of the methods above, such as `kind.get`."""
        return getattr(self.messages, f"{method}Request")(**fields)

    def path(self, method: str) -> str:
        """Its full short name."""
        return f"{self.service}/{method}"

    def id_of(self, answer: Any) -> str:
        """The run's id in any answer."""
        return str(getattr(answer, self.id_field))

    def total(self, answer: Any) -> int:
        """How many runs a list's summary counts."""
        return int(getattr(answer.summary, f"total_{self.entries}"))


JOBS = Kind(
    "job",
    "JobService",
    "SubmitJob",
    "GetJob",
    "ListJobs",
    "CancelJob",
    "GetJobResults",
    "WatchJob",
    job_pb2,
    "job_id",
    "job_type",
    "job_name",
    common_pb2.JOB_TYPE_PROCESS_MINING,
    common_pb2.JOB_TYPE_DATA_ENRICHMENT,
    common_pb2.JOB_TYPE_ANALYSIS,
    "jobs",
    common_pb2.JOB_STATUS_COMPLETED,
    common_pb2.JOB_STATUS_CANCELLED,
    common_pb2.JOB_STATUS_FAILED,
)
OPERATIONS = Kind(
    "operation",
    "OperationService",
    "StartOperation",
    "GetOperation",
    "ListOperations",
    "CancelOperation",
    "GetOperationResults",
    "WatchOperation",
    operation_pb2,
    "operation_id",
    "operation_type",
    "operation_name",
    common_pb2.OPERATION_TYPE_PROCESS_MINING_ANALYSIS,
    common_pb2.OPERATION_TYPE_DATA_ENRICHMENT,
    common_pb2.OPERATION_TYPE_REPORT_GENERATION,
    "operations",
    common_pb2.OPERATION_STATUS_COMPLETED,
    common_pb2.OPERATION_STATUS_CANCELLED,
    common_pb2.OPERATION_STATUS_FAILED,
)
