"""What belongs to one run: callbacks, subscriptions, e-mail and Slack; each on its own, none held up by another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_string, policy
from urllib.parse import urlsplit

import orjson
import pytest
from lodestream_server.delivery import rows
from lodestream_server.delivery.endpoints import Authentication, Kind, Registration, RetryPolicy, Status, Wishes
from lodestream_server.delivery.settings import MailSettings, SlackSettings
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


@asynccontextmanager
async def _smtp(refuse: int = 0) -> AsyncIterator[tuple[int, list[tuple[list[str], str]]]]:
    """A mail server of a few lines: port, and (recipients, text) of each message; refuses the first few."""
    mails: list[tuple[list[str], str]] = []
    left = refuse

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        people: list[str] = []
        writer.write(b"220 ready\r\n")
        while line := (await reader.readline()).decode().strip():
            word = line.upper()
            if word.startswith("RCPT"):
                people.append(line.partition("<")[2].partition(">")[0])
            if word.startswith("DATA") and left > 0:
                left -= 1
                writer.write(b"451 later\r\n")
            elif word.startswith("DATA"):
                writer.write(b"354 go\r\n")
                mails.append((people, (await reader.readuntil(b"\r\n.\r\n")).decode()))
                people = []
                writer.write(b"250 taken\r\n")
            else:
                writer.write(b"221 bye\r\n" if word.startswith("QUIT") else b"250 fine\r\n")
            if word.startswith("QUIT"):
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], mails


async def test_people_get_one_mail_about_the_end_also_when_the_server_is_busy_at_first(tmp_path):
    """To all who asked, with the facts and a link."""
    async with _smtp(refuse=2) as (port, mails):
        mail = MailSettings("127.0.0.1", "lodestream@example.org", port, tls="none")
        async with delivering(tmp_path, mail=mail, public_url="https://lodestream.example") as world:
            asked = {"notifications": {"email": ["ann@example.org", "bob@example.org"]}}
            await whole_run(world.store, "op-1", name="Ümit\r\nBcc: eve@example.org", extras=asked)
            await _done(world, "op-1")
    ((people, raw),) = mails
    message = message_from_string(raw, policy=policy.default)
    assert people == ["ann@example.org", "bob@example.org"]
    assert message["Subject"] == "Operation Ümit Bcc: eve@example.org: Completed"
    assert message["Bcc"] is None
    assert "https://lodestream.example/api/" in message.get_content()


async def test_a_job_tells_people_of_the_ends_they_asked_for(tmp_path):
    """A failure is not told to those who asked for completions."""
    async with _smtp() as (port, mails):
        mail = MailSettings("127.0.0.1", "lodestream@example.org", port, tls="none")
        async with delivering(tmp_path, mail=mail) as world:
            for run_id, end in (("job-1", Failed("INTERNAL", "broke")), ("job-2", Completed())):
                asked = {"notifications": {"onCompletion": True, "emailRecipients": ["ann@example.org"]}}
                await submit(world.store, run_id, extras=asked, name=run_id, **JOB)
                await tell(world.store, run_id, Started(1, "node", 1, "exec-1"), end)
            await _done(world, "job-1")
            await _done(world, "job-2")
    assert [message_from_string(raw, policy=policy.default)["Subject"] for _, raw in mails] == ["Job job-2: Completed"]


async def _done(world: World, run_id: str, kind: Kind = Kind.EMAIL):
    async def look():
        found = await world.store.read(lambda db: rows.of_run(db, run_id, kind))
        return found[0].stats if found and found[0].status is Status.DONE else None

    return await eventually(look)


async def test_slack_is_told_through_the_channels_address_or_by_a_bot(tmp_path):
    """The channel's own address wins; as a bot, an answer that is not ok is no success."""
    async with receiving() as receiver:
        slack = SlackSettings("xoxb-secret", {"#own": receiver.url("/own")}, receiver.url("/bot"))
        async with delivering(tmp_path, slack=slack, retry=RetryPolicy(0)) as world:
            for run_id, channel in (("op-1", "#own"), ("op-2", "#other")):
                asked = {"notifications": {"slack": {"channel": channel, "mentionUsers": ["@ann"]}}}
                await whole_run(world.store, run_id, extras=asked)
            await receiver.until(lambda r: len(r.got) == 2)
            own, bot = await _done(world, "op-1", Kind.SLACK), await _done(world, "op-2", Kind.SLACK)
    by_path = {urlsplit(one.path).path: one for one in receiver.got}
    assert orjson.loads(by_path["/own"].body)["text"].startswith("@ann\nOperation Test (op-1)\nStatus: Completed")
    assert by_path["/bot"].headers["authorization"] == "Bearer xoxb-secret"
    assert by_path["/bot"].said["channel"] == "#other"
    assert (own.delivered, bot.delivered, bot.failed) == (1, 0, 1)
