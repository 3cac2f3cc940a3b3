"""What a failed call says over gRPC is what the caller of the REST door reads, in the caller's words."""

import pytest
from google.rpc.status_pb2 import Status
from grpc import StatusCode, aio

from lodestream import rich_status
from lodestream.errors import InvalidField, LodestreamError, QuotaExceeded, Violation
from lodestream.rest.problems import Refusal, problem
from lodestream.rest.rpc_errors import place, refusal
from lodestream.status import STATUSES, error_for
from lodestream.v1.batch_pb2 import SubmitBatchRequest
from lodestream.v1.job_pb2 import GetJobRequest, ListJobsRequest, SubmitJobRequest

SUBMIT = SubmitJobRequest.DESCRIPTOR


def failed(error: LodestreamError) -> aio.AioRpcError:
    """The failure of a call that a server ended with an error."""
    trailers = aio.Metadata(*rich_status.to_trailers(error))
    return aio.AioRpcError(rich_status.code_of(error), aio.Metadata(), trailers, error.message)


def told(error: aio.AioRpcError) -> Refusal:
    """What the caller gets."""
    found = refusal(error, SUBMIT, ("tenantId", "projectId"), with_body=True)
    assert found is not None
    return found


@pytest.mark.parametrize("reason", sorted(STATUSES))
def test_every_reason_keeps_its_name_and_its_http_status(reason):
    """The one table holds on both doors."""
    answer = problem(told(failed(error_for(reason)())))
    assert (answer.status, b'"reason":"%s"' % reason.encode() in answer.body) == (STATUSES[reason].http, True)


@pytest.mark.parametrize(
    ("request_type", "name", "with_body", "where"),
    [
        (SUBMIT, "job_name", True, {"in": "body", "pointer": "/jobName"}),
        (SUBMIT, "retry_policy.max_retries", True, {"in": "body", "pointer": "/retryPolicy/maxRetries"}),
        (SUBMIT, "dependencies[3]", True, {"in": "body", "pointer": "/dependencies/3"}),
        (SUBMIT, "parameters.datasetId", True, {"in": "body", "pointer": "/parameters/datasetId"}),
        (SUBMIT, "parameters.a/b", True, {"in": "body", "pointer": "/parameters/a~1b"}),
        (SUBMIT, "tenant_id", True, {"in": "path", "parameter": "tenantId"}),
        (
            SubmitBatchRequest.DESCRIPTOR,
            "operations[1].operation_key",
            True,
            {"in": "body", "pointer": "/operations/1/operationKey"},
        ),
        (ListJobsRequest.DESCRIPTOR, "page_size", False, {"in": "query", "parameter": "pageSize"}),
        (GetJobRequest.DESCRIPTOR, "something_new", False, {"in": "query", "parameter": "something_new"}),
        (SUBMIT, "", True, {"in": "body", "pointer": ""}),
    ],
)
def test_fields_at_fault_are_named_as_the_caller_wrote_them(request_type, name, with_body, where):
    """JSON pointers into the body, names of parameters elsewhere."""
    assert place(request_type, name, ("tenantId", "projectId"), with_body) == where


def test_every_violation_is_listed_and_waiting_is_hinted_at():
    """errors[] and Retry-After."""
    found = told(failed(InvalidField.of(Violation("job_name", "is empty"), Violation("job_type", "is unknown"))))
    assert [fault["pointer"] for fault in found.faults] == ["/jobName", "/jobType"]
    assert found.detail == "/jobName: is empty"
    assert (b"retry-after", b"3") in told(failed(QuotaExceeded(retry_after_s=2.5))).headers


def test_a_reason_that_only_a_newer_server_knows_keeps_its_name():
    """Its HTTP status follows the gRPC code."""

    class Newer(LodestreamError):
        """New."""

        reason = "QUOTA_EXCEEDED"

    error = failed(Newer())
    trailers = dict(error.trailing_metadata())
    status = Status.FromString(trailers[rich_status.DETAILS_KEY])
    status.details[0].value = status.details[0].value.replace(b"QUOTA_EXCEEDED", b"QUOTA_EXPANDED")
    newer = aio.AioRpcError(
        StatusCode.RESOURCE_EXHAUSTED,
        aio.Metadata(),
        aio.Metadata((rich_status.DETAILS_KEY, status.SerializeToString())),
    )
    answer = problem(told(newer))
    assert (answer.status, b"QUOTA_EXPANDED" in answer.body) == (429, True)


@pytest.mark.parametrize(
    ("code", "http"),
    [
        (StatusCode.UNIMPLEMENTED, 501),
        (StatusCode.UNAVAILABLE, 503),
        (StatusCode.DEADLINE_EXCEEDED, 504),
        (StatusCode.UNAUTHENTICATED, 401),
    ],
)
def test_a_failure_that_is_not_ours_is_told_by_its_code_alone(code, http):
    """The text of a proxy, or of an exception, stays inside."""
    answer = problem(told(aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), "secret /path")))
    assert (answer.status, b"secret" in answer.body) == (http, False)


@pytest.mark.parametrize("code", [StatusCode.UNKNOWN, StatusCode.INTERNAL, StatusCode.DATA_LOSS])
def test_an_unexpected_fault_is_no_refusal(code):
    """The facade answers 500 with an error id."""
    assert refusal(aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), "secret"), SUBMIT, (), True) is None
