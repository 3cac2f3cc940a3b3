"""Log answers as plain text: a line an entry, for people with grep.

    2024-01-20T10:30:00Z INFO  [Data Loading] XesReader: 12,000 events read {"file": "log.xes"}

Line breaks inside a message are written as \\n, so that a line is always an entry.
"""

from typing import Any

import orjson
from google.protobuf.message import Message

from lodestream.v1.tracking_pb2 import LOG_FORMAT_RAW, GetJobLogsRequest
from lodestream.wire import Language, to_dict


def wants_text(request: Message) -> bool:
    """Whether a request asks for format=raw."""
    return isinstance(request, GetJobLogsRequest) and request.format == LOG_FORMAT_RAW


def as_text(answer: Message, language: Language) -> bytes:
    """The lines of a log answer, UTF-8, each with its line feed."""
    return "".join(f"{_line(entry)}\n" for entry in to_dict(answer, language).get("logs", ())).encode()


def _line(entry: dict[str, Any]) -> str:
    stage = f"[{entry['stage']}] " if entry.get("stage") else ""
    component = f"{entry['component']}: " if entry.get("component") else ""
    details = f" {orjson.dumps(entry['details']).decode()}" if entry.get("details") else ""
    head = f"{entry.get('timestamp', '-')} {entry.get('level', '-'):<5} "
    said = f"{stage}{component}{entry.get('message', '')}"
    return head + said.replace("\r", "\\r").replace("\n", "\\n") + details
