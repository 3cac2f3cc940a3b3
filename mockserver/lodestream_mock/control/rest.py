"""The control service under /__lodestream/: JSON in and out, by the paths in its proto."""

from typing import Any
from urllib.parse import parse_qs

from lodestream import status, wire
from lodestream.errors import LodestreamError
from lodestream_mock.control.service import Control
from lodestream_mock.doors.shell import problem
from lodestream_mock.routes import Route, routes_of
from lodestream_mock.v1 import control_pb2 as control

#: Far above any control call; a larger body is no control call.
_MOST = 4 << 20


class ControlDoor:
    """An ASGI application."""

    def __init__(self, service: Control) -> None:
        self._service = service
        self._methods = control.DESCRIPTOR.services_by_name["MockControlService"].methods_by_name
        self._routes = routes_of(self._methods.values())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers; what is wrong comes as a problem that names the fix."""
        path, verb = str(scope["path"]), str(scope["method"])
        found = [(route, keys) for route in self._routes if (keys := route.match(path)) is not None]
        if not found:
            known = "; ".join(f"{route.verb} {route.template}" for route in self._routes)
            await problem(
                send, 404, "ROUTE_NOT_FOUND", f"The control service has no path {path[:200]}. There are: {known}."
            )
            return
        chosen = next((pair for pair in found if pair[0].verb == verb), None)
        if chosen is None:
            allowed = ", ".join(sorted(route.verb for route, _ in found))
            detail = f"{path[:200]} does not take {verb}; use {allowed}."
            await problem(send, 405, "METHOD_NOT_ALLOWED", detail, headers=[(b"allow", allowed.encode())])
            return
        try:
            body = await _body(receive)
            answer = await self._answer(*chosen, scope, body)
        except wire.Refused as refused:
            faults = [str(fault) for fault in refused.problems]
            await problem(send, 400, "INVALID_FIELD", str(refused), errors=faults)
            return
        except LodestreamError as error:
            faults = [f"{fault.field}: {fault.description}" for fault in error.violations]
            await problem(send, status.of(error.reason).http, error.reason, error.message, errors=faults)
            return
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, route: Route, keys: dict[str, str], scope: Any, body: bytes) -> bytes:
        method = self._methods[route.method]
        kind = getattr(control, method.input_type.name)
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if route.with_body:
            request = wire.from_request(kind, keys, query, body)
        else:
            request = wire.from_params(kind, keys, query)
        answer: bytes = wire.to_json(await self._service.answer(route.method, request))
        return answer


async def _body(receive: Any) -> bytes:
    out = bytearray()
    while True:
        message = await receive()
        out += message.get("body", b"")
        if len(out) > _MOST:
            raise wire.Refused([wire.Problem("", "the body is too large for a control call")])
        if not message.get("more_body"):
            return bytes(out)
