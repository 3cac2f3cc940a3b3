"""Methods of the contract -> operations of the document: one per method that has a path and no route of its own."""

import re
from collections.abc import Iterable
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from lodestream import documented
from lodestream.v1 import rest_pb2
from lodestream.wire import parameters
from lodestream.wire.fields import rule
from tools.openapi.comments import summary
from tools.openapi.errors import error_responses
from tools.openapi.schemas import ANSWER, REQUEST, Schema, Schemas

#: Headers that change what an operation does, where the contract has a field for them.
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "One effect for many sends: the same key with the same body gives the first answer again. It counts "
    "before requestId in the body.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "[!-~]"},
}
ACCEPT_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "description": "en or tr; every other language gets English. Texts, and words on tracking answers, follow it.",
    "schema": {"type": "string"},
}
LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "text/event-stream only: continue after the event with this id.",
    "schema": {"type": "string", "maxLength": 500},
}
REPLAY = {
    "name": "replay",
    "in": "query",
    "description": "text/event-stream only: begin with the first event instead of the state now.",
    "schema": {"type": "boolean", "default": False},
}
_NOT_MODIFIED = {"description": "Nothing changed since the answer whose ETag came in If-None-Match."}


def http_rule(method: MethodDescriptor) -> tuple[str, str, bool]:
    """(verb in lower case, path with the documented parameter names, whether a body is read); ("", "", False) without
    a path."""
    http = method.GetOptions().Extensions[annotations_pb2.http]
    verb = http.WhichOneof("pattern") or ""
    if not verb:
        return "", "", False
    return (
        verb,
        re.sub(r"\{([\w.]+)\}", lambda name: f"{{{_json_name(method, name[1])}}}", getattr(http, verb)),
        bool(http.body),
    )


def path_names(path: str) -> list[str]:
    """The parameters in a path, in order."""
    return re.findall(r"\{(\w+)\}", path)


def operation(schemas: Schemas, method: MethodDescriptor, live: MethodDescriptor | None) -> Schema:
    """The operation object of a method; `live` is the stream that keeps its answer up to date, if there is one."""
    verb, path, has_body = http_rule(method)
    in_path = path_names(path)
    said = schemas.said.get(method.full_name, "")
    document: Schema = {
        "operationId": method.name,
        "tags": [tag(method)],
        "summary": summary(said),
        "description": said,
    }
    document["parameters"] = _parameters(schemas, method, in_path, has_body, live)
    if has_body:
        document["requestBody"] = _body(schemas, method, in_path)
    answers: Schema = {
        "200": {
            "description": schemas.said.get(method.output_type.full_name, "The answer."),
            "headers": {"Content-Language": {"schema": {"type": "string", "enum": ["en", "tr"]}}},
            "content": _content(schemas, method, live),
        }
    }
    if verb == "get":
        answers["304"] = _NOT_MODIFIED
    return {**document, "responses": {**answers, **error_responses(said)}}


def tag(method: MethodDescriptor) -> str:
    """The noun that a method belongs to."""
    return str(method.containing_service.name).removesuffix("Service")


def parameter(schemas: Schemas, field: FieldDescriptor, where: str) -> Schema:
    """A path or query parameter from the field that takes it."""
    schema = schemas.parameter(field)
    made: Schema = {"name": field.json_name, "in": where}
    if said := schemas.said.get(field.full_name):
        made["description"] = said
    if where == "path" or rule(field).required:
        made["required"] = True
    if schema.get("type") == "array":
        made |= {"style": "form", "explode": not rule(field).comma_separated}
    return {**made, "schema": schema}


def links(operations: Iterable[tuple[MethodDescriptor, Schema]]) -> None:
    """Adds to every answer that holds the id of something the operations that take that id in their path."""
    known = list(operations)
    for method, document in known:
        have = set(path_names(http_rule(method)[1]))
        found = {
            target.name: _link(target, key, name)
            for key, name in _ids(method.output_type)
            for target, _ in known
            if _leads_to(have, key, name, set(path_names(http_rule(target)[1])))
        }
        if found:
            document["responses"]["200"]["links"] = dict(sorted(found.items()))


def _leads_to(have: set[str], key: str, name: str, needs: set[str]) -> bool:
    """Whether an answer to an address with the parameters `have` opens one with `needs`, by the id under `key`."""
    is_new = key != name or name not in have
    return is_new and name in needs and needs - {name} <= have


def _link(target: MethodDescriptor, key: str, name: str) -> Schema:
    others = [other for other in path_names(http_rule(target)[1]) if other != name]
    return {
        "operationId": target.name,
        "description": f"{key} of this answer is {name} of {target.name}.",
        "parameters": {**{other: f"$request.path.{other}" for other in others}, name: f"$response.body#/{key}"},
    }


def _ids(descriptor: Descriptor) -> list[tuple[str, str]]:
    """(key in the answer, name of the path parameter that takes it)."""
    keys = [str(f.json_name) for f in descriptor.fields if not f.is_repeated and not f.message_type]
    return [
        (key, re.sub(r"^new([A-Z])", lambda first: first[1].lower(), key))
        for key in keys
        if key.endswith("Id") and not key.startswith("original")
    ]


def _json_name(method: MethodDescriptor, name: str) -> str:
    """The documented name of a path variable, which may lie inside a field: `header.tenant_id` -> tenantId."""
    descriptor: Any = method.input_type
    *parents, last = name.split(".")
    for parent in parents:
        descriptor = descriptor.fields_by_name[parent].message_type
    return str(descriptor.fields_by_name[last].json_name)


def _parameters(
    schemas: Schemas, method: MethodDescriptor, in_path: list[str], has_body: bool, live: MethodDescriptor | None
) -> list[Schema]:
    fields = parameters(method.input_type)
    made = [parameter(schemas, fields[name], "path") for name in in_path]
    if not has_body:
        made += [parameter(schemas, field, "query") for name, field in fields.items() if name not in in_path]
    if live:
        made += [REPLAY] if "replay" in live.input_type.fields_by_name else []
        made += [LAST_EVENT_ID]
    return [*made, ACCEPT_LANGUAGE, *([IDEMPOTENCY_KEY] if "request_id" in method.input_type.fields_by_name else [])]


def _body(schemas: Schemas, method: MethodDescriptor, in_path: list[str]) -> Schema:
    schema = schemas.message(method.input_type, REQUEST, frozenset(in_path))
    required = any(rule(f).required and f.json_name not in in_path for f in method.input_type.fields)
    if not required:
        schema = {"nullable": True, "allOf": [schema]}
    content: Schema = {"schema": schema}
    if examples := _examples(method, "request"):
        content["examples"] = examples
    return {"required": required, "content": {"application/json": content}}


def _content(schemas: Schemas, method: MethodDescriptor, live: MethodDescriptor | None) -> Schema:
    content: Schema = {"application/json": {"schema": schemas.message(method.output_type, ANSWER)}}
    if examples := _examples(method, "response"):
        content["application/json"]["examples"] = examples
    if any(f.enum_type and f.enum_type.name == "LogFormat" for f in method.input_type.fields):
        content["text/plain"] = {"schema": {"type": "string"}}
    if live:
        said = schemas.said.get(live.full_name, "")
        frames = live.output_type.oneofs_by_name["frame"].fields
        content["text/event-stream"] = {
            "schema": {
                "type": "string",
                "description": f"{said}\n\nid: resume token, event: kind of frame, data: JSON.",
            },
            "x-frames": {frame.name: schemas.field(frame, ANSWER) for frame in frames},
        }
    return content


def _examples(method: MethodDescriptor, side: str) -> Schema:
    """The documented payloads of a method, by language."""
    name = f"{method.GetOptions().Extensions[rest_pb2.documented_as]}.{side}"
    if name not in documented.names():
        return {}
    said = {"en": "As documented, in English", "tr": "As documented, in Turkish"}
    return {lang: {"summary": text, "value": documented.example(name, lang)} for lang, text in said.items()}
