"""Telling people: e-mail through a configured SMTP server, Slack through a channel's address or as a bot."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_string, policy
from urllib.parse import urlsplit

import orjson
from lodestream_server.delivery import mailing, rows
from lodestream_server.delivery.endpoints import Kind, RetryPolicy
from lodestream_server.delivery.settings import MailSettings, SlackSettings
from lodestream_server.runs.bodies import Completed, Failed, Started
from lodestream_server.runs.states import RunKind

from tests.integration.delivery_world import delivering, done, eventually, receiving, submit, tell, whole_run

#: Given up at the first failure.
ONCE = RetryPolicy(0)
JOB = {"kind": RunKind.JOB, "type": "Analysis"}


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
            await done(world, "op-1", Kind.EMAIL)
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
            await done(world, "job-1", Kind.EMAIL)
            await done(world, "job-2", Kind.EMAIL)
    assert [message_from_string(raw, policy=policy.default)["Subject"] for _, raw in mails] == ["Job job-2: Completed"]


async def test_slack_is_told_through_the_channels_address_or_by_a_bot(tmp_path):
    """The channel's own address wins; as a bot, an answer that is not ok is no success."""
    async with receiving() as receiver:
        slack = SlackSettings("xoxb-secret", {"#own": receiver.url("/own")}, receiver.url("/bot"))
        async with delivering(tmp_path, slack=slack, retry=RetryPolicy(0)) as world:
            for run_id, channel in (("op-1", "#own"), ("op-2", "#other")):
                asked = {"notifications": {"slack": {"channel": channel, "mentionUsers": ["@ann"]}}}
                await whole_run(world.store, run_id, extras=asked)
            own, bot = await done(world, "op-1", Kind.SLACK), await done(world, "op-2", Kind.SLACK)
    by_path = {urlsplit(one.path).path: one for one in receiver.got}
    assert orjson.loads(by_path["/own"].body)["text"].startswith("@ann\nOperation Test (op-1)\nStatus: Completed")
    assert by_path["/bot"].headers["authorization"] == "Bearer xoxb-secret"
    assert by_path["/bot"].said["channel"] == "#other"
    assert (own.delivered, bot.delivered, bot.failed) == (1, 0, 1)


async def test_what_was_asked_for_is_given_up_when_the_server_has_no_way_out_any_more(tmp_path):
    """The mail server was taken from the settings while somebody waited for an e-mail: that is settled, not tried for
    ever."""
    async with delivering(tmp_path, mail=MailSettings("127.0.0.1", "lodestream@example.org", 1), retry=ONCE) as world:
        await submit(world.store, "op-1", extras={"notifications": {"email": ["ann@example.org"]}})
        await eventually(lambda: world.store.read(lambda db: rows.of_run(db, "op-1", Kind.EMAIL)))
    async with delivering(tmp_path, retry=ONCE) as world:
        await tell(world.store, "op-1", Started(1, "node", 1, "exec-1"), Completed())
        stats = await done(world, "op-1", Kind.EMAIL)
    assert (stats.delivered, stats.failed) == (0, 1)


async def test_a_message_that_cannot_be_written_is_given_up(tmp_path, monkeypatch, caplog):
    """A fault of ours in wording one is no reason to word it for ever, and holds up no other."""

    def broken(_telling):
        raise KeyError("nothing")

    monkeypatch.setattr(mailing, "subject", broken)
    async with _smtp() as (port, mails):
        mail = MailSettings("127.0.0.1", "lodestream@example.org", port, tls="none")
        async with delivering(tmp_path, mail=mail, retry=ONCE) as world:
            await whole_run(world.store, "op-1", extras={"notifications": {"email": ["ann@example.org"]}})
            stats = await done(world, "op-1", Kind.EMAIL)
    assert (stats.delivered, stats.failed, mails) == (0, 1, [])
    assert "KeyError" in caplog.text


async def test_an_address_that_the_mail_server_cannot_write_to_is_given_up(tmp_path):
    """It takes no address beyond ASCII."""
    async with _smtp() as (port, mails):
        mail = MailSettings("127.0.0.1", "lodestream@example.org", port, tls="none")
        async with delivering(tmp_path, mail=mail, retry=ONCE) as world:
            await whole_run(world.store, "op-1", extras={"notifications": {"email": ["ümit@example.org"]}})
            stats = await done(world, "op-1", Kind.EMAIL)
    assert (stats.delivered, stats.failed, mails) == (0, 1, [])
