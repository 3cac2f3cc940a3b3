"""The server's log: JSON lines that name their call and hold no secret."""

import json
import logging

import pytest
from lodestream_server.grpc_door import call
from lodestream_server.grpc_door.call import Trail
from lodestream_server.logs import JsonLines
from lodestream_server.observing.secrets import harmless, without_secrets
from lodestream_server.store.keys import new_secret

WEB_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


def written(message, *args, exc_info=None, **extra):
    """A line of the log."""
    record = logging.LogRecord("test", logging.INFO, "file", 1, message, args, exc_info)
    vars(record).update(extra)
    line = JsonLines().format(record)
    assert "\n" not in line
    return json.loads(line), line


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("key lode_abcdefgh" + "S" * 35, "S" * 35),
        ("Bearer " + WEB_TOKEN, WEB_TOKEN),
        (f"a token {WEB_TOKEN} came", "c2lnbmF0dXJl"),
        ("authorization: bearer 0123456789abcdef", "0123456789abcdef"),
        ("GET /x?ticket=lodeticket.abc.def&page=1", "abc.def"),
        ("lodeticket.abc.def-ghi", "def-ghi"),
        ("whsec_MfKQ9r8GKYqrTwjU", "MfKQ9r8GKYqrTwjU"),
        ("xoxb-123-456-abc", "123-456"),
        ("dialling https://ada:s3cret@example.org/x", "s3cret"),
        ("https://example.org/x?key=s3cret&page=1", "s3cret"),
    ],
)
def test_secrets_are_known_by_their_shape(text, secret):
    """Wherever they stand: in a message, an argument, a traceback."""
    assert secret not in without_secrets(text)
    try:
        raise RuntimeError(text)
    except RuntimeError as fault:
        info = (type(fault), fault, fault.__traceback__)
        assert secret not in written("%s", text, exc_info=info, url=text)[1]


def test_a_key_keeps_the_beginning_that_names_it():
    """So that an operator finds it in the list of keys."""
    secret = new_secret()
    assert without_secrets(f"<{secret}>") == f"<{secret[:13]}…>"


@pytest.mark.parametrize("text", ["lode_abcdefgh", "the bearer of news", "https://example.org:8080/x?page=1", "a@b.c"])
def test_what_is_no_secret_stays(text):
    """Prefixes, addresses, prose."""
    assert without_secrets(text) == text


def test_values_with_telling_names_are_left_out():
    """Secrets that clients choose have no shape."""
    told = {"Authorization": "x", "webhook_secret": "y", "apiKey": "z", "run": "r", "password": ""}
    assert harmless(told) == {
        "Authorization": "[redacted]",
        "webhook_secret": "[redacted]",
        "apiKey": "[redacted]",
        "run": "r",
        "password": "",
    }


async def test_a_line_names_the_call_it_was_written_in():
    """Request and run, as soon as they are known; what the line itself says goes first."""
    assert not {"request", "run"} & written("outside")[0].keys()
    call.follow(Trail("lodestream.v1.JobService/GetJob", "read", False, "request-1", "run-1"))
    line, _ = written("inside")
    assert (line["request"], line["run"]) == ("request-1", "run-1")
    assert written("inside", run="run-2")[0]["run"] == "run-2"
