"""The pure parts of delivery: waits, signatures, what an event is told as, where a window stands."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lodestream_server.delivery.asked_for import asked_for, callbacks_registered
from lodestream_server.delivery.backoff import wait_s
from lodestream_server.delivery.endpoints import (
    Authentication,
    Endpoint,
    Kind,
    Registration,
    RetryPolicy,
    Status,
    Wishes,
)
from lodestream_server.delivery.mailing import addresses
from lodestream_server.delivery.posting import to_ascii
from lodestream_server.delivery.settings import DeliverySettings, MailSettings, SlackSettings
from lodestream_server.delivery.signing import headers_of
from lodestream_server.delivery.tellings import Telling, Told, delivery_id, step
from lodestream_server.delivery.window import Window
from lodestream_server.delivery.wording import slack_text, subject, text
from lodestream_server.runs import bodies
from lodestream_server.runs.codec import dump, load
from lodestream_server.runs.states import Priority, RunKind
from standardwebhooks.webhooks import Webhook

from tests.unit.runs_world import NOON, after, story, submitted

NOW = datetime.now(UTC)
MAIL = MailSettings("smtp.example", "lodestream@example.org")


@given(st.integers(1, 400), st.floats(0, 1), st.floats(0, 86400), st.floats(1, 10), st.floats(0, 86400))
def test_a_wait_is_never_negative_and_stays_within_a_fifth_of_the_cap(attempts, chance, delay, factor, cap):
    """Whatever was registered, and however often it failed."""
    wait = wait_s(RetryPolicy(500, delay, factor, cap), attempts, chance)
    assert wait is not None
    assert 0 <= wait <= cap * 1.2 + 1e-6


@pytest.mark.parametrize(("attempts", "expected"), [(1, 60), (2, 120), (3, 240), (6, 1920), (7, None)])
def test_waits_double_until_the_retries_are_used_up(attempts, expected):
    """The documented policy with six retries."""
    assert wait_s(RetryPolicy(6, 60.0, 2.0, 3600.0), attempts, 0.5) == (pytest.approx(expected) if expected else None)


def test_a_registration_keeps_its_secrets_to_itself():
    """No repr shows them; the store gets them back whole."""
    made = Registration(
        Wishes(("operation.completed",), priorities=(Priority.HIGH,)),
        "https://example.org/",
        headers={"Authorization": "Basic aGlkZGVu"},
        authentication=Authentication("hmac-sha256", "hidden", "hidden-before", NOW),
        retry=RetryPolicy(1),
    )
    assert load(Registration, dump(made)) == made
    endpoint = Endpoint(1, "wh-1", Kind.WEBHOOK, "t", "p", None, Status.ACTIVE, 0, NOW, made)
    assert "hidden" not in repr(endpoint)
    assert "aGlkZGVu" not in repr(endpoint)
    assert "hidden" not in repr(MailSettings("h", "s", password="hidden"))
    assert "hidden" not in repr(SlackSettings("hidden", {"#a": "https://hooks.example/hidden"}))


@given(st.text(min_size=1), st.binary(max_size=50).map(lambda raw: raw.hex().encode()))
def test_signatures_verify_independently_for_any_secret(secret, body):
    """UTF-8 bytes of the text, whatever it looks like."""
    secret = secret.encode("utf-8", "replace").decode()
    headers = headers_of(Authentication("hmac-sha256", secret), "dlv-1", body, datetime.now(UTC))
    Webhook(secret.encode()).verify(body, headers, json_parse=False)


def test_the_old_secret_signs_until_its_time_is_over():
    """Not a moment longer."""
    rotated = Authentication("hmac-sha256", "new", "old", NOW)
    assert rotated.secrets(NOW - timedelta(seconds=1)) == ("new", "old")
    assert rotated.secrets(NOW) == ("new",)


@given(st.lists(st.floats(0, 100), max_size=40).map(sorted), st.integers(1, 100))
def test_progress_tellings_lie_at_least_a_step_apart(percents, least):
    """And none is missed that lies a step beyond the last one told."""
    plan = submitted(kind=RunKind.OPERATION, phases=(bodies.PhasePlan("Only"),))
    moves = [bodies.Progressed("Only", 0, percent=percent) for percent in percents]
    events = story(plan, bodies.Queued(), bodies.Started(1, "n", 1, "e"), bodies.PhaseStarted("Only", 1), *moves)
    told, heard, last = Told(), [], 0.0
    for event in events:
        told, telling = step(Wishes(("operation.progress",), step=least), told, event)
        assert told.run is not None
        expected = isinstance(event.body, bodies.Progressed) and told.run.percent - last >= least
        assert (telling is not None) == expected
        if telling is not None:
            heard.append(telling.run.percent)
            last = telling.run.percent
    assert heard == sorted(set(heard))


def _job_words(wishes: Wishes, *said: bodies.Body) -> list[str]:
    told, heard = Told(), []
    for event in story(submitted(), bodies.Queued(), bodies.Started(1, "n", 1, "e"), *said):
        told, telling = step(wishes, told, event)
        heard += [telling.word] if telling else []
    return heard


@pytest.mark.parametrize(
    "end",
    [
        bodies.Completed(),
        bodies.Failed("INTERNAL", "broke"),
        bodies.TimedOut(1.0),
    ],
)
def test_every_end_of_a_job_is_told_as_job_completed(end):
    """In whichever way it ended."""
    assert _job_words(Wishes(("jobCompleted",)), end) == ["jobCompleted"]


def test_a_subscription_hears_stages_errors_and_warnings_and_debug_lines_on_request():
    """`notifyOnErrors` brings errors whatever the events; debug lines come only when they were asked for."""
    said = (
        bodies.PhaseStarted("Loading", 1),
        bodies.Logged("DEBUG", "detail"),
        bodies.Logged("INFO", "news"),
        bodies.Logged("ERROR", "line"),
        bodies.Warned("issue"),
        bodies.ErrorNoted("fault"),
        bodies.PhaseCompleted("Loading", 1.0),
    )
    assert _job_words(Wishes(("stageStarted", "warning")), *said) == ["stageStarted", "warning"]
    assert _job_words(Wishes(("stageCompleted",), errors=True, debug=True), *said) == [
        "debug",
        "error",
        "error",
        "stageCompleted",
    ]


def test_delivery_ids_are_the_same_when_computed_again_and_differ_otherwise():
    """By endpoint, run and sequence."""
    assert delivery_id("wh-1", "op-1", 3) == delivery_id("wh-1", "op-1", 3)
    assert len({delivery_id(*parts) for parts in (("wh-1", "op-1", 3), ("wh-1", "op-1", 4), ("wh-2", "op-1", 3))}) == 3


@given(st.data())
async def test_a_window_never_lets_the_cursor_pass_what_is_open(data):
    """Settled in any order, the cursor is just before the oldest open position, and the newest read when none is."""
    positions = data.draw(st.lists(st.integers(1, 1000), unique=True, min_size=1, max_size=20).map(sorted))
    window = Window(0, 100)
    for position in positions:
        await window.enter(position)
    left = set(positions)
    for position in data.draw(st.permutations(positions)):
        expected = min(left - {position}, default=positions[-1] + 1) - 1
        assert window.without(position) == expected
        window.settle(position)
        left.discard(position)
        assert window.cursor == expected


def _asked(kind: RunKind, extras: dict, settings: DeliverySettings) -> dict[str, Endpoint]:
    body = submitted(kind=kind, extras=extras)
    return {one.endpoint_id.removeprefix("run/"): one for one in asked_for("run", body, NOON, settings)}


def test_an_operation_asks_for_callbacks_mail_and_slack():
    """Each callback by itself; people once and only those that can be written to."""
    extras = {
        "callbacks": {"onProgress": "https://a.example/p", "onError": "https://a.example/e"},
        "notifications": {
            "email": ["a@example.org", "a@example.org", "x\r\nBcc: b@example.org", "no address"],
            "slack": {"channel": "#mining", "mentionUsers": ["@ann"]},
        },
    }
    everything = DeliverySettings(mail=MAIL, slack=SlackSettings("token"))
    found = _asked(RunKind.OPERATION, extras, everything)
    assert set(found) == {"onProgress", "onError", "email", "slack"}
    assert found["email"].registration.people == ("a@example.org",)
    assert found["onError"].registration.wishes.events == ("operation.failed", "operation.cancelled")
    assert callbacks_registered(extras) == 2
    assert set(_asked(RunKind.OPERATION, extras, DeliverySettings())) == {"onProgress", "onError"}


@pytest.mark.parametrize(
    ("flags", "ends"),
    [
        ({}, ("job.completed", "job.failed", "job.cancelled")),
        ({"onCompletion": True, "onFailure": True}, ("job.completed", "job.failed")),
        ({"onFailure": True}, ("job.failed",)),
        ({"onCompletion": False}, None),
    ],
)
def test_a_job_says_at_which_ends_people_are_told(flags, ends):
    """Both when it does not say."""
    extras = {"notifications": {"emailRecipients": ["a@example.org"], **flags}}
    found = _asked(RunKind.JOB, extras, DeliverySettings(mail=MAIL))
    assert (found["email"].registration.wishes.events if found else None) == ends


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("https://example.org", "https://example.org/"),
        ("http://bücher.example:8080/ü?q=ö", "http://xn--bcher-kva.example:8080/%C3%BC?q=%C3%B6"),
        ("http://[::1]:80/a%20b", "http://[::1]:80/a%20b"),
    ],
)
def test_addresses_are_written_as_http_writes_them(given_, expected):
    """International names in ASCII, everything else percent-encoded, what is encoded left alone."""
    assert to_ascii(given_) == expected


@pytest.mark.parametrize("given_", ["http://0*", "http://-a/", "http://a$b/", "http://user@host/", "http:///x"])
def test_hosts_that_cannot_be_are_refused(given_):
    """Before anything is dialled."""
    with pytest.raises(ValueError, match="host"):
        to_ascii(given_)


def test_texts_for_people_stay_in_their_line_and_mean_nothing_to_slack():
    """A name with line breaks or markup adds no header, no mention and no link."""
    plan = submitted(kind=RunKind.OPERATION, name="a\r\nBcc: x@example.org <!channel> & co")
    run = after(plan, bodies.Queued(), bodies.Started(1, "n", 1, "e"), bodies.Failed("BAD_INPUT", "no\nrows"))
    telling = Telling("operation.failed", story(bodies.Failed("BAD_INPUT", "no rows"))[0], run)
    assert "\n" not in subject(telling)
    assert text(telling, "https://x.example/").count("\n") == 5
    slack = slack_text(telling, ["@ann", "<!here>"], "")
    assert slack.startswith("@ann @here\n")
    assert "<" not in slack
    assert addresses(["a@b.example", "a@b.example", "a b@c"]) == ("a@b.example",)
