"""The resume token of a run after one of its events, as the Watch streams of the run would give it. Delivery puts it
into each payload, so that a receiver that missed something goes on by stream."""

from collections.abc import Callable

from lodestream.v1 import job_pb2, operation_pb2
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind
from lodestream_server.services.tokens import Stream


def run_tokens(store_id: str) -> Callable[[RunState, int], str]:
    """For WatchOperation of an operation and WatchJob of a job, with tenant and project written as they are stored."""

    def token(run: RunState, sequence: int) -> str:
        if run.kind is RunKind.OPERATION:
            asked = operation_pb2.GetOperationRequest(
                tenant_id=run.tenant_id, project_id=run.project_id, operation_id=run.run_id
            )
            return Stream.of(store_id, "lodestream.v1.OperationService/WatchOperation", asked).token(sequence)
        wanted = job_pb2.GetJobRequest(tenant_id=run.tenant_id, project_id=run.project_id, job_id=run.run_id)
        return Stream.of(store_id, "lodestream.v1.JobService/WatchJob", wanted).token(sequence)

    return token
