"""Runs whose log retention has cut: their end is told all the same, and nothing stops for them."""

import asyncio

import pytest
from lodestream_server.delivery.endpoints import Registration, RetryPolicy, Status, Wishes
from lodestream_server.runs.states import RunKind
from lodestream_server.store.paging import PageRequest
from lodestream_server.store.retention import cut

from lodestream.errors import DeliveryNotFound
from tests.integration.delivery_world import SCOPE, delivering, eventually, receiving, webhook, whole_run


async def test_a_late_subscriber_to_a_cut_job_hears_that_it_completed(tmp_path):
    """With the status it ended in."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        await whole_run(world.store, "job-1", kind=RunKind.JOB, type="Analysis")
        await world.store.write(lambda tx: cut(tx, "job-1"))
        run = await world.store.run("job-1")
        await world.delivery.subscriptions.subscribe(run, Registration(Wishes(("jobCompleted",)), receiver.url()))
        await receiver.until(lambda r: len(r.got) == 1)
    assert (receiver.got[0].said["event"], receiver.got[0].said["status"]) == ("jobCompleted", "Completed")


async def test_a_webhook_that_comes_back_after_a_cut_hears_the_ends_and_then_everything(tmp_path):
    """What was told along the way is gone; the end is not, and the next run is whole."""
    ready = asyncio.Event()
    rule = {"disable_after": 1, "disable_after_s": 0.0}
    async with receiving(lambda _: 200 if ready.is_set() else 500) as receiver:
        async with delivering(tmp_path, **rule) as world:
            hooks = world.delivery.webhooks
            hook = await hooks.register(SCOPE, webhook(receiver.url(), retry=RetryPolicy(0), step=50.0))
            await whole_run(world.store, "op-1")

            async def disabled():
                return (await hooks.get(SCOPE, hook.endpoint_id)).status is Status.DISABLED

            await eventually(disabled)
            await world.store.write(lambda tx: cut(tx, "op-1"))
        # The cut log is read from the store, not from the events that the last server had in memory.
        async with delivering(tmp_path, **rule) as world:
            ready.set()
            assert (await world.delivery.webhooks.ping(SCOPE, hook.endpoint_id)).well
            await receiver.until(lambda r: any(one.said["event"] == "operation.completed" for one in r.taken))
            await whole_run(world.store, "op-2")
            await receiver.until(lambda r: sum(one.said["event"] == "operation.completed" for one in r.taken) == 2)
    heard = [one.said["event"] for one in receiver.taken if one.said.get("operationId") == "op-2"]
    assert heard == [
        "operation.started",
        "operation.progress",
        "operation.phase.completed",
        "operation.completed",
    ]


async def test_of_a_cut_run_the_end_can_be_sent_again_and_the_rest_cannot(tmp_path):
    """Refused with the reason, not with silence."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        hooks = world.delivery.webhooks
        wanted = webhook(receiver.url(), "operation.progress", "operation.completed", step=90.0)
        hook = await hooks.register(SCOPE, wanted)
        await whole_run(world.store, "op-1", 10)

        async def both():
            return (await hooks.get(SCOPE, hook.endpoint_id)).stats.delivered == 2

        await eventually(both)
        await world.store.write(lambda tx: cut(tx, "op-1"))
        log = await hooks.deliveries(SCOPE, hook.endpoint_id, None, PageRequest())
        ids = {one.newest.event: one.newest.delivery_id for one in log.items}
        with pytest.raises(DeliveryNotFound, match="no longer kept"):
            await hooks.redeliver(SCOPE, hook.endpoint_id, ids["operation.progress"])
        await hooks.redeliver(SCOPE, hook.endpoint_id, ids["operation.completed"])
        await receiver.until(lambda r: len(r.got) == 3)
    assert receiver.got[1].said == receiver.got[2].said
