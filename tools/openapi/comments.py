"""The comments of the protos, by full name: they are the descriptions of the document.

Stubs carry no comments, so they are read from a descriptor image with source information (`python -m tools.protos
--image FILE`).
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2

# Steps of a source path that lead to something with a name; all others (options, reserved ranges) end the walk.
_NAMED = ("message_type", "nested_type", "field", "service", "method", "enum_type", "value", "oneof_decl")


def comments(image: Path) -> dict[str, str]:
    """Full name of a message, field, service, method or enum value -> its leading comment.

    Lines are joined, paragraphs are kept, apart by an empty line.
    """
    files = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file
    return dict(said for file in files for said in _of_file(file))


def summary(comment: str) -> str:
    """The first sentence of a comment, without its full stop."""
    return re.split(r"(?<=[a-z0-9)])[.](?:\s|$)|\n", comment, maxsplit=1)[0].rstrip(".")


def _of_file(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        name = _name(file, list(location.path)) if location.leading_comments else None
        if name:
            yield f"{file.package}.{name}", _paragraphs(location.leading_comments)


def _name(file: Any, path: Sequence[int]) -> str | None:
    """The dotted name that a source path leads to; pairs of (field number, index) from the file down."""
    node, parts = file, []
    for step, index in zip(path[::2], path[1::2], strict=False):
        field = node.DESCRIPTOR.fields_by_number[step].name
        if field not in _NAMED:
            return None
        node = getattr(node, field)[index]
        parts.append(node.name)
    return ".".join(parts) if parts and len(path) % 2 == 0 else None


def _paragraphs(comment: str) -> str:
    blocks = re.split(r"\n\s*\n", comment.strip())
    return "\n\n".join(" ".join(block.split()) for block in blocks)
