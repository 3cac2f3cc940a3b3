"""Who calls, in which session and language: read from the metadata and the request of a call."""

from collections.abc import Iterable, Mapping
from typing import Any

from lodestream.wire import LANGUAGES, Language, language_of
from lodestream_mock.session.session import Session

#: Metadata (and, over REST, header) that names the session instead of the tenant.
SESSION_KEY = "lodestream-session"


def pairs(metadata: Iterable[Any] | None) -> dict[str, Any]:
    """Metadata as a mapping; of repeated keys the last counts."""
    return {str(key): value for key, value in metadata or ()}


def session_key(metadata: Mapping[str, Any], request: Any) -> str:
    """The session that a call belongs to: as named, else by tenant; "" for calls without either."""
    named = metadata.get(SESSION_KEY)
    return str(named) if named else tenant_of(request).lower()


def tenant_of(request: Any) -> str:
    """The tenant that a request names, also inside a Watch request or an upload's header."""
    # Keys are made for tenants by callers who belong to none.
    if request is None or request.DESCRIPTOR.file.name.endswith("/key.proto"):
        return ""
    known = request.DESCRIPTOR.fields_by_name
    if "tenant_id" in known:
        return str(request.tenant_id)
    for inner in ("request", "header"):
        if inner in known:
            return tenant_of(getattr(request, inner))
    return ""


def language_in(metadata: Mapping[str, Any], session: Session) -> Language:
    """The language that was asked for, else the session's own."""
    wanted = metadata.get("accept-language")
    if not wanted:
        return "tr" if session.settings.language == "tr" else "en"
    tags = [part.split(";")[0].strip() for part in str(wanted).split(",")]
    return next((language_of(tag) for tag in tags if tag.split("-")[0].lower() in LANGUAGES), "en")


def door_of(context: Any) -> str:
    """ "rest" for calls of the facade in this process, else "grpc"."""
    return "rest" if str(context.peer()).startswith("local:") else "grpc"
