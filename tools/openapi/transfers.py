"""The operations whose bodies are files: uploads and downloads, which the facade serves by hand-written routes."""

from typing import Any

from google.protobuf.descriptor import Descriptor, MethodDescriptor

from lodestream.wire.fields import ordered, rule
from tools.openapi.comments import summary
from tools.openapi.errors import error_responses, problem_response
from tools.openapi.operations import ACCEPT_LANGUAGE, http_rule, parameter, path_names, tag
from tools.openapi.schemas import ANSWER, Schema, Schemas

_BINARY = {"type": "string", "format": "binary"}
_RANGE = {
    "name": "Range",
    "in": "header",
    "description": "One range of bytes, such as `bytes=0-1023`.",
    "schema": {"type": "string"},
}


def upload(schemas: Schemas, method: MethodDescriptor) -> Schema:
    """A client stream `{header, chunk}`: multipart with the header's fields as parts, or bare bytes with them in the
    query."""
    in_path = path_names(http_rule(method)[1])
    header: Any = method.input_type.fields_by_name["header"].message_type
    fields = {field.json_name: field for field in ordered(header)}
    query = [parameter(schemas, field, "query") for name, field in fields.items() if name not in in_path]
    for given in query:  # which a multipart body may carry instead
        given.pop("required", None)
        given["description"] += " In the query for octet-stream, a part for multipart."
    parts = {
        name: schemas.described(schemas.parameter(field), field.full_name)
        for name, field in fields.items()
        if name not in in_path
    }
    form = {
        "type": "object",
        "required": ["file", *(name for name, field in fields.items() if name in parts and rule(field).required)],
        "properties": {"file": {**_BINARY, "description": "The event log."}, **parts},
        "additionalProperties": False,
    }
    content = {"multipart/form-data": {"schema": form}, "application/octet-stream": {"schema": _BINARY}}
    document = _begun(schemas, method, [*_path(schemas, header, in_path), *query, ACCEPT_LANGUAGE])
    document["requestBody"] = {"required": True, "content": content}
    answer = {"application/json": {"schema": schemas.message(method.output_type, ANSWER)}}
    return _ended(document, {"200": {"description": schemas.said[method.output_type.full_name], "content": answer}})


def download(schemas: Schemas, method: MethodDescriptor) -> Schema:
    """A server stream `{information, chunk}`: the bytes, or one range of them.

    What a signed link carries in its query is not described: links are used as they were given.
    """
    in_path = path_names(http_rule(method)[1])
    document = _begun(schemas, method, [*_path(schemas, method.input_type, in_path), _RANGE])
    content = {"application/octet-stream": {"schema": _BINARY}, "*/*": {"schema": _BINARY}}
    answers = {
        "200": {"description": "The file.", "content": content},
        "206": {"description": "The range that was asked for.", "content": content},
        "304": {"description": "The file whose ETag came in If-None-Match is still the same."},
        "416": problem_response("RANGE_NOT_SATISFIABLE: The range lies beyond the end of the file."),
    }
    return _ended(document, answers)


def _path(schemas: Schemas, descriptor: Descriptor, in_path: list[str]) -> list[Schema]:
    by_json_name = {field.json_name: field for field in descriptor.fields}
    return [parameter(schemas, by_json_name[name], "path") for name in in_path]


def _begun(schemas: Schemas, method: MethodDescriptor, parameters: list[Schema]) -> Schema:
    said = schemas.said.get(method.full_name, "")
    head = {"operationId": method.name, "tags": [tag(method)], "summary": summary(said), "description": said}
    return {**head, "parameters": parameters}


def _ended(document: Schema, answers: Schema) -> Schema:
    return {**document, "responses": {**answers, **error_responses(document["description"])}}
