"""One request, one answer: what crosses, and every way in which a servicer can end a call. Over both channels."""

import asyncio
import contextvars
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import StatusCode, aio
from grpc_status import rpc_status

from lodestream.v1.job_pb2 import GetJobResponse
from tests.contract.channels.world import ask, outcome, watch

COLOUR: contextvars.ContextVar[str] = contextvars.ContextVar("COLOUR", default="none")


async def test_neither_side_sees_what_the_other_does_to_its_copy(serve):
    """The servicer changes the request, the client the answer: both keep what they sent."""
    kept = GetJobResponse(job_id="j1", job_name="as sent")

    async def get_job(request, context):
        request.job_id = "changed by the servicer"
        return kept

    world = await serve(GetJob=get_job)
    request = ask("j1")
    answer = await world.jobs.GetJob(request)
    answer.job_name = "changed by the client"
    assert (request.job_id, kept.job_name) == ("j1", "as sent")


async def test_a_call_may_be_awaited_again(serve):
    """Both times it gives the answer; the servicer runs once."""
    seen = []

    async def get_job(request, context):
        seen.append(request.job_id)
        return GetJobResponse(job_id=request.job_id)

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask("j1"))
    assert await call == await call == GetJobResponse(job_id="j1")
    assert seen == ["j1"]


async def test_a_call_that_ended_well_says_so(serve):
    """OK without details; cancelling it then changes nothing. Details that were set go out with failures only."""

    async def get_job(request, context):
        context.set_details("not sent with OK")
        context.set_trailing_metadata((("sent", "with any"),))
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask())
    await call
    assert (await call.code(), await call.details()) == (StatusCode.OK, "")
    assert (call.cancel(), call.cancelled(), call.done()) == (False, False, True)


async def test_context_variables_do_not_cross(serve):
    """A servicer does not see what its caller has set: over the network it could not."""
    COLOUR.set("red")

    async def get_job(request, context):
        return GetJobResponse(job_name=COLOUR.get())

    world = await serve(GetJob=get_job)
    COLOUR.set("blue")
    seen = (await world.jobs.GetJob(ask())).job_name
    assert seen != "blue"


async def test_a_method_that_nobody_wrote_is_unimplemented(serve):
    """The generated base class answers, for one answer as for a stream."""
    world = await serve()
    assert await outcome(world.jobs.GetJob(ask())) == (
        "UNIMPLEMENTED",
        "Unexpected <class 'NotImplementedError'>: Method not implemented!",
    )
    assert (await outcome(world.jobs.WatchJob(watch()).read()))[0] == "UNIMPLEMENTED"


async def test_an_unknown_method_is_unimplemented(serve):
    """A path that no service has."""
    world = await serve()
    nowhere = world.channel.unary_unary("/lodestream.v1.JobService/Nowhere")
    assert await outcome(nowhere(b"")) == ("UNIMPLEMENTED", "Method not found!")


async def test_abort_ends_the_call_with_its_code_details_and_trailers(serve):
    """All three reach the caller."""

    async def get_job(request, context):
        await context.abort(StatusCode.NOT_FOUND, "no such job", (("reason", "RUN_NOT_FOUND"),))

    world = await serve(GetJob=get_job)
    with pytest.raises(aio.AioRpcError) as caught:
        await world.jobs.GetJob(ask())
    assert (caught.value.code(), caught.value.details()) == (StatusCode.NOT_FOUND, "no such job")
    assert tuple(caught.value.trailing_metadata()) == (("reason", "RUN_NOT_FOUND"),)


async def test_abort_falls_back_on_what_was_set_before(serve):
    """Details and trailers that abort is not given are those of set_details and set_trailing_metadata."""

    async def get_job(request, context):
        context.set_details("set before")
        context.set_trailing_metadata((("set", "before"),))
        await context.abort(StatusCode.ABORTED)

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask())
    assert await outcome(call) == ("ABORTED", "set before")
    assert tuple(await call.trailing_metadata()) == (("set", "before"),)


async def test_a_rich_status_arrives_whole(serve):
    """abort_with_status with google.rpc details, read again with rpc_status."""
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason="RUN_NOT_FOUND", domain="lodestream"))
    status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="There is no such run.", details=[detail])

    async def get_job(request, context):
        await context.abort_with_status(rpc_status.to_status(status))

    world = await serve(GetJob=get_job)
    with pytest.raises(aio.AioRpcError) as caught:
        await world.jobs.GetJob(ask())
    error: Any = caught.value  # has what from_call reads, though the stubs ask for a Call
    assert rpc_status.from_call(error) == status


async def test_abort_counts_even_when_the_servicer_swallows_it(serve):
    """The first abort stands; whatever the servicer still tries raises."""
    tried, all_tried = [], asyncio.Event()

    async def get_job(request, context):
        attempts = [
            lambda: context.abort(StatusCode.NOT_FOUND, "first"),
            lambda: context.abort(StatusCode.ABORTED, "second"),
            lambda: context.send_initial_metadata((("a", "1"),)),
            lambda: context.write(GetJobResponse()),
        ]
        for attempt in attempts:
            try:
                await attempt()
            except aio.BaseError as error:
                tried.append(type(error))
        all_tried.set()
        return GetJobResponse(job_id="too late")

    world = await serve(GetJob=get_job)
    assert await outcome(world.jobs.GetJob(ask())) == ("NOT_FOUND", "first")
    await all_tried.wait()
    assert tried == [aio.AbortError, aio.UsageError, aio.AbortError, aio.AbortError]


async def test_an_abort_error_of_ones_own_is_an_exception_like_any(serve):
    """Only the context can abort."""

    async def get_job(request, context):
        raise aio.AbortError("mine")

    world = await serve(GetJob=get_job)
    assert (await outcome(world.jobs.GetJob(ask())))[0] == "UNKNOWN"


async def test_a_code_that_is_set_fails_the_call(serve):
    """The answer is thrown away, code and details count."""

    async def get_job(request, context):
        context.set_code(StatusCode.FAILED_PRECONDITION)
        context.set_details("not now")
        return GetJobResponse(job_id="thrown away")

    world = await serve(GetJob=get_job)
    assert await outcome(world.jobs.GetJob(ask())) == ("FAILED_PRECONDITION", "not now")


@pytest.mark.parametrize(("given", "code"), [(5, "NOT_FOUND"), ("nonsense", "UNKNOWN"), (99, "UNKNOWN")])
async def test_a_code_may_be_a_number(serve, given, code):
    """A number stands for its status; what is no status is UNKNOWN."""

    async def get_job(request, context):
        context.set_code(given)
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    assert (await outcome(world.jobs.GetJob(ask())))[0] == code


async def test_the_servers_cancelled_is_an_error_not_a_cancellation_of_the_caller(serve):
    """The caller's task is not cancelled by a status."""

    async def get_job(request, context):
        await context.abort(StatusCode.CANCELLED, "by the server")

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask())
    assert await outcome(call) == ("CANCELLED", "by the server")
    assert call.cancelled()


async def test_an_exception_of_the_servicer_is_unknown(serve):
    """Its type and text are the details; trailers that were set still go out."""

    async def get_job(request, context):
        context.set_trailing_metadata((("set", "before"),))
        raise ValueError("what went wrong")

    world = await serve(GetJob=get_job)
    call = world.jobs.GetJob(ask())
    assert await outcome(call) == ("UNKNOWN", "Unexpected <class 'ValueError'>: what went wrong")
    assert tuple(await call.trailing_metadata()) == (("set", "before"),)


async def test_an_exception_takes_the_code_that_was_set(serve):
    """The code of set_code, but the details of the exception."""

    async def get_job(request, context):
        context.set_code(StatusCode.DATA_LOSS)
        context.set_details("not these")
        raise ValueError("these")

    world = await serve(GetJob=get_job)
    assert await outcome(world.jobs.GetJob(ask())) == ("DATA_LOSS", "Unexpected <class 'ValueError'>: these")


async def test_an_answer_that_is_no_message_is_unknown(serve):
    """None cannot be encoded."""

    async def get_job(request, context):
        return None

    world = await serve(GetJob=get_job)
    assert (await outcome(world.jobs.GetJob(ask())))[0] == "UNKNOWN"


async def test_a_request_that_cannot_be_decoded_is_unknown(serve):
    """The servicer does not see it."""
    seen = []

    async def get_job(request, context):
        seen.append(request)
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    raw = world.channel.unary_unary("/lodestream.v1.JobService/GetJob")
    assert (await outcome(raw(b"\xff\xff\xff")))[0] == "UNKNOWN"
    assert seen == []


async def test_a_request_over_the_limit_never_reaches_the_servicer(serve):
    """RESOURCE_EXHAUSTED, with both sizes; one of exactly the limit passes."""
    seen = []

    async def get_job(request, context):
        seen.append(len(request.job_id))
        return GetJobResponse()

    world = await serve(GetJob=get_job, max_bytes=1000)
    largest = ask("x" * 997)
    assert largest.ByteSize() == 1000
    await world.jobs.GetJob(largest)
    code, details = await outcome(world.jobs.GetJob(ask("x" * 998)))
    assert (code, details) == ("RESOURCE_EXHAUSTED", "SERVER: Received message larger than max (1001 vs. 1000)")
    assert seen == [997]


async def test_an_answer_over_the_limit_never_reaches_the_client(serve):
    """RESOURCE_EXHAUSTED, with both sizes; one of exactly the limit passes."""

    async def get_job(request, context):
        return GetJobResponse(job_id="x" * int(request.job_id))

    world = await serve(GetJob=get_job, max_bytes=1000)
    assert len((await world.jobs.GetJob(ask("997"))).job_id) == 997
    code, details = await outcome(world.jobs.GetJob(ask("998")))
    assert code == "RESOURCE_EXHAUSTED"
    assert "CLIENT: Received message larger than max (1001 vs. 1000)" in details


async def test_the_default_limit_is_four_mebibytes(serve):
    """As gRPC has it."""

    async def get_job(request, context):
        return GetJobResponse()

    world = await serve(GetJob=get_job)
    await world.jobs.GetJob(ask("x" * 4_000_000))
    assert (await outcome(world.jobs.GetJob(ask("x" * 4 * 1024 * 1024))))[0] == "RESOURCE_EXHAUSTED"


async def test_the_context_tells_what_was_set_on_it(serve):
    """Nothing first, then what the servicer has set, then what abort has sent."""
    told, all_told = [], asyncio.Event()

    def tell(context):
        told.append((context.code(), context.details(), tuple(context.trailing_metadata()), context.done()))
        if len(told) == 3:
            all_told.set()

    async def get_job(request, context):
        tell(context)
        context.set_code(StatusCode.ABORTED)
        context.set_details("set")
        context.set_trailing_metadata((("a", "1"),))
        tell(context)
        try:
            await context.abort(StatusCode.NOT_FOUND, "aborted")
        finally:
            tell(context)

    world = await serve(GetJob=get_job)
    await outcome(world.jobs.GetJob(ask()))
    await all_told.wait()
    assert told == [
        (None, "", (), False),
        (StatusCode.ABORTED, "set", (("a", "1"),), False),
        (StatusCode.NOT_FOUND, "aborted", (("a", "1"),), True),
    ]


async def test_call_credentials_need_a_secure_channel(serve):
    """Neither an insecure connection nor a call within the process carries them."""
    world = await serve()
    with pytest.raises(aio.UsageError):
        await world.jobs.GetJob(ask(), credentials=grpc.access_token_call_credentials("secret"))
