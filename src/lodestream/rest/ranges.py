"""Range requests for one range of bytes (RFC 9110 section 14)."""

import re
from dataclasses import dataclass

from lodestream.rest.problems import Refusal

_ONE = re.compile(r"bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Span:
    """`length` bytes from `offset` on, of a file of `size` bytes."""

    offset: int
    length: int
    size: int

    @property
    def content_range(self) -> bytes:
        """The value of the Content-Range header."""
        return b"bytes %d-%d/%d" % (self.offset, self.offset + self.length - 1, self.size)


def span(header: str, size: int) -> Span | None:
    """What a Range header asks of a file; None for what may be ignored: no range, several, or none that is one.

    Raises Refusal (416) when the range lies beyond the end.
    """
    found = _ONE.fullmatch(header.strip())
    if not found or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first and last and int(first) > int(last):
        return None
    if first:
        offset, end = int(first), min(int(last) + 1, size) if last else size
    else:
        offset, end = max(size - int(last), 0), size
    if offset >= size or (not first and int(last) == 0):
        detail = f"The file has {size} bytes."
        raise Refusal("RANGE_NOT_SATISFIABLE", detail, headers=[(b"content-range", b"bytes */%d" % size)])
    return Span(offset, end - offset, size)
