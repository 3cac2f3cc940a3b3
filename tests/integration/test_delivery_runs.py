"""What belongs to one run: callbacks, subscriptions, e-mail and Slack; each on its own, none held up by another."""

import pytest
from lodestream_server.delivery.endpoints import Authentication, Registration, RetryPolicy, Status, Wishes
from lodestream_server.runs.bodies import Cancelled, Completed, Failed, Logged, PhaseStarted, Receipt, Started
from lodestream_server.runs.states import RunKind

from lodestream.errors import InvalidField, SubscriptionNotFound
from tests.integration.clocks import ManualClock
from tests.integration.delivery_world import (
    Got,
    World,
    delivering,
    eventually,
    receiving,
    steps,
    submit,
    tell,
    whole_run,
)

JOB = {"kind": RunKind.JOB, "type": "Analysis"}
WORDS = ("stageStarted", "stageCompleted", "progressUpdate", "error", "warning", "jobCompleted")


def _paths(got: list[Got]) -> list[str]:
    return [one.path for one in got]


def _subscription(url: str, *events: str, **wishes) -> Registration:
    return Registration(Wishes(events or WORDS, **wishes), url, authentication=Authentication("bearer", "a-token"))


async def _counts(world: World, run_id: str, settled: int):
    async def look():
        counts = await world.delivery.subscriptions.callbacks(run_id)
        return counts if counts.successful + counts.failed >= settled else None

    return await eventually(look)


async def _standing(world: World, run, status: Status):
    async def look():
        (found,) = await world.delivery.subscriptions.list(run)
        return found if found.status is status else None

    return await eventually(look)


async def test_callbacks_are_called_for_what_they_are_named_and_counted(tmp_path):
    """Progress in steps, then completion; the error address hears nothing of a run that completed."""
    async with receiving() as receiver, delivering(tmp_path, callback_step=25.0) as world:
        callbacks = {name: receiver.url(f"/{name}") for name in ("onProgress", "onCompletion", "onError")}
        await whole_run(world.store, "op-1", 8, extras={"callbacks": callbacks})
        counts = await _counts(world, "op-1", 4)
    assert sorted(_paths(receiver.got)) == ["/onCompletion", "/onProgress", "/onProgress", "/onProgress"]
    assert [one.said["progress"] for one in receiver.got if one.path == "/onProgress"] == [25, 50, 75]
    assert (counts.progress_sent, counts.successful, counts.failed) == (3, 4, 0)
    assert counts.last_progress is not None


@pytest.mark.parametrize("end", [Failed("INTERNAL", "broke"), Cancelled(Receipt("none"))])
async def test_on_error_is_called_for_every_end_but_completion(tmp_path, end):
    """Also for a run that never began."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        callbacks = {name: receiver.url(f"/{name}") for name in ("onCompletion", "onError")}
        await submit(world.store, "op-1", extras={"callbacks": callbacks})
        if isinstance(end, Failed):
            await tell(world.store, "op-1", Started(1, "node", 1, "exec-1"))
        await tell(world.store, "op-1", end)
        await receiver.until(lambda r: len(r.got) == 1)
    assert _paths(receiver.got) == ["/onError"]


async def test_a_dead_progress_address_holds_up_no_completion(tmp_path):
    """Each callback is served on its own."""
    slow = RetryPolicy(5, 60.0)

    def behave(got: Got):
        return 200 if got.path == "/onCompletion" else 500

    async with receiving(behave) as receiver, delivering(tmp_path, retry=slow) as world:
        callbacks = {name: receiver.url(f"/{name}") for name in ("onProgress", "onCompletion")}
        await whole_run(world.store, "op-1", 8, extras={"callbacks": callbacks})
        await receiver.until(lambda r: bool(r.taken))
    assert _paths(receiver.taken) == ["/onCompletion"]


async def test_callbacks_of_a_run_submitted_while_delivery_was_down_are_called(tmp_path):
    """What a submission asks for is found in the log, not in memory."""
    async with receiving() as receiver:
        async with delivering(tmp_path) as world:
            await world.delivery.close()
            await whole_run(world.store, "op-1", extras={"callbacks": {"onCompletion": receiver.url()}})
        async with delivering(tmp_path):
            await receiver.until(lambda r: len(r.got) == 1)
    assert receiver.got[0].said["event"] == "operation.completed"


async def test_what_was_told_is_not_told_again_after_a_restart(tmp_path):
    """Endpoints of ended runs are done; the next server leaves them alone."""
    async with receiving() as receiver:
        async with delivering(tmp_path) as world:
            await whole_run(world.store, "op-1", extras={"callbacks": {"onCompletion": receiver.url()}})
            await _counts(world, "op-1", 1)
        async with delivering(tmp_path) as world:
            await whole_run(world.store, "op-2", extras={"callbacks": {"onCompletion": receiver.url()}})
            await _counts(world, "op-2", 1)
    assert [one.said["operationId"] for one in receiver.got] == ["op-1", "op-2"]


async def test_a_subscription_hears_a_job_from_now_on_to_its_end(tmp_path):
    """Stages, steps, errors and warnings in order, with the token; then nothing more is to come."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        await submit(world.store, "job-1", **JOB)
        run = await world.store.run("job-1")
        made = await world.delivery.subscriptions.subscribe(run, _subscription(receiver.url(), step=50.0))
        noted = Logged("ERROR", "A row is odd.", phase="Only", details={"row": 3})
        await tell(world.store, "job-1", *steps(2)[:3], noted, *steps(2)[3:], Completed())
        await receiver.until(lambda r: len(r.got) == 5)
        found = await _standing(world, run, Status.DONE)
    said = [one.said for one in receiver.got]
    assert [one["event"] for one in said] == [
        "stageStarted",
        "progressUpdate",
        "error",
        "stageCompleted",
        "jobCompleted",
    ]
    assert said[2]["data"] == {
        "stageName": "Only",
        "level": "ERROR",
        "message": "A row is odd.",
        "details": {"row": 3},
    }
    assert {one["jobId"] for one in said} == {"job-1"}
    assert receiver.got[0].headers["authorization"] == "Bearer a-token"
    assert made.expires is not None
    assert (made.expires - made.created).total_seconds() == 8 * 3600
    assert found.stats.delivered == 5


@pytest.mark.parametrize("end", [Completed(), Failed("INTERNAL", "broke"), Cancelled(Receipt("none"))])
async def test_job_completed_is_sent_for_every_end_and_to_late_subscribers_too(tmp_path, end):
    """The status says which end it was."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        await submit(world.store, "job-1", **JOB)
        start = () if isinstance(end, Cancelled) else (Started(1, "node", 1, "exec-1"),)
        await tell(world.store, "job-1", *start, end)
        run = await world.store.run("job-1")
        await world.delivery.subscriptions.subscribe(run, _subscription(receiver.url(), "jobCompleted"))
        await receiver.until(lambda r: len(r.got) == 1)
    assert receiver.got[0].said["event"] == "jobCompleted"
    assert receiver.got[0].said["status"] == type(end).__name__


async def test_a_subscription_ends_after_its_time(tmp_path):
    """Eight hours on, it is shown as expired and hears nothing."""
    clock = ManualClock()
    async with receiving() as receiver, delivering(tmp_path, clock=clock) as world:
        await submit(world.store, "job-1", **JOB)
        run = await world.store.run("job-1")
        made = await world.delivery.subscriptions.subscribe(run, _subscription(receiver.url()))
        assert made.status_at(clock.now()) is Status.ACTIVE
        clock.advance(8 * 3600)
        assert made.status_at(clock.now()) is Status.EXPIRED
        await tell(world.store, "job-1", *steps(1), Completed())
        await _standing(world, run, Status.EXPIRED)
    assert receiver.got == []


async def test_a_subscription_can_be_ended(tmp_path):
    """Once; then there is none. An address that cannot be called makes none."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        await submit(world.store, "job-1", **JOB)
        run, subscriptions = await world.store.run("job-1"), world.delivery.subscriptions
        made = await subscriptions.subscribe(run, _subscription(receiver.url()))
        await subscriptions.delete(run, made.endpoint_id)
        with pytest.raises(SubscriptionNotFound):
            await subscriptions.delete(run, made.endpoint_id)
        with pytest.raises(InvalidField):
            await subscriptions.subscribe(run, _subscription(""))
        await tell(world.store, "job-1", Started(1, "node", 1, "exec-1"), PhaseStarted("Only", 1), Completed())
        assert await subscriptions.list(run) == ()
    assert receiver.got == []
