"""Errors over gRPC and back: a caller catches what the server raised, with everything that was said."""

from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from lodestream import errors, rich_status, status
from lodestream.errors import LodestreamError, Violation


class Ended:
    """A failed call with these trailers."""

    def __init__(self, *trailers):
        self._trailers = trailers

    def trailing_metadata(self):
        """See `grpc.Call`."""
        return self._trailers


def classes(root=LodestreamError):
    """Every error that a server may send."""
    return [root, *(found for child in root.__subclasses__() for found in classes(child))]


SENT = [kind for kind in classes() if kind.reason in status.STATUSES and kind is not LodestreamError]


@pytest.mark.parametrize("kind", SENT)
def test_every_error_arrives_as_it_was_raised(kind):
    """Class, text, fields, facts and waiting time."""
    raised = kind("what happened", violations=[Violation("a.b", "is odd")], retry_after_s=1.5, details={"x": "y"})
    caught: Any = rich_status.from_call(Ended(*rich_status.to_trailers(raised)))
    assert type(caught) is kind
    assert (caught.message, caught.violations, caught.retry_after_s, caught.details) == (
        raised.message,
        raised.violations,
        1.5,
        {"x": "y"},
    )


@pytest.mark.parametrize("kind", SENT)
def test_the_code_is_the_one_of_the_table(kind):
    """In the status as in the call."""
    sent = rich_status.to_status(kind())
    assert rich_status.grpc_code(sent) is rich_status.code_of(kind()) is status.of(kind.reason).code


def test_what_is_only_for_the_command_line_leaves_as_internal():
    """A reason without a row in the table is an unexpected fault."""
    assert rich_status.reason_of(errors.DataDirInUse()) == "INTERNAL"
    assert rich_status.code_of(errors.DataDirInUse()) is grpc.StatusCode.INTERNAL


def test_a_reason_of_a_later_version_is_kept():
    """As the base class, with the reason among the facts."""
    sent = Status(code=5, message="gone")
    packed = Packed()
    packed.Pack(ErrorInfo(reason="FROM_THE_FUTURE", domain="lodestream"))
    sent.details.append(packed)
    caught: Any = rich_status.from_status(sent)
    assert (type(caught), caught.message, caught.details) == (LodestreamError, "gone", {"reason": "FROM_THE_FUTURE"})


@pytest.mark.parametrize(
    "trailers",
    [
        (),
        (("grpc-status-details-bin", b"\xff\xff"),),
        (("grpc-status-details-bin", Status(code=5).SerializeToString()),),
        (("other", b"x"),),
    ],
)
def test_what_others_made_is_not_ours(trailers):
    """A proxy's refusal, or bytes that are no status."""
    assert rich_status.from_call(Ended(*trailers)) is None
    assert rich_status.from_call(Ended()) is None


def test_statuses_stay_small_enough_for_every_trailer():
    """However long the texts and however many the fields; the first ones are kept."""
    raised = errors.InvalidField(
        "ü" * 100_000,
        violations=[Violation(f"field{number}", "y" * 500) for number in range(100)],
        details={"short": "x", "long": "z" * 100_000},
    )
    caught: Any = rich_status.from_call(Ended(*rich_status.to_trailers(raised)))
    assert rich_status.to_status(raised).ByteSize() < 7000
    assert caught.violations[0] == raised.violations[0]
    assert len(caught.violations) >= 3
    assert caught.details == {"short": "x"}
