"""A small round of the proof in tests/acceptance: kills of the sender, a receiver that fails, nothing lost."""

from datetime import datetime
from functools import partial

from lodestream_server.delivery import attempt_log, rows
from lodestream_server.delivery.attempts import Attempt, DisablingRule, Outcome, ask_again, record

from tests.integration.delivery_chaos import survive
from tests.integration.delivery_world import CLOCK, SCOPE, World, delivering, eventually, receiving, webhook, whole_run


async def test_every_event_arrives_though_the_sender_dies_and_the_receiver_fails(tmp_path):
    """In order, signed, with the same id and body however often it is sent."""
    figures = await survive(tmp_path, runs=20, kills=4, seed=7, seconds=60)
    assert figures.arrived == figures.events == 200
    assert figures.requests > figures.arrived


async def test_what_happened_while_nobody_served_is_told_after_the_next_start(tmp_path):
    """The cursor says from where."""
    async with receiving() as receiver:
        async with delivering(tmp_path) as world:
            await world.delivery.webhooks.register(SCOPE, webhook(receiver.url(), "operation.completed"))
            await whole_run(world.store, "op-1")
            await receiver.until(lambda r: len(r.got) == 1)
            await world.delivery.close()
            await whole_run(world.store, "op-2")
        async with delivering(tmp_path):
            await receiver.until(lambda r: r.got[-1].said["operationId"] == "op-2")
    # The first may come twice: it was closed before the answer could be written down.
    assert list(dict.fromkeys(one.said["operationId"] for one in receiver.got)) == ["op-1", "op-2"]
    assert len({one.id for one in receiver.got}) == 2


async def test_a_wait_goes_on_after_a_restart_with_the_attempts_already_made(tmp_path):
    """At least one was written down before the restart, and counts; it stays one delivery."""
    ready: list[bool] = []
    async with receiving(lambda _: 200 if ready else 500) as receiver:
        async with delivering(tmp_path) as world:
            hook = await world.delivery.webhooks.register(SCOPE, webhook(receiver.url(), "operation.completed"))
            await whole_run(world.store, "op-1")
            await receiver.until(lambda r: len(r.got) >= 2)
        ready.append(True)
        async with delivering(tmp_path) as world:
            await receiver.until(lambda r: bool(r.taken))
            found = await eventually(lambda: _delivered(world, hook.number, receiver.got[0].id))
    assert found.newest.ordinal >= 2
    assert len({one.id for one in receiver.got}) == 1


async def test_what_was_asked_for_again_is_sent_after_a_restart(tmp_path):
    """The asking is durable; so is what it answered."""
    async with receiving() as receiver:
        async with delivering(tmp_path) as world:
            hooks = world.delivery.webhooks
            hook = await hooks.register(SCOPE, webhook(receiver.url(), "operation.completed"))
            await whole_run(world.store, "op-1")
            await receiver.until(lambda r: len(r.got) == 1)
            await eventually(lambda: _delivered(world, hook.number, receiver.got[0].id))
            await world.delivery.close()
            await hooks.redeliver(SCOPE, hook.endpoint_id, receiver.got[0].id)
        async with delivering(tmp_path):
            await receiver.until(lambda r: len(r.got) >= 2)
    assert receiver.got[0].id == receiver.got[1].id


async def test_pruning_takes_what_is_settled_and_old_and_nothing_else(tmp_path):
    """An open delivery keeps its attempts."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        hook = await world.delivery.webhooks.register(SCOPE, webhook(receiver.url(), "operation.completed"))
        await whole_run(world.store, "op-1")
        await receiver.until(lambda r: len(r.got) == 1)
        await eventually(lambda: _delivered(world, hook.number, receiver.got[0].id))
        now = CLOCK.now()
        open_ = Attempt("dlv-open", "op-1", 1, 1, "operation.completed", 1, now, now, "retry", 500)
        await world.store.write(lambda tx: record(tx, hook.number, open_, None, DisablingRule(9, 9.0)))
        assert await _pruned(world, now) <= 1
        later = CLOCK.now()
        await world.store.write(lambda tx: rows.move(tx, hook.number, world.store.position))
        await _pruned(world, later)
        left = await world.store.read(lambda db: attempt_log.unsettled(db, hook.number))
        assert await world.store.read(lambda db: attempt_log.find(db, hook.number, receiver.got[0].id)) is None
    assert [one.delivery_id for one in left] == ["dlv-open"]


async def test_what_is_asked_for_again_keeps_its_attempts(tmp_path):
    """Between the look and the step; and what settled a delivery goes last."""
    async with delivering(tmp_path) as world:
        hook = await world.delivery.webhooks.register(SCOPE, webhook("http://127.0.0.1:1/hook", "operation.completed"))
        await world.delivery.close()
        now, rule = CLOCK.now(), DisablingRule(9, 9.0)
        for name in ("dlv-one", "dlv-two"):
            outcomes: tuple[Outcome, ...] = ("retry", "delivered")
            for number, outcome in enumerate(outcomes, start=1):
                made = Attempt(name, "op-1", 1, 0, "operation.completed", number, now, now, outcome, 200)
                await world.store.write(partial(record, endpoint=hook.number, attempt=made, cursor=None, rule=rule))
        old = await world.store.read(partial(attempt_log.old, before=CLOCK.now(), most=3))
        assert len(old) == 3
        await world.store.write(partial(ask_again, endpoint=hook.number, newest=made, now=now))
        assert await world.store.write(partial(attempt_log.prune, numbers=old)) == 2
        assert await world.store.read(lambda db: attempt_log.find(db, hook.number, "dlv-one")) is None
        kept = await world.store.read(lambda db: attempt_log.find(db, hook.number, "dlv-two"))
        assert kept is not None
        assert [one.outcome for one in kept.attempts] == ["tried", "delivered", "asked"]


async def _pruned(world: World, before: datetime) -> int:
    numbers = await world.store.read(partial(attempt_log.old, before=before, most=100))
    return await world.store.write(partial(attempt_log.prune, numbers=numbers))


async def _delivered(world: World, number: int, delivery_id: str):
    found = await world.store.read(lambda db: attempt_log.find(db, number, delivery_id))
    return found if found is not None and found.standing == "DELIVERED" else None
