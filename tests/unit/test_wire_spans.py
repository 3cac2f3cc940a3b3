"""Two times that bound a span are held against each other on both doors."""

import pytest

from lodestream.v1.job_pb2 import ListJobsRequest
from lodestream.v1.tracking_pb2 import GetJobLogsRequest
from lodestream.wire import Problem, check, from_json

SCOPE = {"tenantId": "660e8400-e29b-41d4-a716-446655440000", "projectId": "770e8400-e29b-41d4-a716-446655440000"}


def faults(message_type, **given: str) -> list[Problem]:
    """What is wrong with a request of this project."""
    more = {"jobId": "j"} if message_type is GetJobLogsRequest else {}
    return check(from_json({**SCOPE, **more, **given}, message_type))


def test_a_span_that_ends_before_it_begins_is_refused_at_its_end():
    """Whichever way round the words stand in the names, to the last digit."""
    (lists,) = faults(ListJobsRequest, dateFrom="2024-01-02", dateTo="2024-01-01T23:59:59.999999999Z")
    (logs,) = faults(GetJobLogsRequest, fromTime="2024-01-01T00:00:00.000001Z", toTime="2024-01-01")
    assert (lists.pointer, lists.reason) == ("/dateTo", "lies before dateFrom")
    assert (logs.pointer, logs.reason) == ("/toTime", "lies before fromTime")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"dateFrom": "2024-01-02"},
        {"dateTo": "2024-01-02"},
        {"dateFrom": "2024-01-02", "dateTo": "2024-01-02"},
        {"dateFrom": "2024-01-02T01:00:00+01:00", "dateTo": "2024-01-02T00:00:00Z"},
    ],
)
def test_open_and_empty_spans_are_fine(given):
    """Bounds are inclusive, so one instant is a span."""
    assert faults(ListJobsRequest, **given) == []
