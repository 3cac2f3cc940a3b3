"""A call is sent again only where that is safe, within its deadline, and fails as what the server raised."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from lodestream import errors
from lodestream.client import arguments
from lodestream.client.calls import Caller
from lodestream.client.problems import CallRefused, DeadlinePassed, ServerUnreachable
from lodestream.client.settings import Settings
from lodestream.client.transfers import free_names, safe_name
from lodestream.rich_status import code_of, to_trailers
from lodestream.v1.artifact_pb2 import Artifact
from lodestream.v1.common_pb2 import JobStatus, Priority


def caller(**options) -> Caller:
    """A caller that waits a millisecond between tries."""
    settings = Settings("127.0.0.1:1")
    return Caller(channel=None, settings=settings, **{"retries": (0.001, 0.001), **options})  # type: ignore[arg-type]  # nothing is dialled


def status(code: StatusCode, details: str = "", error: errors.LodestreamError | None = None) -> AioRpcError:
    """How a call ends."""
    return AioRpcError(code, Metadata(), Metadata(*(to_trailers(error) if error else ())), details=details)


class Method:
    """A unary method that fails in order, then answers."""

    def __init__(self, *fails: AioRpcError) -> None:
        self.fails, self.calls = list(fails), 0

    async def __call__(self, request: str, *, timeout: float | None = None) -> str:  # noqa: ASYNC109  # grpc's own name
        self.calls += 1
        if self.fails:
            raise self.fails.pop(0)
        return f"answer to {request}"


async def test_a_broken_connection_is_tried_again():
    """UNAVAILABLE twice, then the answer."""
    method = Method(status(StatusCode.UNAVAILABLE), status(StatusCode.UNAVAILABLE))
    assert await caller().call(method, "x") == "answer to x"
    assert method.calls == 3


async def test_what_must_not_be_done_twice_is_not_sent_twice():
    """A call that is not repeatable fails at the first broken connection."""
    method = Method(status(StatusCode.UNAVAILABLE, "Connection refused"))
    with pytest.raises(ServerUnreachable, match="connection refused"):
        await caller().call(method, "x", repeatable=False)
    assert method.calls == 1


async def test_a_refusal_is_not_tried_again():
    """What the server refuses once it refuses twice."""
    error = errors.RunNotFound()
    method = Method(status(code_of(error), str(error), error))
    with pytest.raises(errors.RunNotFound):
        await caller().call(method, "x")
    assert method.calls == 1


async def test_tries_end_with_the_deadline():
    """A wait that would pass the deadline is not begun."""
    method = Method(*[status(StatusCode.UNAVAILABLE) for _ in range(3)])
    with pytest.raises(ServerUnreachable):
        await caller(retries=(60.0, 60.0)).call(method, "x", deadline_s=0.5)
    assert method.calls == 1


async def test_the_servers_own_wait_is_kept_to():
    """RetryInfo says when; that is longer than this deadline, so the error comes at once and tells."""
    error = errors.ServerDraining(retry_after_s=30)
    with pytest.raises(errors.ServerDraining) as refused:
        await caller().call(Method(status(code_of(error), "", error)), "x", deadline_s=1)
    assert refused.value.retry_after_s == 30


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (StatusCode.DEADLINE_EXCEEDED, DeadlinePassed),
        (StatusCode.UNAUTHENTICATED, errors.Unauthenticated),
        (StatusCode.UNIMPLEMENTED, errors.NotBuilt),
        (StatusCode.DATA_LOSS, CallRefused),
    ],
)
async def test_statuses_without_a_reason_still_say_what_happened(code, kind):
    """A proxy or another server in between speaks no reasons of ours."""
    with pytest.raises(kind):
        await caller().call(Method(status(code, "why")), "x")


def test_words_are_read_in_any_case_and_language():
    """People write "running"; the pages of another language write "Çalışıyor"."""
    assert arguments.number_of(JobStatus.DESCRIPTOR, "running", "status") == JobStatus.JOB_STATUS_RUNNING
    assert arguments.number_of(JobStatus.DESCRIPTOR, "Çalışıyor", "status") == JobStatus.JOB_STATUS_RUNNING
    assert arguments.number_of(Priority.DESCRIPTOR, None, "priority") == 0


def test_an_unknown_word_is_refused_with_the_known_ones():
    """Before anything is sent."""
    with pytest.raises(errors.InvalidField, match=r"did you mean Completed\?.*Queued, Running"):
        arguments.number_of(JobStatus.DESCRIPTOR, "Complete", "status")


@pytest.mark.parametrize("value", [math.nan, 2**60, {1, 2}, datetime(2024, 1, 1, tzinfo=UTC)])
def test_parameters_that_json_cannot_say_are_refused_by_name(value):
    """The field at fault is named as the server would name it."""
    with pytest.raises(errors.InvalidField) as refused:
        arguments.struct({"outer": {"inner": value}})
    assert refused.value.violations[0].field == "parameters.outer.inner"


def test_time_limits_of_jobs_are_whole_minutes_rounded_up():
    """Never shorter than asked for."""
    assert [arguments.minutes(timedelta(seconds=s)) for s in (1, 60, 61)] == [1, 1, 2]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.html", "report.html"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        ("..", "fallback"),
        ("a\x00b\\c:d", "a_b_c_d"),
    ],
)
def test_a_downloaded_file_stays_in_its_folder_whatever_it_is_called(name, safe):
    """The server's word is not trusted with a path."""
    assert safe_name(name, "fallback") == safe


def test_files_of_one_name_are_all_kept():
    """Two phases may each make a report."""
    artifacts = [Artifact(artifact_id=str(number), file_name="Report.html") for number in range(3)]
    assert [name for _, name in free_names(artifacts)] == ["Report.html", "Report-2.html", "Report-3.html"]
