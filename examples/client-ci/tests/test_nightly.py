"""The nightly analysis, against the documentation replayed."""

import hashlib
import hmac
import http.server
import threading
import urllib.error
from base64 import b64encode
from collections.abc import Iterator
from email.message import Message
from typing import TypeAlias

import nightly_grpc
import nightly_rest
import pytest
from lodestream_mock.testing import Lodestream

# Where it listens, and what was posted there: headers and body.
Receiver: TypeAlias = tuple[str, list[tuple[Message, bytes]]]

DATASET = "880e8400-e29b-41d4-a716-446655440000"


@pytest.mark.lodestream(scenario="operation-lifecycle", clock="auto")
def test_an_analysis_is_followed_to_its_end(lodestream: Lodestream) -> None:
    """45 minutes in milliseconds; every percentage, never falling."""
    nightly = nightly_grpc.Nightly(lodestream.channel, lodestream.tenant_id, lodestream.project_id)
    percentages = nightly.follow(nightly.start(DATASET))
    assert percentages[-1] == 100
    assert percentages == sorted(percentages)
    lodestream.journal.verify(
        {"method": "StartOperation", "times": 1, "request": {"parameters": {"datasetId": DATASET}}},
        {"method": "WatchOperation", "times": 1},
        in_order=True,
    )


@pytest.mark.lodestream(scenario="operation-lifecycle")
def test_an_analysis_is_polled_to_its_end(lodestream: Lodestream) -> None:
    """Poll by poll, as the documentation shows it."""
    nightly = nightly_rest.Nightly(lodestream.rest_url, lodestream.tenant_id, lodestream.project_id)
    operation_id = nightly.start(DATASET)
    assert operation_id == lodestream.examples("start-operation.response")["operationId"]
    assert nightly.wait(operation_id) == ["Initiated", "Running", "Running", "Completed"]
    assert nightly.results(operation_id)["success"] is True


@pytest.mark.lodestream(scenario="operation-retried", clock="auto")
def test_an_analysis_that_fails_is_retried(lodestream: Lodestream) -> None:
    """The retry keeps what was finished."""
    nightly = nightly_grpc.Nightly(lodestream.channel, lodestream.tenant_id, lodestream.project_id)
    operation_id = nightly.start(DATASET)
    with pytest.raises(nightly_grpc.AnalysisFailed, match="RUN_STATE_FAILED"):
        nightly.follow(operation_id)
    assert nightly.follow(nightly.retry(operation_id))[-1] == 100


@pytest.mark.lodestream(scenario="operation-lifecycle", clock="auto")
def test_a_broken_stream_is_resumed(lodestream: Lodestream) -> None:
    """After three frames the connection is gone."""
    nightly = nightly_grpc.Nightly(lodestream.channel, lodestream.tenant_id, lodestream.project_id)
    lodestream.faults.add("WatchOperation", kind="reset", after_messages=3)
    assert nightly.follow(nightly.start(DATASET))[-1] == 100
    lodestream.journal.verify({"method": "WatchOperation", "times": 2})


def test_a_busy_server_is_asked_again(lodestream: Lodestream) -> None:
    """Twice too busy, then not."""
    nightly = nightly_rest.Nightly(lodestream.rest_url, lodestream.tenant_id, lodestream.project_id)
    lodestream.faults.add("StartOperation", reason="QUOTA_EXCEEDED", times=2)
    assert nightly.start(DATASET)
    lodestream.journal.verify({"method": "StartOperation", "times": 3, "door": "rest"})


def test_an_unknown_operation_is_an_error(lodestream: Lodestream) -> None:
    """404, not an endless wait."""
    nightly = nightly_rest.Nightly(lodestream.rest_url, lodestream.tenant_id, lodestream.project_id)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        nightly.wait("op-nobody")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook receiver of our own on the loopback; `calls` are (headers, body)."""
    calls: list[tuple[Message, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.append((self.headers, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", calls
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.lodestream(scenario="operation-lifecycle", clock="frozen")
def test_our_webhook_is_called_and_signed(lodestream: Lodestream, receiver: Receiver) -> None:
    """`advance` returns when everything due has been posted."""
    url, calls = receiver
    nightly = nightly_rest.Nightly(lodestream.rest_url, lodestream.tenant_id, lodestream.project_id)
    authentication = {"type": "hmac-sha256", "secret": "our-own-secret"}
    body = {"webhookUrl": url, "events": ["operation.completed"], "authentication": authentication}
    nightly.call("POST", "/async/webhooks", body)
    nightly.start(DATASET)
    lodestream.clock.advance(3600)
    (headers, payload), *more = calls
    assert not more
    message = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + payload
    signature = b64encode(hmac.digest(b"our-own-secret", message, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{signature}"
