"""KeyService: API keys, kept for the session and never checked: the mock lets everybody in."""

import hashlib

from lodestream.errors import KeyNotFound
from lodestream.v1 import key_pb2 as key
from lodestream_mock.answers.call import Call, answers
from lodestream_mock.answers.replay import echo
from lodestream_mock.answers.unknown import missing
from lodestream_mock.play import typed


def _shelf(call: Call) -> dict[str, key.Key]:
    return call.session.shelf("key")


@answers("CreateKey")
def create_key(call: Call, request: key.CreateKeyRequest) -> key.CreateKeyResponse:
    """A token made from seed and number."""
    number = call.session.count("key")
    token = f"lds_{hashlib.sha256(f'{call.session.settings.seed}/key/{number}'.encode()).hexdigest()}"
    made = key.Key(prefix=token[:12], created_at=typed.instant(call.session.epoch_ms))
    echo(request, made)
    for name in ("tenant_id", "project_id"):
        if request.HasField(name):
            setattr(made, name, getattr(request, name))
    _shelf(call)[made.prefix] = made
    return key.CreateKeyResponse(key=made, token=token)


@answers("ListKeys")
def list_keys(call: Call, request: key.ListKeysRequest) -> key.ListKeysResponse:
    """Newest first."""
    entries = [e for e in reversed(_shelf(call).values()) if request.include_revoked or not e.HasField("revoked_at")]
    return key.ListKeysResponse(keys=entries)


@answers("RevokeKey")
def revoke_key(call: Call, request: key.RevokeKeyRequest) -> key.RevokeKeyResponse:
    """Raises KeyNotFound."""
    found = _shelf(call).get(request.prefix)
    if found is None:
        raise missing(call, KeyNotFound, request.prefix, list(_shelf(call)), "key")
    if not found.HasField("revoked_at"):
        found.revoked_at.CopyFrom(typed.instant(call.session.epoch_ms))
    return key.RevokeKeyResponse(key=found)
