"""What format an uploaded file has, by its first bytes and then by its name. Called by the server: imports no mining
library."""

import zlib
from pathlib import Path
from typing import Literal

from lodestream_server.workloads.phase import BadInput

Format = Literal["csv", "xes", "xes.gz", "parquet"]

_HEAD = 4096
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
#: Beginnings of files that people upload by mistake, and what to do about it.
_OTHERS = (
    (b"PK\x03\x04", "a zip archive or spreadsheet", "unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet", "save the sheet as CSV"),
    (b"%PDF", "a PDF", "upload the event log itself"),
    (b"BZh", "compressed with bzip2", "decompress it first"),
    (b"\xfd7zXZ", "compressed with xz", "decompress it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstandard", "decompress it first"),
    (b"SQLite format 3", "a database", "export the event log as CSV"),
    *((bytes((0x80, version)), "a pickle, which is never opened", "export the event log") for version in range(2, 6)),
)


def sniff(path: Path, file_name: str) -> Format:
    """The format of a file. Raises BadInput for an empty one and for formats that are none of ours; text of any kind is
    taken for CSV."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise BadInput("The file is empty: upload an event log.", reason="EMPTY_FILE")
    if head.startswith(b"\x1f\x8b"):
        return _gzipped(head)
    if head.startswith(b"PAR1"):
        return "parquet"
    for mark, kind, fix in _OTHERS:
        if head.startswith(mark):
            raise BadInput(
                f"The file is {kind}, not an event log as CSV, XES, XES.gz or Parquet: {fix}.", reason="UNKNOWN_FORMAT"
            )
    if _is_xml(head):
        return "xes"
    named = file_name.lower()
    if named.endswith((".parquet", ".pq")):
        raise BadInput(
            "The file is called Parquet, but does not begin like one: upload it again.", reason="BAD_PARQUET"
        )
    if named.endswith((".xes", ".xes.gz")):
        raise BadInput("The file is called XES, but does not begin like XML: upload it again.", reason="NOT_XES")
    return "csv"


def _is_xml(head: bytes) -> bool:
    """Whether text begins with a tag or a declaration, in any Unicode encoding."""
    for mark in _MARKS:
        head = head.removeprefix(mark)
    text = head.replace(b"\0", b"").lstrip()
    return text.startswith((b"<?xml", b"<log", b"<!--", b"<!DOCTYPE"))


def _gzipped(head: bytes) -> Format:
    """A gzip file is an XES log when XML is inside."""
    try:
        inside = zlib.decompressobj(wbits=31).decompress(head, _HEAD)
    except zlib.error as fault:
        raise BadInput("The gzip file is damaged: upload it again.", reason="BAD_GZIP") from fault
    if _is_xml(inside) or not inside:
        return "xes.gz"
    raise BadInput(
        "The gzip file holds no XES: only XES may be compressed; decompress anything else first.",
        reason="UNKNOWN_FORMAT",
    )
