"""Receive deliveries, with nothing but the standard library: check the signature, answer at once, ignore repetitions.

    python examples/receive_webhooks.py 8080 SECRET

Register the address with the same secret and `"type": "hmac-sha256"`. A server on this machine dials it only with
LODESTREAM_DELIVERY_ALLOW_NETWORKS=127.0.0.1/32.
"""

import base64
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGEST_BODY = 1024 * 1024
OLDEST_S = 300


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether one of the signatures is made with the secret, and not long ago. Names of headers in lower case."""
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(time.time() - int(stamp)) > OLDEST_S:
        return False
    said = b".".join((headers.get("webhook-id", "").encode(), stamp.encode(), body))
    expected = b"v1," + base64.b64encode(hmac.digest(secret.encode(), said, hashlib.sha256))
    given = headers.get("webhook-signature", "").encode().split(b" ")
    return any(hmac.compare_digest(expected, one) for one in given)


def make_server(address: tuple[str, int], secret: str) -> ThreadingHTTPServer:
    """A server that prints each delivery once."""
    seen: set[str] = set()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("content-length", "0")), LARGEST_BODY))
            headers = {name.lower(): value for name, value in self.headers.items()}
            genuine = is_genuine(headers, body, secret)
            # Answer first: who takes long is asked again.
            self.send_response(204 if genuine else 401)
            self.end_headers()
            if genuine and (name := headers["webhook-id"]) not in seen:
                seen.add(name)
                told = json.loads(body)
                print(told["event"], told.get("operationId") or told.get("jobId"), told.get("progress"), flush=True)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return ThreadingHTTPServer(address, Receiver)


if __name__ == "__main__":
    with make_server(("127.0.0.1", int(sys.argv[1])), sys.argv[2]) as server:
        server.serve_forever()
