"""A little contract of its own for the tests of the wire: every kind of field, independent of the real protos."""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message_factory import GetMessageClass

from lodestream.v1 import common_pb2, rest_pb2  # noqa: F401  # common.proto has to be in the pool

F = descriptor_pb2.FieldDescriptorProto
PACKAGE = "lodestream.tests.wire"


def add(
    message: descriptor_pb2.DescriptorProto, name: str, kind: Any, *, repeated=False, oneof=None, key="", **rule: Any
) -> None:
    """Adds the next field; `kind` is a scalar type or the full name of a message or enum, `rule` its REST rule."""
    field = message.field.add(name=name, number=len(message.field) + 1)
    field.label = F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL
    if isinstance(kind, str):
        field.type_name = f".{kind}"
        field.type = F.TYPE_ENUM if kind.endswith(("Mood", "Plain")) else F.TYPE_MESSAGE
    else:
        field.type = kind
    if key:
        field.json_name = key
    if oneof is not None:
        field.oneof_index = oneof
    elif not repeated and field.type != F.TYPE_MESSAGE:
        field.proto3_optional = True
    field.options.Extensions[rest_pb2.rest].CopyFrom(rest_pb2.RestRule(**rule))


def close(message: descriptor_pb2.DescriptorProto) -> None:
    """Gives every `optional` field its hidden oneof, as protoc does, after the real ones."""
    for field in message.field:
        if field.proto3_optional:
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")


@cache
def world() -> Any:
    """The message types by name: World, Inner, Told (localized), Choice, Broken, Request."""
    file = descriptor_pb2.FileDescriptorProto(
        name="lodestream/tests/wire_world.proto", package=PACKAGE, syntax="proto3"
    )
    file.dependency.extend(f"google/protobuf/{name}.proto" for name in ("duration", "struct", "timestamp"))
    file.dependency.extend(["lodestream/v1/rest.proto", "lodestream/v1/common.proto"])
    mood = file.enum_type.add(name="Mood")
    for number, (name, word) in enumerate(
        [("MOOD_UNSPECIFIED", None), ("MOOD_GOOD", ("Good", "İyi")), ("MOOD_BAD", ("Bad", ""))]
    ):
        value = mood.value.add(name=name, number=number)
        if word:
            value.options.Extensions[rest_pb2.word].CopyFrom(rest_pb2.Word(en=word[0], tr=word[1]))
    plain = file.enum_type.add(name="Plain")
    plain.value.add(name="PLAIN_UNSPECIFIED", number=0)
    plain.value.add(name="PLAIN_MILESTONE", number=1)

    inner = file.message_type.add(name="Inner")
    add(inner, "mood", f"{PACKAGE}.Mood")
    add(inner, "self", f"{PACKAGE}.Inner")
    add(inner, "score", F.TYPE_DOUBLE, max=10)
    add(inner, "step", F.TYPE_INT32, default="3")

    message = file.message_type.add(name="World")
    add(message, "name", F.TYPE_STRING, always=True)
    add(message, "count", F.TYPE_INT32, always=True)
    add(message, "big_count", F.TYPE_INT64)
    add(message, "share", F.TYPE_DOUBLE)
    add(message, "ready", F.TYPE_BOOL, always=True)
    add(message, "data", F.TYPE_BYTES)
    add(message, "mood", f"{PACKAGE}.Mood", always=True)
    add(message, "plain", f"{PACKAGE}.Plain")
    add(message, "at", "google.protobuf.Timestamp")
    add(message, "ended_at", "google.protobuf.Timestamp", null_when_absent=True)
    add(message, "elapsed", "google.protobuf.Duration", key="elapsedTime", text=rest_pb2.COMPOUND_DURATION, always=True)
    add(message, "bare", "google.protobuf.Duration")
    add(message, "tags", F.TYPE_STRING, repeated=True, always=True)
    add(message, "moods", f"{PACKAGE}.Mood", repeated=True)
    add(message, "inners", f"{PACKAGE}.Inner", repeated=True)
    add(message, "inner", f"{PACKAGE}.Inner")
    add(message, "free", "google.protobuf.Struct", always=True)
    add(message, "headers", f"{PACKAGE}.World.HeadersEntry", repeated=True)
    add(message, "ratio", F.TYPE_DOUBLE, text=rest_pb2.DECIMAL_NUMBER)
    add(message, "sizes", F.TYPE_INT64, repeated=True, text=rest_pb2.BYTES)
    entry = message.nested_type.add(name="HeadersEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL)

    told = file.message_type.add(name="Told")
    told.options.Extensions[rest_pb2.localized] = True
    add(told, "mood", f"{PACKAGE}.Mood")
    add(told, "inner", f"{PACKAGE}.Inner")

    choice = file.message_type.add(name="Choice")
    choice.oneof_decl.add(name="either")
    add(choice, "this", F.TYPE_STRING, oneof=0, always=True)
    add(choice, "that", F.TYPE_INT32, oneof=0)
    add(choice, "beside", F.TYPE_STRING)

    broken = file.message_type.add(name="Broken")
    add(broken, "size", F.TYPE_DOUBLE, text=rest_pb2.BYTES)

    request = file.message_type.add(name="Request")
    add(request, "tenant_id", F.TYPE_STRING, required=True, guid=True)
    add(request, "job_ids", F.TYPE_STRING, repeated=True, comma_separated=True, max=3)
    add(request, "moods", f"{PACKAGE}.Mood", repeated=True)
    add(request, "mood", f"{PACKAGE}.Mood", default='"Good"')
    add(request, "since", "google.protobuf.Timestamp")
    add(request, "page", F.TYPE_INT32, default="1", min=1, max=100)
    add(request, "deep", F.TYPE_BOOL)
    add(request, "every", "google.protobuf.Duration", text=rest_pb2.SECONDS, default="30", min=1, max=60)
    add(request, "share", F.TYPE_DOUBLE, min=0, max=1)
    add(request, "callback", F.TYPE_STRING, url=True, max=100)
    add(request, "span", "lodestream.v1.DurationRange", text=rest_pb2.DURATION_RANGE)
    add(request, "parameters", "google.protobuf.Struct", max=2)
    add(request, "inner", f"{PACKAGE}.Inner")
    add(request, "inners", f"{PACKAGE}.Inner", repeated=True)
    add(request, "label", F.TYPE_STRING, default="none yet", min=2, secret=True)
    add(request, "limits", F.TYPE_INT32, repeated=True, default="[1, 2]")
    add(request, "must", f"{PACKAGE}.Mood", required=True)

    for each in file.message_type:
        close(each)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    found = {
        each.name: GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{each.name}")) for each in file.message_type
    }
    return type("Types", (), found)
