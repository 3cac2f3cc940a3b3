"""Reads multipart/form-data as it arrives: small fields as texts, the file as chunks, no more kept than a field.

No I/O: the upload feeds it and takes what is complete.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from lodestream.rest.problems import Refusal

#: Longer than any documented field; a file that was sent as a field is noticed here.
MAX_FIELD_BYTES: Final = 64 * 1024
MAX_PARTS: Final = 50


@dataclass(frozen=True, slots=True)
class Field:
    """A field, complete."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class FileBegun:
    """The file's part begins; `file_name` is "" where none was sent."""

    file_name: str


Piece: TypeAlias = Field | FileBegun | bytes


class Form:
    """Feed it the body; it returns the pieces that are complete, in order. `file_part` names the part of the file."""

    def __init__(self, content_type: str, file_part: str = "file") -> None:
        _, options = parse_options_header(content_type)
        if not options.get(b"boundary"):
            raise _malformed("the Content-Type names no boundary")
        self._file_part = file_part
        self._pieces: list[Piece] = []
        self._ended = False
        self._parts = 0
        self._header: list[bytes] = [b"", b""]
        self._disposition: dict[bytes, bytes] = {}
        self._text = bytearray()
        told: Any = {
            "on_part_begin": self._begin,
            "on_header_field": self._collect(0),
            "on_header_value": self._collect(1),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(options[b"boundary"], told)
        except FormParserError as error:
            raise _malformed(str(error)) from None

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces that these bytes complete. Raises Refusal (MALFORMED)."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _malformed(str(error)) from None
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> None:
        """Raises Refusal when the body ended before its last boundary."""
        if not self._ended:
            raise _malformed("it ends before its last boundary")

    @property
    def _is_file(self) -> bool:
        return self._disposition.get(b"name", b"").decode("utf-8", "replace") == self._file_part

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _malformed(f"it has more than {MAX_PARTS} parts")
        self._disposition = {}
        self._text.clear()

    def _collect(self, which: int) -> Callable[[bytes, int, int], None]:
        def collect(data: bytes, start: int, end: int) -> None:
            self._header[which] += data[start:end]

        return collect

    def _header_end(self) -> None:
        name, value = self._header
        self._header = [b"", b""]
        if name.lower() == b"content-disposition":
            # Browsers and most clients write UTF-8 here, which HTTP headers otherwise are not.
            self._disposition = parse_options_header(value)[1]

    def _headers_finished(self) -> None:
        if b"name" not in self._disposition:
            raise _malformed("a part has no name")
        if self._is_file:
            name = self._disposition.get(b"filename", b"").decode("utf-8", "replace")
            self._pieces.append(FileBegun(name.replace("\\", "/").rpartition("/")[2]))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._pieces.append(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > MAX_FIELD_BYTES:
            raise _malformed(f"a field has more than {MAX_FIELD_BYTES} bytes; the file goes into the part file")

    def _end_part(self) -> None:
        if not self._is_file:
            try:
                name, text = self._disposition[b"name"].decode(), self._text.decode()
            except UnicodeDecodeError:
                raise _malformed("a field is not UTF-8") from None
            self._pieces.append(Field(name, text))

    def _end(self) -> None:
        self._ended = True


def _malformed(detail: str) -> Refusal:
    said = f"The multipart body cannot be read: {detail}."
    return Refusal("MALFORMED", said, [{"in": "body", "pointer": "", "detail": said}])
