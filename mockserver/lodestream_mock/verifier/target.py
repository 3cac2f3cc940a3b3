"""The server under verification: calls by name over gRPC, and the same requests over REST."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import grpc

from lodestream import wire
from lodestream_mock.contract import methods
from lodestream_mock.routes import contract_routes
from lodestream_mock.v1 import control_pb2 as control
from lodestream_mock.v1 import control_pb2_grpc

_TIMEOUT_S = 60.0


class Unreachable(Exception):
    """Nobody answers at the address."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of one door: an HTTP-like status (gRPC codes are shown by name), the document, and the raw bytes."""

    status: str
    document: Any = None
    detail: str = ""


class Target:
    """One server. `rest` is "http://host:port", or "" without that door."""

    def __init__(self, grpc_address: str, rest: str, token: str, tenant: str, project: str) -> None:
        self.grpc, self.rest, self.tenant, self.project = grpc_address, rest.rstrip("/"), tenant, project
        self._token = token
        self._channel = grpc.insecure_channel(grpc_address)

    def prepare(self) -> None:
        """A mock is told to play runs that end by themselves; others do not know the call. Raises Unreachable."""
        asked = control.ConfigureSessionRequest(session=self.tenant, scenario="operation-lifecycle", clock="auto")
        try:
            control_pb2_grpc.MockControlServiceStub(self._channel).ConfigureSession(asked, timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            self._reachable(error)

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def request(self, method: str, **fields: Any) -> Any:
        """A request with tenant and project."""
        found = methods()[method].request
        scope = {"tenantId": self.tenant, "projectId": self.project}
        known = {field.json_name for field in found.DESCRIPTOR.fields}
        return wire.from_json({**{key: value for key, value in scope.items() if key in known}, **fields}, found)

    def call(self, method: str, request: Any) -> Any:
        """The typed answer. Raises grpc.RpcError, Unreachable."""
        found = methods()[method]
        kind = self._channel.unary_unary(found.path, found.request.SerializeToString, found.response.FromString)
        try:
            return kind(request, timeout=_TIMEOUT_S, metadata=self._metadata())
        except grpc.RpcError as error:
            self._reachable(error)
            raise

    def code(self, method: str, request: Any) -> str:
        """The name of the code that a call ends with."""
        try:
            self.call(method, request)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"

    def stream(self, method: str, request: Any) -> Iterator[Any]:
        """Messages of a stream. Raises grpc.RpcError."""
        found = methods()[method]
        kind = self._channel.unary_stream(found.path, found.request.SerializeToString, found.response.FromString)
        yield from kind(request, timeout=_TIMEOUT_S, metadata=self._metadata())

    def upload(self, method: str, parts: list[Any]) -> Any:
        """The answer to a client stream."""
        found = methods()[method]
        kind = self._channel.stream_unary(found.path, found.request.SerializeToString, found.response.FromString)
        return kind(iter(parts), timeout=_TIMEOUT_S, metadata=self._metadata())

    def over_rest(self, method: str, request: Any, query: dict[str, Any] | None = None) -> Said:
        """The same request by its documented path. Raises Unreachable."""
        status, data = self._send(*_line(method, request, query))
        try:
            return Said(status, json.loads(data))
        except ValueError:
            return Said(status, None, data[:200].decode("utf-8", "replace"))

    def events(self, method: str, request: Any) -> list[str]:
        """The kinds of the server-sent events on the address of a method, to the end. Raises Unreachable."""
        verb, path, _ = _line(method, request, {"replay": "true"})
        _, data = self._send(verb, path, None, "text/event-stream")
        lines = data.decode("utf-8", "replace").splitlines()
        return [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]

    def _send(self, verb: str, path: str, body: bytes | None, accept: str = "application/json") -> tuple[str, bytes]:
        parts = urlsplit(self.rest)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
        headers = {"authorization": f"Bearer {self._token}", "accept": accept}
        try:
            connection.request(verb, path, body, headers | ({"content-type": "application/json"} if body else {}))
            answer = connection.getresponse()
            return str(answer.status), answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.rest} does not answer: {type(error).__name__}") from None
        finally:
            connection.close()

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._token}"),)

    def _reachable(self, error: Any) -> None:
        if error.code() is grpc.StatusCode.UNAVAILABLE and "connect" in (error.details() or "").lower():
            raise Unreachable(f"no server answers at {self.grpc}")


def _line(method: str, request: Any, query: dict[str, Any] | None) -> tuple[str, str, bytes | None]:
    """Verb, path with query, and body of a request."""
    route = next(route for route in contract_routes() if route.method == method)
    document = wire.to_dict(request)
    path = route.template
    for key in route.keys:
        path = path.replace("{" + key + "}", quote(str(document.pop(key)), safe=""))
    if route.with_body:
        return route.verb, path, json.dumps(document).encode()
    wanted = {**document, **(query or {})}
    return route.verb, f"{path}?{urlencode(wanted)}" if wanted else path, None
