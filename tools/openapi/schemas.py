"""Message types -> schemas under `components/schemas`: the documented keys, words and limits.

A type has one schema per use, because uses differ: an answer prints one language's words (two on localized answers)
and promises keys, a request takes words of both languages and refuses unknown keys.
"""

from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from lodestream.v1 import rest_pb2
from lodestream.wire import LANGUAGES, default_of, words
from lodestream.wire.amounts import plain
from lodestream.wire.fields import INTEGERS, TIMESTAMP, is_map, kind, map_value, ordered, rule
from lodestream.wire.styles import style_of

Schema = dict[str, Any]

#: Whole numbers beyond 2^53 lose digits in JSON, so no door takes them.
MAX_SAFE = 2**53 - 1

_TEXT_EXAMPLES = {
    rest_pb2.COMPOUND_DURATION: "8 minutes 32 seconds",
    rest_pb2.DECIMAL_DURATION: "4.2 minutes",
    rest_pb2.DURATION_RANGE: "45-60 minutes",
    rest_pb2.MILLIS: "12ms",
    rest_pb2.BYTES: "2.1 GB",
    rest_pb2.PER_SECOND: "1250 records/second",
    rest_pb2.PER_MINUTE: "1890 records/minute",
    rest_pb2.PERCENT_TEXT: "45%",
    rest_pb2.MONEY: "$2.45",
    rest_pb2.PERCENTILE: "85th percentile",
    rest_pb2.MORE_JOBS: "6 additional jobs",
}
_FREE_FORM = {"google.protobuf.Struct": "FreeForm", "google.protobuf.Value": "FreeFormValue"}
# What JSON Schema and Python take for blank differs in a few control characters; these are blank to neither.
_NOT_BLANK = "[!-~¡-ÿ]"
_WEB_ADDRESS = "^https?://[A-Za-z0-9.-]+(:[1-9][0-9]{0,3})?(/[!-~]*)?$"


@dataclass(frozen=True, slots=True)
class Use:
    """What a schema is for: a request or an answer, and whether its words follow the caller's language."""

    incoming: bool = False
    localized: bool = False


REQUEST, ANSWER = Use(incoming=True), Use()


class Schemas:
    """Collects the components that the operations refer to. `said` holds the comments by full name."""

    def __init__(self, said: dict[str, str]) -> None:
        self.said = said
        self.components: dict[str, Schema] = {}
        self._made: dict[str, tuple[str, Use, frozenset[str]]] = {}

    def message(self, descriptor: Descriptor, use: Use, left_out: frozenset[str] = frozenset()) -> Schema:
        """A reference to the schema of a message; `left_out` are keys that travel elsewhere (in the path)."""
        use = Use(use.incoming, not use.incoming and (use.localized or _is_localized(descriptor)))
        name, key = component_name(descriptor, use), (str(descriptor.full_name), use, left_out)
        if self._made.setdefault(name, key) != key:
            raise ValueError(f"two uses of {descriptor.full_name} would share the schema {name}")
        if name not in self.components:
            self.components[name] = {}  # holds the place while the type, or one inside it, refers to itself
            self.components[name] |= self._object(descriptor, use, left_out)
        return {"$ref": f"#/components/schemas/{name}"}

    def field(self, field: FieldDescriptor, use: Use) -> Schema:
        """The schema of a field, with its description."""
        schema = self._limited(field, self._value(field, use), use)
        if (use.incoming and not rule(field).required) or rule(field).null_when_absent:
            schema = {**_open(schema), "nullable": True}
            if "enum" in schema:
                schema["enum"] = [*schema["enum"], None]  # an enum lists everything that it allows
        return self.described(schema, field.full_name)

    def parameter(self, field: FieldDescriptor) -> Schema:
        """The schema of a field as a path or query parameter; its description stands on the parameter."""
        return self._limited(field, self._value(field, REQUEST), REQUEST)

    def described(self, schema: Schema, full_name: str) -> Schema:
        """The schema with the comment of a proto element; keys beside a $ref would be ignored, so that is wrapped."""
        said = self.said.get(full_name)
        return {**_open(schema), "description": said} if said else schema

    def _object(self, descriptor: Descriptor, use: Use, left_out: frozenset[str]) -> Schema:
        fields = [field for field in ordered(descriptor) if field.json_name not in left_out]
        schema: Schema = {"type": "object"}
        if said := self.said.get(descriptor.full_name):
            schema["description"] = said
        schema["properties"] = {field.json_name: self.field(field, use) for field in fields}
        if required := [field.json_name for field in fields if _always_there(field, use)]:
            schema["required"] = required
        if use.incoming:
            schema["additionalProperties"] = False
        return schema

    def _value(self, field: FieldDescriptor, use: Use) -> Schema:
        if is_map(field):
            return {"type": "object", "additionalProperties": self._single(map_value(field), use)}
        single = self._single(field, use)
        return {"type": "array", "items": single} if field.is_repeated else single

    def _single(self, field: FieldDescriptor, use: Use) -> Schema:
        if kind(field) == TIMESTAMP:
            day = {"type": "string", "format": "date"}
            moment = {"type": "string", "format": "date-time"}
            return {"anyOf": [moment, day]} if use.incoming else moment
        if style := style_of(field):
            example = _TEXT_EXAMPLES.get(rule(field).text)
            return {"type": style.json, "example": example} if example else {"type": style.json}
        if field.message_type:
            return self._inner(field.message_type, use)
        if field.enum_type:
            return {"type": "string", "enum": _words(field.enum_type, use)}
        return _plain(field)

    def _inner(self, descriptor: Descriptor, use: Use) -> Schema:
        free = _FREE_FORM.get(descriptor.full_name)
        if free is None:
            return self.message(descriptor, use)
        if not use.incoming:
            return {"type": "object", "additionalProperties": True} if free == "FreeForm" else {}
        self.components |= _free_form()
        return {"$ref": f"#/components/schemas/{free}"}

    def _limited(self, field: FieldDescriptor, schema: Schema, use: Use) -> Schema:
        """The schema with the limits and the default of the field's rule."""
        if not use.incoming:
            return schema
        asked = rule(field)
        schema = {**schema, **_bounds(field, schema)}
        if asked.guid:
            schema["format"] = "uuid"
        if asked.url:
            schema["pattern"] = _WEB_ADDRESS
        if asked.secret:
            schema |= {"format": "password", "writeOnly": True}
        if (default := default_of(field)) is not None:
            schema["default"] = default
        return schema


def component_name(descriptor: Descriptor, use: Use) -> str:
    """The name of a schema: that of the type, and of the use where the type is for several."""
    outermost = descriptor
    while outermost.containing_type:
        outermost = outermost.containing_type
    name = descriptor.full_name.removeprefix(f"{descriptor.file.package}.").replace(".", "")
    if use.incoming:
        return name if outermost.name.endswith("Request") else f"{name}Input"
    return f"{name}Localized" if use.localized and not _is_localized(outermost) else name


def _is_localized(descriptor: Descriptor) -> bool:
    return bool(descriptor.GetOptions().Extensions[rest_pb2.localized])


def _always_there(field: FieldDescriptor, use: Use) -> bool:
    asked = rule(field)
    return bool(asked.required if use.incoming else asked.always or asked.null_when_absent)


def _open(schema: Schema) -> Schema:
    """A schema to which keys can be added."""
    return {"allOf": [schema]} if "$ref" in schema else schema


def _words(enum: EnumDescriptor, use: Use) -> list[str]:
    languages = LANGUAGES if use.incoming or use.localized else LANGUAGES[:1]
    return list(dict.fromkeys(word for language in languages for word in words(enum, language).values()))


def _plain(field: FieldDescriptor) -> Schema:
    if field.cpp_type in INTEGERS:
        return {"type": "integer", "format": f"int{64 if INTEGERS[field.cpp_type][1] > 2**32 else 32}"}
    if field.type == FieldDescriptor.TYPE_BYTES:
        return {"type": "string", "format": "byte"}
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return {"type": "boolean"}
    return {"type": "string"} if field.cpp_type == FieldDescriptor.CPPTYPE_STRING else {"type": "number"}


def _bounds(field: FieldDescriptor, schema: Schema) -> Schema:
    """`min` and `max` of a rule in the words of JSON Schema, which depend on the type."""
    asked, limits = rule(field), {}
    low = plain(asked.min) if asked.HasField("min") else None
    high = plain(asked.max) if asked.HasField("max") else None
    match schema.get("type", "object" if "$ref" in schema else ""):
        case "string" if field.cpp_type == FieldDescriptor.CPPTYPE_STRING and not asked.guid:
            low = low or (1 if asked.required else None)
            limits = {"minLength": low, "maxLength": high, "pattern": _NOT_BLANK if asked.required else None}
        case "array":
            limits = {"minItems": low or (1 if asked.required else None), "maxItems": high}
        case "object":
            limits = {"minProperties": low, "maxProperties": high}
        case "integer" | "number" as type_name:
            most = INTEGERS.get(field.cpp_type, (0, MAX_SAFE))[1] if type_name == "integer" else MAX_SAFE
            most = min(most, MAX_SAFE)
            least = 0 if field.message_type else -most
            limits = {"minimum": least if low is None else low, "maximum": most if high is None else high}
    return {key: limit for key, limit in limits.items() if limit is not None}


def _free_form() -> dict[str, Schema]:
    value = {"$ref": "#/components/schemas/FreeFormValue"}
    return {
        "FreeForm": {
            "type": "object",
            "description": "Any JSON object, at most 32 levels deep, without whole numbers beyond 2^53.",
            "additionalProperties": value,
        },
        "FreeFormValue": {
            "description": "Any JSON value.",
            "nullable": True,
            "anyOf": [
                {"type": "string"},
                {"type": "boolean"},
                {"type": "number", "minimum": -MAX_SAFE, "maximum": MAX_SAFE},
                {"type": "array", "items": value},
                {"type": "object", "additionalProperties": value},
            ],
        },
    }
