"""A mock in this process: its servicers behind a LocalChannel, and calls by name with documented ids filled in."""

from typing import Any

from lodestream_mock.contract import methods
from lodestream_mock.doors.interceptor import Interceptor
from lodestream_mock.doors.servicers import register
from lodestream_mock.session.sessions import Sessions
from lodestream_mock.session.settings import SessionSettings

from lodestream import documented, wire
from lodestream.local_channel import LocalChannel

TENANT = "11111111-1111-4111-8111-111111111111"
PROJECT = "660e8400-e29b-41d4-a716-446655440000"
IDS = {
    "tenant_id": TENANT,
    "project_id": PROJECT,
    "job_id": "cc0e8400-e29b-41d4-a716-446655440000",
    "operation_id": "op-ff0e8400-e29b-41d4-a716-446655440000",
    "batch_id": "batch-567e8400-e29b-41d4-a716-446655440000",
    "run_id": "op-ff0e8400-e29b-41d4-a716-446655440000",
    "webhook_id": "wh-123e8400-e29b-41d4-a716-446655440000",
    "subscription_id": "sub-123e8400-e29b-41d4-a716-446655440000",
    "dataset_id": "880e8400-e29b-41d4-a716-446655440000",
    "resource_id": "770e8400-e29b-41d4-a716-446655440000",
    "artifact_id": "report-ff0e8400.pdf",
}


def request_of(method: str, body: dict[str, Any] | None = None, **fields: Any) -> Any:
    """A request with a documented body, the documented ids, and these fields."""
    made = wire.from_json(body or {}, methods()[method].request)
    _with_ids(made)
    target = made.request if "request" in made.DESCRIPTOR.fields_by_name else made
    for name, value in fields.items():
        owner = made if name in made.DESCRIPTOR.fields_by_name else target
        if isinstance(value, list):
            getattr(owner, name).extend(value)
        else:
            setattr(owner, name, value)
    return made


def _with_ids(message: Any) -> None:
    known = message.DESCRIPTOR.fields_by_name
    for name, value in IDS.items():
        if name in known and not getattr(message, name):
            setattr(message, name, value)
    if "request" in known:
        message.request.SetInParent()
        _with_ids(message.request)


class World:
    """Sessions and a channel to their servicers."""

    def __init__(self, **settings: Any) -> None:
        self.sessions = Sessions(SessionSettings(**settings))
        self.channel = LocalChannel([Interceptor(self.sessions)])
        register(self.channel, self.sessions)

    @property
    def session(self) -> Any:
        """The session of the tenant that calls."""
        return self.sessions.of(TENANT)

    def begin(self, scenario: str = "documented", clock: str | None = None, **settings: Any) -> Any:
        """The tenant's session anew."""
        return self.sessions.configure(TENANT, scenario=scenario, clock=clock, **settings)

    def start(self, method: str, request: Any = None, language: str = "en", **fields: Any) -> Any:
        """A call under way, unary or streaming."""
        found = methods()[method]
        kind = self.channel.unary_stream if found.streams else self.channel.unary_unary
        call = kind(found.path, found.request.SerializeToString, found.response.FromString)
        request = request if request is not None else request_of(method, **fields)
        return call(request, metadata=(("accept-language", language),))

    async def call(self, method: str, request: Any = None, language: str = "en", **fields: Any) -> Any:
        """The answer to a unary call."""
        return await self.start(method, request, language, **fields)

    async def frames(self, method: str, request: Any = None, language: str = "en", **fields: Any) -> list[Any]:
        """Every message of a stream that ends."""
        return [frame async for frame in self.start(method, request, language, **fields)]


def operation_of(method: str) -> str:
    """ "get-job" for GetJob."""
    return methods()[method].example.removesuffix(".response")


def documented_body(method: str, language: str) -> dict[str, Any]:
    """The documented request body of a method; {} where the page shows none."""
    operation = {"CancelJob": "cancel-job", "RetryJob": "retry-job"}.get(method) or operation_of(method)
    name = f"{operation}.request"
    return documented.example(name, language) if name in documented.names() else {}
