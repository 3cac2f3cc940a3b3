"""The REST door: what a test says in messages of the contract is written as documented JSON, and read back from it.

Over a real socket, since streams have to flow. What has no REST route (the keys) goes through the gRPC door beside it.
"""

import json
import re
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
from google.api import annotations_pb2
from google.protobuf.message import Message

from lodestream import status, wire
from lodestream.errors import InvalidField, LodestreamError, Violation
from lodestream.v1 import artifact_pb2, rest_pb2
from lodestream.v1.dataset_pb2 import UploadDatasetRequest
from lodestream.wire.fields import rule
from tests.contract.doors import Door, answer_type, method_of, type_of


class RestDoor:
    """REST, as a caller writes it."""

    name = "rest"

    def __init__(self, client: httpx.AsyncClient, token: str | None, beside: Door) -> None:
        self._client = client
        self._token = token
        self._beside = beside

    def with_token(self, token: str | None) -> "RestDoor":
        return RestDoor(self._client, token, self._beside.with_token(token))

    async def call(self, method: str, request: Message) -> Any:
        if not _route(method)[0]:
            return await self._beside.call(method, request)
        answer = await self._client.send(self._request(method, request))
        _raise(answer, request)
        return wire.from_json(answer.content, answer_type(method_of(method)))

    async def watch(self, method: str, request: Message) -> AsyncIterator[Any]:
        stream = self._download if method == "ArtifactService/DownloadArtifact" else self._frames
        async for message in stream(method, request):
            yield message

    async def send(self, method: str, requests: Iterable[Message]) -> Any:
        parts: list[Any] = list(requests)
        held = [part.WhichOneof("part") for part in parts]
        if held[1:] and (held[-1] != "footer" or held.count("footer") != 1):
            return await self._beside.send(method, parts)  # over REST the end of the body is the footer
        header = UploadDatasetRequest.Header()
        header.CopyFrom(parts[0].header)
        header.sha256 = header.sha256 or parts[-1].footer.sha256
        if not header.sha256:
            header.ClearField("sha256")
        chunks = [part.chunk for part in parts[1:-1]]
        path, query, _ = self._written(method, header, lambda name: name.removeprefix("header."))
        made = self._client.build_request(
            "POST",
            path,
            params=query,
            content=b"".join(chunks),
            headers=self._headers() | {"content-type": "application/octet-stream"},
        )
        answer = await self._client.send(made)
        _raise(answer, header)
        return wire.from_json(answer.content, answer_type(method_of(method)))

    async def _frames(self, method: str, request: Any) -> AsyncIterator[Any]:
        twin = f"{method.split('/')[0]}/{method_of(method).descriptor.GetOptions().Extensions[rest_pb2.live_of]}"
        made = self._request(twin, request.request, replay="replay" in _set_names(request) and request.replay)
        made.headers["accept"] = "text/event-stream"
        if request.resume_token:
            made.headers["last-event-id"] = request.resume_token
        response = await self._client.send(made, stream=True)
        try:
            if response.status_code != 200:
                await response.aread()
            _raise(response, request.request)
            async for event in _events(response):
                yield _frame(answer_type(method_of(method)), event)
        finally:
            await response.aclose()

    async def _download(self, method: str, request: Any) -> AsyncIterator[Any]:
        first = request.offset
        last = first + request.length - 1 if request.length else ""
        plain = type(request)()
        plain.CopyFrom(request)
        plain.ClearField("offset")
        plain.ClearField("length")
        made = self._request(method, plain)
        if first or last:
            made.headers["range"] = f"bytes={first}-{last}"
        answer = await self._client.send(made)
        _raise(answer, request)
        size = answer.headers.get("content-range", "").rpartition("/")[2] or answer.headers["content-length"]
        yield artifact_pb2.DownloadArtifactResponse(
            artifact=artifact_pb2.Artifact(
                artifact_id=request.artifact_id,
                media_type=answer.headers["content-type"],
                file_name=re.findall(r'filename="([^"]+)"', answer.headers["content-disposition"])[0],
                size_bytes=int(size),
                sha256=answer.headers["etag"].strip('"'),
            )
        )
        yield artifact_pb2.DownloadArtifactResponse(chunk=answer.content)

    def _request(self, method: str, request: Message, *, replay: bool = False) -> httpx.Request:
        verb, _, has_body = _route(method)
        path, query, rest = self._written(method, request, lambda name: name)
        if replay:
            query.append(("replay", "true"))
        headers = self._headers()
        if has_body:
            return self._client.build_request(verb, path, json=rest, headers=headers)
        return self._client.build_request(verb, path, params=query, headers=headers)

    def _written(self, method: str, request: Any, inside: Any) -> tuple[str, list[tuple[str, Any]], dict[str, Any]]:
        """(path, query, body) of a message; whatever stands in the path stands in neither of the others."""
        template = _route(method)[1]
        fields = request.DESCRIPTOR.fields_by_name
        document = _as_written(request)
        taken = {name: fields[inside(name)].json_name for name in re.findall(r"\{([\w.]+)\}", template)}
        path = template
        for name, key in taken.items():
            path = path.replace(f"{{{name}}}", str(document.pop(key, "")) or "-")
        query: list[tuple[str, Any]] = []
        for key, value in document.items():
            field = next(f for f in request.DESCRIPTOR.fields if f.json_name == key)
            values = value if isinstance(value, list) else [value]
            texts = [json.dumps(one) if isinstance(one, bool | int | float) else str(one) for one in values]
            query += [(key, ",".join(texts))] if rule(field).comma_separated else [(key, text) for text in texts]
        return path, query, document

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"} if self._token else {}


def _route(method: str) -> tuple[str, str, bool]:
    """(verb, path template, whether a body is sent); ("", "", False) for methods without a route."""
    options = method_of(method).descriptor.GetOptions()
    http = options.Extensions[annotations_pb2.http]
    verb = http.WhichOneof("pattern")
    return (verb.upper(), getattr(http, verb), bool(http.body)) if verb else ("", "", False)


def _as_written(message: Any) -> dict[str, Any]:
    """The documented JSON, with what a careless caller would write for numbers that have no word."""
    document = wire.to_dict(message)
    for field, value in message.ListFields():
        if field.enum_type and not field.is_repeated and field.json_name not in document:
            document[field.json_name] = f"word {value}"
        elif field.enum_type and field.is_repeated:
            known = wire.words(field.enum_type, "en")
            document[field.json_name] = [known.get(number, f"word {number}") for number in value]
    return document


def _set_names(message: Any) -> set[str]:
    return {field.name for field, _ in message.ListFields()}


def _raise(answer: httpx.Response, request: Any) -> None:
    """Raises what a problem document tells of, as the client of the other door would."""
    if answer.status_code < 400:
        return
    document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert document["status"] == answer.status_code
    kind = status.error_for(document["reason"])
    assert kind is not LodestreamError, f"a reason that the contract does not know: {document}"
    assert status.of(document["reason"]).http == answer.status_code, "the status has to be the reason's"
    retry = answer.headers.get("retry-after")
    violations = [Violation(_field(request, fault), fault["detail"]) for fault in document.get("errors", ())]
    message = document["detail"]
    if kind is InvalidField and violations:
        message = f"{violations[0].field}: {violations[0].description}"
    raise kind(
        message,
        violations=violations,
        retry_after_s=float(retry) if retry else None,
        details=document.get("details", {}),
    )


def _field(request: Any, fault: dict[str, Any]) -> str:
    return wire.proto_path(request, fault.get("pointer") or f"/{fault.get('parameter', '')}")


async def _events(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    event: dict[str, str] = {}
    async for line in response.aiter_lines():
        if not line:
            if "event" in event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def _frame(frame_type: Any, event: dict[str, str]) -> Any:
    kind = event["event"]
    assert kind != "problem", event["data"]
    field = frame_type.DESCRIPTOR.fields_by_name[kind]
    held: Any = wire.from_json(event["data"], type_of(field.message_type))
    frame = frame_type(resume_token=event.get("id", ""))
    getattr(frame, kind).CopyFrom(held)
    return frame
