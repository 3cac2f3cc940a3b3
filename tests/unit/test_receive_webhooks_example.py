"""The receiver of the examples takes what we sign, and nothing else."""

import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lodestream_server.delivery.endpoints import Authentication
from lodestream_server.delivery.signing import headers_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "receive_webhooks.py"


def _example() -> Any:
    spec = importlib.util.spec_from_file_location("receive_webhooks", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_takes_our_signatures_and_no_others():
    """Also while a secret rotates; not another secret's, not a changed body, not an old one, not none."""
    genuine, body, now = _example().is_genuine, b'{"event": "ping"}', datetime.now(UTC)
    rotating = Authentication("hmac-sha256", "new-secret", "old-secret", now + timedelta(days=1))
    headers = headers_of(rotating, "dlv-1", body, now)
    assert genuine(headers, body, "new-secret")
    assert genuine(headers, body, "old-secret")
    assert not genuine(headers, body, "another")
    assert not genuine(headers, body + b" ", "new-secret")
    assert not genuine(headers_of(rotating, "dlv-1", body, now - timedelta(minutes=6)), body, "new-secret")
    assert not genuine({}, body, "new-secret")
