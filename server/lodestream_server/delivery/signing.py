"""The headers by which a receiver knows that a delivery is ours: Standard Webhooks, or a bearer token. Pure."""

import base64
import hashlib
import hmac
from datetime import datetime

from lodestream_server.delivery.endpoints import Authentication


def headers_of(authentication: Authentication | None, delivery_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """webhook-id and webhook-timestamp on every delivery; a signature per secret, or the token, where one was given.

    The id is the same in every attempt; the timestamp is the attempt's, in whole seconds.
    """
    stamp = str(int(now.timestamp()))
    made = {"webhook-id": delivery_id, "webhook-timestamp": stamp}
    if authentication is None:
        return made
    if authentication.type == "bearer":
        return made | {"authorization": f"Bearer {authentication.secret}"}
    signed = [signature(secret, delivery_id, stamp, body) for secret in authentication.secrets(now)]
    return made | {"webhook-signature": " ".join(signed)}


def signature(secret: str, delivery_id: str, stamp: str, body: bytes) -> str:
    """`v1,<base64>`: HMAC-SHA-256 over "id.timestamp.body" with the secret's UTF-8 bytes as the key."""
    said = b".".join((delivery_id.encode(), stamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(secret.encode(), said, hashlib.sha256)).decode()
