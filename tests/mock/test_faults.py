"""Faults fire on both doors alike, the journal proves it, and nothing secret stands in it."""

import asyncio

import pytest
from grpc import StatusCode, aio
from lodestream_mock.contract import methods
from lodestream_mock.session.faults import Fault, WrongFault

from lodestream.rich_status import from_call
from tests.mock.world import World, documented_body, request_of


def set_fault(world, method, **fault):
    """Queues a fault for the tenant's session."""
    streaming = [name for name, found in methods().items() if found.streams]
    return world.session.faults.add(Fault("fault-1", method, **fault), list(methods()), streaming)


async def refused(awaitable):
    """The error that a call ends with."""
    with pytest.raises(aio.AioRpcError) as caught:
        await awaitable
    return caught.value


async def test_a_status_fires_once_tells_the_whole_error_and_asks_nobody_to_wait():
    """Then the call is answered again."""
    world = World()
    fault = set_fault(world, "GetJob", reason="QUOTA_EXCEEDED", message="Enough for today.")
    error = await refused(world.call("GetJob"))
    told = from_call(error)
    assert told
    assert (error.code(), told.reason, told.message) == (
        StatusCode.RESOURCE_EXHAUSTED,
        "QUOTA_EXCEEDED",
        "Enough for today.",
    )
    assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "0"
    await world.call("GetJob")
    assert [(entry.code, entry.fault) for entry in world.session.journal.entries] == [
        ("RESOURCE_EXHAUSTED", "fault-1"),
        ("OK", ""),
    ]
    assert fault.fired == 1


async def test_a_code_alone_tells_the_reason_that_goes_with_it():
    """UNAVAILABLE is SERVER_DRAINING, a code without a reason comes bare."""
    world = World()
    set_fault(world, "*", code="unavailable")
    told = from_call(await refused(world.call("GetJob")))
    assert told
    assert told.reason == "SERVER_DRAINING"
    set_fault(world, "*", code="DATA_LOSS")
    error = await refused(world.call("ListJobs"))
    assert (error.code(), from_call(error)) == (StatusCode.DATA_LOSS, None)


async def test_faults_fire_n_times_or_always_in_the_order_in_which_they_were_set():
    """For their method only."""
    world = World()
    set_fault(world, "GetJob", code="INTERNAL", times=2)
    set_fault(world, "GetJob", code="ABORTED", times=0)
    codes = [(await refused(world.call("GetJob"))).code().name for _ in range(4)]
    assert codes == ["INTERNAL", "INTERNAL", "ABORTED", "ABORTED"]
    await world.call("GetOperation")


async def test_a_stream_breaks_after_as_many_messages_as_asked_for():
    """And goes on with its token where it broke."""
    world = World(clock="auto")
    set_fault(world, "WatchJob", kind="reset", after_messages=3)
    call, frames = world.start("WatchJob", replay=True), []

    async def read_all():
        async for frame in call:
            frames.append(frame)

    assert "reset" in ((await refused(read_all())).details() or "")
    assert len(frames) == 3
    rest = await world.frames("WatchJob", resume_token=frames[-1].resume_token)
    numbers = [e.sequence for f in [*frames, *rest] if f.HasField("events") for e in f.events.events]
    assert numbers == list(range(1, 33))


async def test_a_delay_takes_virtual_time_only():
    """The answer is of later."""
    world = World(scenario="job-lifecycle", clock="frozen")
    set_fault(world, "GetJob", kind="delay", delay_ms=645_000)
    assert (await world.call("GetJob")).progress.percentage == 65


async def test_a_stalled_call_ends_with_the_callers_deadline():
    """Nothing else ends it."""
    world = World()
    set_fault(world, "GetJob", kind="stall")
    method = methods()["GetJob"]
    call = world.channel.unary_unary(method.path, method.request.SerializeToString, method.response.FromString)
    error = await refused(call(request_of("GetJob"), timeout=0.05))
    assert error.code() is StatusCode.DEADLINE_EXCEEDED
    await asyncio.sleep(0)  # the servicer sees its end on the loop's next round
    assert world.session.journal.entries[-1].fault == "fault-1"


async def test_a_duplicate_is_a_request_served_twice_or_a_message_told_twice():
    """As a network that repeats would do."""
    world = World(clock="auto")
    set_fault(world, "SubmitJob", kind="duplicate")
    submitted = await world.call("SubmitJob", request_of("SubmitJob", documented_body("SubmitJob", "en")))
    assert submitted.job_id != "ee0e8400-e29b-41d4-a716-446655440000"
    set_fault(world, "WatchJob", kind="duplicate", after_messages=2)
    frames = await world.frames("WatchJob", replay=True)
    assert frames[1] == frames[2]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"method": "GetJobb", "code": "INTERNAL"}, "did you mean GetJob"),
        ({"method": "GetJob", "kind": "explode"}, "use one of status, delay"),
        ({"method": "GetJob", "code": "BROKEN"}, "no status code is called 'BROKEN'"),
        ({"method": "GetJob", "reason": "TIRED"}, "no reason is called 'TIRED'"),
        ({"method": "GetJob"}, "needs a code"),
        ({"method": "GetJob", "code": "INTERNAL", "after_messages": 1}, "is no stream"),
        ({"method": "GetJob", "kind": "delay"}, "needs its length"),
    ],
)
def test_a_fault_that_could_never_fire_is_refused_with_the_fix(fault, told):
    """Unknown words, impossible combinations."""
    with pytest.raises(WrongFault, match=told):
        set_fault(World(), **fault)


async def test_the_journal_hides_credentials_and_secrets():
    """Of metadata and of requests."""
    world = World()
    method = methods()["RegisterWebhook"]
    call = world.channel.unary_unary(method.path, method.request.SerializeToString, method.response.FromString)
    request = request_of("RegisterWebhook", documented_body("RegisterWebhook", "en"))
    await call(request, metadata=(("authorization", "Bearer very-secret"),))
    entry = world.session.journal.entries[-1]
    assert entry.metadata["authorization"] == "Bearer ***"
    assert entry.request["authentication"] == {"type": "hmac-sha256", "secret": "***"}
    assert entry.request["webhookName"] == "Main Operations Webhook"


async def test_the_journal_notes_frames_examples_and_calls_that_the_contract_does_not_have():
    """In order, numbered."""
    world = World(clock="auto")
    await world.frames("WatchJob")
    call = world.channel.unary_unary("/lodestream.v1.JobService/GetJobs")
    await refused(call(b""))
    entry = world.session.journal.entries[0]
    assert (entry.frames[0], entry.frames[-1], entry.provenance) == ("snapshot", "done", "documented")
    stray = world.sessions.of("").journal.entries[-1]
    assert (stray.method, stray.explained) == ("/lodestream.v1.JobService/GetJobs", False)
