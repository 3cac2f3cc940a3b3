"""Webhooks: what is told, to whom, in which order, how it is signed, and what happens when the receiver fails."""

import asyncio
import sys
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from lodestream_server.delivery.endpoints import Authentication, RetryPolicy, Status
from lodestream_server.runs.bodies import Cancelled, Completed, Failed, Receipt, Requeued, Started
from lodestream_server.runs.states import Priority
from lodestream_server.store.paging import PageRequest
from lodestream_server.store.reading import Scope
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from lodestream import wire
from lodestream.errors import DeliveryNotFound, InvalidField, WebhookNotFound
from lodestream.v1 import webhook_pb2
from tests.integration.clocks import ManualClock
from tests.integration.delivery_world import (
    ALL,
    CLOCK,
    SCOPE,
    SECRET,
    SOON,
    Behaviour,
    Got,
    Receiver,
    delivering,
    eventually,
    receiving,
    steps,
    submit,
    tell,
    webhook,
    whole_run,
)


def _count_is(count: int, receiver: Receiver) -> bool:
    return len(receiver.got) == count


def _events(got: list[Got]) -> list[str]:
    return [one.said["event"] for one in got]


async def test_a_webhook_hears_a_run_in_the_documented_words_and_in_order(tmp_path):
    """Each event once, with the operation, its status and progress, and a token to go on from."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        await world.delivery.webhooks.register(SCOPE, webhook(receiver.url(), step=25.0))
        await whole_run(world.store, "op-1")
        await receiver.until(lambda r: len(r.got) == 6)
    assert _events(receiver.got) == [
        "operation.started",
        *["operation.progress"] * 3,
        "operation.phase.completed",
        "operation.completed",
    ]
    last = receiver.got[-1].said
    assert (last["operationId"], last["status"], last["progress"]) == ("op-1", "Completed", 100)
    assert last["resumeToken"] == "op-1@10"
    assert last["data"]["resultsUrl"].endswith("/async/operation/op-1/results")
    assert [one.said["progress"] for one in receiver.got[1:4]] == [25, 50, 75]
    assert receiver.got[3].said["data"] == {
        "phaseName": "Only",
        "phaseProgress": 75,
        "recordsProcessed": 3,
        "totalRecords": 4,
    }


async def test_signatures_verify_with_an_independent_library_and_with_no_other_secret(tmp_path):
    """The secret's UTF-8 bytes are the key; the body is signed as sent."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        await world.delivery.webhooks.register(SCOPE, webhook(receiver.url()))
        await whole_run(world.store, "op-1")
        await receiver.until(lambda r: len(r.got) >= 3)
    for one in receiver.got:
        Webhook(SECRET.encode()).verify(one.body, one.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(b"another").verify(one.body, one.headers)


async def test_a_bearer_token_and_own_headers_come_along(tmp_path):
    """Without a signature, and the webhook-id is there all the same."""
    hook = {"authentication": Authentication("bearer", "tok-123"), "headers": {"X-Source": "mindzie-api"}}
    async with receiving() as receiver, delivering(tmp_path) as world:
        await world.delivery.webhooks.register(SCOPE, webhook(receiver.url(), **hook))
        await whole_run(world.store, "op-1")
        await receiver.until(lambda r: len(r.got) >= 1)
    headers = receiver.got[0].headers
    assert (headers["authorization"], headers["x-source"]) == ("Bearer tok-123", "mindzie-api")
    assert "webhook-signature" not in headers
    assert headers["webhook-id"].startswith("dlv-")


async def test_filters_let_through_what_was_asked_for(tmp_path):
    """By word, type, priority and project; jobs are no operations."""
    elsewhere = "99999999-9999-4999-8999-999999999999"
    async with receiving() as receiver, delivering(tmp_path) as world:
        wishes = {"types": ("DataEnrichment",), "priorities": (Priority.HIGH, Priority.CRITICAL)}
        await world.delivery.webhooks.register(SCOPE, webhook(receiver.url(), "operation.completed", **wishes))
        await whole_run(world.store, "op-low", priority=Priority.LOW)
        await whole_run(world.store, "op-other", type="ReportGeneration", priority=Priority.HIGH)
        await whole_run(world.store, "op-foreign", project_id=elsewhere, priority=Priority.HIGH)
        await whole_run(world.store, "op-high", priority=Priority.HIGH)
        await receiver.until(lambda r: len(r.got) >= 1)
        await whole_run(world.store, "op-critical", priority=Priority.CRITICAL)
        await receiver.until(lambda r: len(r.got) >= 2)
    assert [one.said["operationId"] for one in receiver.got] == ["op-high", "op-critical"]
    assert set(_events(receiver.got)) == {"operation.completed"}


async def test_own_workloads_pass_the_filter_as_custom(tmp_path):
    """All of them, whatever their names; documented types do not."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        wishes = {"types": ("Custom",)}
        await world.delivery.webhooks.register(SCOPE, webhook(receiver.url(), "operation.completed", **wishes))
        await whole_run(world.store, "op-documented")
        await whole_run(world.store, "op-own", type="TopActivities")
        await receiver.until(lambda r: len(r.got) >= 1)
    assert [(one.said["operationId"], one.said["type"]) for one in receiver.got] == [("op-own", "TopActivities")]


async def test_progress_is_told_in_steps_of_the_registered_size_at_least(tmp_path):
    """A hundred reports, a tenth of them told."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        hook = webhook(receiver.url(), "operation.progress", "operation.completed", step=10.0)
        await world.delivery.webhooks.register(SCOPE, hook)
        await whole_run(world.store, "op-1", 100)
        await receiver.until(lambda r: "operation.completed" in _events(r.got))
    told = [one.said["progress"] for one in receiver.got[:-1]]
    assert all(later - earlier >= 10 for earlier, later in pairwise([0, *told]))
    assert len(told) == 9


async def test_failures_and_cancellations_say_why(tmp_path):
    """The error of a failed run, the receipt of a cancelled one."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        hook = webhook(receiver.url(), "operation.failed", "operation.cancelled")
        await world.delivery.webhooks.register(SCOPE, hook)
        await submit(world.store, "op-1")
        await tell(world.store, "op-1", *steps(1)[:2], Failed("BAD_INPUT", "The log has no rows.", "Only"))
        await submit(world.store, "op-2")
        await tell(world.store, "op-2", Cancelled(Receipt("none")))
        await receiver.until(lambda r: len(r.got) == 2)
    by_run = {one.said["operationId"]: one.said for one in receiver.got}
    assert by_run["op-1"]["status"] == "Failed"
    assert by_run["op-1"]["data"]["error"] == {
        "reason": "BAD_INPUT",
        "message": "The log has no rows.",
        "stage": "Only",
    }
    assert by_run["op-2"]["event"] == "operation.cancelled"


@pytest.mark.parametrize("fault", [500, 404, 301, "reset", "slow"])
async def test_what_was_not_taken_is_sent_again_with_the_same_id_and_before_anything_later(tmp_path, fault):
    """The first two attempts of each delivery fail; the run's order holds."""
    seen: dict[str, int] = {}

    def behave(got: Got):
        seen[got.id] = seen.get(got.id, 0) + 1
        return 200 if seen[got.id] > 2 else fault

    async with receiving(behave) as receiver, delivering(tmp_path, attempt_s=0.2) as world:
        await world.delivery.webhooks.register(SCOPE, webhook(receiver.url(), step=50.0))
        await whole_run(world.store, "op-1", 2)
        await receiver.until(lambda r: len(r.taken) == 4)
    assert [one.id for one in receiver.got[::3]] == [one.id for one in receiver.taken]
    assert len(receiver.got) == 12
    assert len({one.body for one in receiver.got}) == 4


async def test_one_run_that_is_refused_holds_up_no_other(tmp_path):
    """Order is kept per run; others go on side by side."""

    def behave(got: Got):
        return 503 if got.said["operationId"] == "op-stuck" else 200

    slow = RetryPolicy(5, 60.0)
    async with receiving(behave) as receiver, delivering(tmp_path) as world:
        await world.delivery.webhooks.register(SCOPE, webhook(receiver.url(), "operation.completed", retry=slow))
        await whole_run(world.store, "op-stuck")
        for number in range(20):
            await whole_run(world.store, f"op-{number}")
        await receiver.until(lambda r: len(r.taken) == 20)
    assert sum(one.said["operationId"] == "op-stuck" for one in receiver.got) == 1


async def test_the_delivery_log_shows_attempts_and_what_became_of_them(tmp_path):
    """Status codes, faults, times to the answer; stats count what the log says."""
    answers: list[Behaviour] = [500, "reset", 200]
    async with receiving(lambda _: answers.pop(0)) as receiver, delivering(tmp_path) as world:
        hooks = world.delivery.webhooks
        hook = await hooks.register(SCOPE, webhook(receiver.url(), "operation.completed"))
        await whole_run(world.store, "op-1")
        await _settled(world, hook)
        page = await hooks.deliveries(SCOPE, hook.endpoint_id, None, PageRequest())
        stats = (await hooks.get(SCOPE, hook.endpoint_id)).stats
        assert (await hooks.deliveries(SCOPE, hook.endpoint_id, "FAILED", PageRequest())).items == ()
    (delivery,) = page.items
    assert (delivery.standing, delivery.newest.run_id, delivery.newest.event) == (
        "DELIVERED",
        "op-1",
        "operation.completed",
    )
    assert [one.status_code for one in delivery.attempts] == [500, None, 200]
    assert "closed" in (delivery.attempts[1].error or "") or "broke" in (delivery.attempts[1].error or "")
    assert (stats.begun, stats.delivered, stats.failed) == (1, 1, 0)
    assert stats.mean_answer_s is not None
    assert stats.last_delivery is not None


async def test_a_delivery_is_given_up_after_the_registered_attempts_and_can_be_sent_again(tmp_path):
    """Failed, then asked for again, then delivered with the same id and body."""
    ready = asyncio.Event()
    async with receiving(lambda _: 200 if ready.is_set() else 500) as receiver, delivering(tmp_path) as world:
        hooks = world.delivery.webhooks
        policy = RetryPolicy(2, 0.01, 1.0, 1.0)
        hook = await hooks.register(SCOPE, webhook(receiver.url(), "operation.completed", retry=policy))
        await whole_run(world.store, "op-1")
        await _settled(world, hook, failed=1)
        ready.set()
        asked = await hooks.redeliver(SCOPE, hook.endpoint_id, receiver.got[0].id)
        assert asked.standing == "PENDING"
        await _settled(world, hook, delivered=1)
        (delivery,) = (await hooks.deliveries(SCOPE, hook.endpoint_id, "DELIVERED", PageRequest())).items
        stats = (await hooks.get(SCOPE, hook.endpoint_id)).stats
        with pytest.raises(DeliveryNotFound):
            await hooks.redeliver(SCOPE, hook.endpoint_id, "dlv-none")
    assert [one.status_code for one in delivery.attempts if one.outcome != "tried" or one.status_code] == [
        500,
        500,
        500,
        200,
    ]
    assert len({(one.id, one.body) for one in receiver.got}) == 1
    assert (stats.begun, stats.delivered, stats.failed) == (1, 1, 0)


async def test_asking_twice_at_once_sends_once_again(tmp_path):
    """Whoever comes second gets what the first one asked for; nothing of it is left behind."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        hooks = world.delivery.webhooks
        hook = await hooks.register(SCOPE, webhook(receiver.url(), "operation.completed"))
        await whole_run(world.store, "op-1")
        await receiver.until(lambda r: len(r.taken) == 1)

        async def delivered():
            return (await hooks.deliveries(SCOPE, hook.endpoint_id, "DELIVERED", PageRequest())).items

        ((delivery),) = await eventually(delivered)
        name = delivery.newest.delivery_id
        asked = await asyncio.gather(*(hooks.redeliver(SCOPE, hook.endpoint_id, name) for _ in range(5)))
        assert {one.standing for one in asked} == {"PENDING"}
        (delivery,) = await eventually(delivered)
        assert [one.outcome for one in delivery.attempts] == ["delivered", "tried", "delivered"]
        assert len(receiver.got) == 2
        stats = (await hooks.get(SCOPE, hook.endpoint_id)).stats
        assert (stats.begun, stats.delivered, stats.failed) == (1, 1, 0)


async def test_waits_grow_by_the_registered_factor_up_to_the_cap(tmp_path):
    """60 s, 120 s, then never more than 150 s, a fifth more or less; the clock is the test's."""
    clock = ManualClock()
    policy = RetryPolicy(4, 60.0, 2.0, 150.0)
    async with receiving(lambda _: 500) as receiver, delivering(tmp_path, clock=clock) as world:
        hooks = world.delivery.webhooks
        hook = await hooks.register(SCOPE, webhook(receiver.url(), "operation.completed", retry=policy))
        await whole_run(world.store, "op-1")
        waits = []
        for attempt in range(1, 5):
            await receiver.until(partial(_count_is, attempt))
            newest = await _attempt_number(world, hook, attempt)
            waits.append((newest.next - newest.time) / timedelta(seconds=1))
            clock.advance(waits[-1])
        await receiver.until(lambda r: len(r.got) == 5)
        await _settled(world, hook, failed=1)
    for wait, expected in zip(waits, (60, 120, 150, 150), strict=True):
        assert 0.8 * expected <= wait <= 1.2 * expected


async def test_a_receiver_says_when_to_come_again(tmp_path):
    """Retry-After counts where it is longer than the policy's wait."""
    clock = ManualClock()
    async with receiving(lambda _: (429, "retry-after: 600")) as receiver, delivering(tmp_path, clock=clock) as world:
        hook = webhook(receiver.url(), "operation.completed", retry=RetryPolicy(5, 1.0, 1.0, 3600.0))
        made = await world.delivery.webhooks.register(SCOPE, hook)
        await whole_run(world.store, "op-1")
        newest = await _attempt_number(world, made, 1)
    assert newest.next - newest.time >= timedelta(seconds=480)


async def test_secrets_rotate_without_a_gap(tmp_path):
    """For a day both secrets verify, afterwards the new one alone; one that was made here is shown once."""
    clock = ManualClock()
    clock.advance((CLOCK.now() - clock.now()).total_seconds())
    async with receiving() as receiver, delivering(tmp_path, clock=clock) as world:
        hooks = world.delivery.webhooks
        hook = await hooks.register(SCOPE, webhook(receiver.url(), "operation.completed"))
        rotated = await hooks.rotate(SCOPE, hook.endpoint_id)
        assert rotated.secret is not None
        assert (await hooks.rotate(SCOPE, hook.endpoint_id, "chosen-by-caller")).secret is None
        await whole_run(world.store, "op-1")
        await receiver.until(lambda r: len(r.got) == 1)
        clock.advance(24 * 3600 + 1)
        await whole_run(world.store, "op-2")
        await receiver.until(lambda r: len(r.got) == 2)
    both, one = (got.headers["webhook-signature"].split(" ") for got in receiver.got)
    assert (len(both), len(one)) == (2, 1)
    for secret in ("chosen-by-caller", rotated.secret):
        Webhook(secret.encode()).verify(receiver.got[0].body, receiver.got[0].headers)


async def test_a_webhook_that_only_fails_is_disabled_and_a_good_ping_takes_it_up_where_it_stopped(tmp_path):
    """Nothing that happened meanwhile is lost."""
    ready = asyncio.Event()
    never = RetryPolicy(0)
    rule = {"disable_after": 3, "disable_after_s": 0.0}
    async with receiving(lambda _: 200 if ready.is_set() else 500) as receiver, delivering(tmp_path, **rule) as world:
        hooks = world.delivery.webhooks
        hook = await hooks.register(SCOPE, webhook(receiver.url(), "operation.completed", retry=never))
        for number in range(3):
            await whole_run(world.store, f"op-{number}")
            await _settled(world, hook, failed=number + 1)
        assert (await hooks.get(SCOPE, hook.endpoint_id)).status is Status.DISABLED
        await whole_run(world.store, "op-late")
        assert (await hooks.ping(SCOPE, hook.endpoint_id)).status == 500
        assert (await hooks.get(SCOPE, hook.endpoint_id)).status is Status.DISABLED
        ready.set()
        assert (await hooks.ping(SCOPE, hook.endpoint_id)).well
        await receiver.until(lambda r: any(one.said.get("operationId") == "op-late" for one in r.taken))
        assert (await hooks.get(SCOPE, hook.endpoint_id)).status is Status.ACTIVE


async def test_a_receiver_that_says_gone_is_left_alone(tmp_path):
    """410 disables at once."""
    async with receiving(lambda _: 410) as receiver, delivering(tmp_path) as world:
        hooks = world.delivery.webhooks
        hook = await hooks.register(SCOPE, webhook(receiver.url(), "operation.completed"))
        await whole_run(world.store, "op-1")
        await _settled(world, hook, failed=1)
        assert (await hooks.get(SCOPE, hook.endpoint_id)).status is Status.DISABLED
    assert len(receiver.got) == 1


async def test_a_deleted_webhook_hears_nothing_more_and_is_not_found(tmp_path):
    """Also from another project it was never there."""
    async with receiving() as receiver, receiving() as other, delivering(tmp_path) as world:
        hooks = world.delivery.webhooks
        gone = await hooks.register(SCOPE, webhook(receiver.url()))
        await hooks.register(SCOPE, webhook(other.url(), "operation.completed"))
        with pytest.raises(WebhookNotFound):
            await hooks.get(Scope(SCOPE.tenant_id, "99999999-9999-4999-8999-999999999999"), gone.endpoint_id)
        await hooks.delete(SCOPE, gone.endpoint_id)
        with pytest.raises(WebhookNotFound):
            await hooks.delete(SCOPE, gone.endpoint_id)
        await whole_run(world.store, "op-1")
        await other.until(lambda r: len(r.got) == 1)
    assert receiver.got == []


async def test_lists_are_newest_first_and_continue(tmp_path):
    """Webhooks and deliveries alike, each in the list once."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        hooks = world.delivery.webhooks
        made = [
            await hooks.register(SCOPE, webhook(receiver.url(), "operation.completed", name=str(n))) for n in range(5)
        ]
        first = await hooks.list(SCOPE, PageRequest(page_size=3))
        rest = await hooks.list(SCOPE, PageRequest(page_size=3, page_token=first.next_token))
        for number in range(5):
            await whole_run(world.store, f"op-{number}")
        for one in made:
            await _settled(world, one, delivered=5)
        log = await hooks.deliveries(SCOPE, made[0].endpoint_id, "DELIVERED", PageRequest(page_size=3))
        older = await hooks.deliveries(
            SCOPE, made[0].endpoint_id, "DELIVERED", PageRequest(page_size=3, page_token=log.next_token)
        )
    assert [one.registration.name for one in (*first.items, *rest.items)] == ["4", "3", "2", "1", "0"]
    assert rest.next_token is None
    assert {one.newest.run_id for one in (*log.items, *older.items)} == {f"op-{n}" for n in range(5)}
    assert (len(log.items), len(older.items), older.next_token) == (3, 2, None)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("webhook_url", {"address": "http://user:secret@example.org/"}),
        ("headers.Host", {"headers": {"Host": "elsewhere"}}),
        ("headers.webhook-id", {"headers": {"webhook-id": "mine"}}),
        ("headers.X-Two", {"headers": {"X-Two": "a\r\nX-Smuggled: b"}}),
        ("headers.X Y", {"headers": {"X Y": "a"}}),
        ("authentication.secret", {"authentication": Authentication("hmac-sha256", "")}),
        ("authentication.token", {"authentication": Authentication("bearer", "a\nb")}),
    ],
)
async def test_registrations_that_cannot_work_are_refused_by_field(tmp_path, field, changes):
    """And the refusal repeats no secret."""
    async with delivering(tmp_path) as world:
        with pytest.raises(InvalidField) as refused:
            await world.delivery.webhooks.register(SCOPE, webhook("http://example.org/", **changes))
    assert refused.value.violations[0].field == field
    assert "secret@" not in str(refused.value)


async def test_a_second_start_after_a_hand_back_is_no_second_telling(tmp_path):
    """The same attempt on another worker goes on; only a new attempt is told."""
    async with receiving() as receiver, delivering(tmp_path) as world:
        hook = webhook(receiver.url(), "operation.started", "operation.completed")
        await world.delivery.webhooks.register(SCOPE, hook)
        await submit(world.store, "op-1")
        again = Requeued("SERVER_RESTARTED"), Started(1, "node", 2, "exec-2")
        await tell(world.store, "op-1", Started(1, "node", 1, "exec-1"), *again, Completed())
        await receiver.until(lambda r: "operation.completed" in _events(r.got))
    assert _events(receiver.got) == ["operation.started", "operation.completed"]


def test_every_documented_webhook_word_is_in_the_world():
    """The tests' default registration asks for all of the contract's words, and the quick policy is no default."""
    assert set(wire.words(webhook_pb2.WebhookEvent.DESCRIPTOR, "en").values()) == set(ALL)
    assert RetryPolicy() != SOON


async def _settled(world, hook, delivered: int = 0, failed: int = 0):
    """Waits until so many deliveries are settled; one delivered when nothing is said."""
    wanted = (delivered or failed) or 1

    async def look():
        stats = (await world.delivery.webhooks.get(SCOPE, hook.endpoint_id)).stats
        return (stats.failed if failed else stats.delivered) >= wanted

    await eventually(look)


async def _attempt_number(world, hook, number: int):
    """The newest attempt, once there are so many."""

    async def look():
        page = await world.delivery.webhooks.deliveries(SCOPE, hook.endpoint_id, None, PageRequest())
        return page.items[0].newest if page.items and len(page.items[0].attempts) == number else None

    return await eventually(look)


async def test_the_receiver_of_the_examples_takes_a_delivery_once(tmp_path):
    """It prints what it was told; sent again, it answers and prints nothing."""
    example = Path(__file__).parents[2] / "examples" / "receive_webhooks.py"
    async with receiving() as free:
        port = free.port
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(example), str(port), "a-shared-secret", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with delivering(tmp_path) as world:
            hooks, signed = world.delivery.webhooks, Authentication("hmac-sha256", "a-shared-secret")
            # Long enough for an interpreter to start.
            patient = RetryPolicy(20, 0.05, 1.5, 2.0)
            hook = webhook(f"http://127.0.0.1:{port}/", "operation.completed", authentication=signed, retry=patient)
            made = await hooks.register(SCOPE, hook)
            await whole_run(world.store, "op-1")
            assert (await process.stdout.readline()).decode() == "operation.completed op-1 100\n"
            await _settled(world, made)
            (delivery,) = (await hooks.deliveries(SCOPE, made.endpoint_id, None, PageRequest())).items
            await hooks.redeliver(SCOPE, made.endpoint_id, delivery.newest.delivery_id)
            await _settled(world, made)
            await whole_run(world.store, "op-2")
            assert (await process.stdout.readline()).decode() == "operation.completed op-2 100\n"
    finally:
        process.kill()
        await process.wait()
