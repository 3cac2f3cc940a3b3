"""Text files made plain before anything else reads them: UTF-8 without a byte order mark, lines ended by a line feed,
records cut out whole.

A file in another encoding is copied once into scratch as UTF-8. Called by the CSV reader.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lodestream_server.workloads.phase import BadInput

#: Bytes read at a time: large enough that columns are worked on in bulk, small enough to be heard when a run is
#: cancelled (0.2 s each).
BLOCK = 16 << 20

#: A quoted field that is longer than this is taken for one that somebody forgot to close.
LONGEST_RECORD = 32 << 20

#: Bytes that are looked at to tell encoding and delimiter.
HEAD = 1 << 20

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_QUOTED = re.compile(rb'"[^"]*"')

Check = Callable[[], None]


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file as UTF-8: where it lies, where its text begins, and the encoding it came in. `guessed` when nothing proves
    the encoding."""

    path: Path
    start: int
    encoding: str
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """What one quick look over the whole file tells: records (lines that are not inside quotes) and whether it is all
    UTF-8."""

    lines: int
    is_utf8: bool


def encoding_of(head: bytes, given: str | None) -> str:
    """The codec for a file that begins like this. Raises BadInput when `given` names none that Python knows."""
    if given:
        try:
            return codecs.lookup(given).name
        except (LookupError, ValueError) as fault:  # ValueError: a NUL in the name
            raise BadInput(
                f'The encoding "{given}" is unknown: give one such as utf-8, utf-16, cp1252 or iso-8859-9, or leave '
                "it out to have it detected.",
                reason="UNKNOWN_ENCODING",
            ) from fault
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if marked:
        return marked
    sample = head[:4096]
    if len(sample) >= 4 and sample.count(0) * 4 >= len(sample):
        # Western text in UTF-16 has a zero in every other byte; in which half tells the byte order.
        return "utf-16-le" if sample[1::2].count(0) >= sample[0::2].count(0) else "utf-16-be"
    return "utf-8"


def prepare(path: Path, given: str | None, scratch: Path, check: Check) -> TextFile:
    """The file as UTF-8, copied into `scratch` only when it is something else.

    Raises BadInput for an unknown encoding, and for text that is not in the encoding given or marked.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    encoding = encoding_of(head, given)
    old_mac = b"\r" in head and b"\n" not in head
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii") and not old_mac:
        start = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
        return TextFile(path, start, "utf-8-sig" if start else "utf-8")
    return TextFile(_transcoded(path, encoding, scratch, check), 0, encoding)


def prepare_western(path: Path, scratch: Path, check: Check) -> TextFile:
    """The file read as Windows-1252, or Latin-1 where it holds bytes that Windows-1252 does not know: for files that
    are not UTF-8."""
    try:
        return TextFile(_transcoded(path, "cp1252", scratch, check), 0, "cp1252", guessed=True)
    except BadInput:
        return TextFile(_transcoded(path, "latin-1", scratch, check), 0, "latin-1", guessed=True)


def _transcoded(path: Path, encoding: str, scratch: Path, check: Check) -> Path:
    copy = scratch / "utf-8.csv"
    try:
        with (
            path.open("r", encoding=encoding, newline=None) as source,
            copy.open("w", encoding="utf-8", newline="\n") as target,
        ):
            while text := source.read(BLOCK // 4):
                target.write(text)
                check()
    except UnicodeError as fault:
        raise BadInput(
            f"The file is not valid {encoding} text: give its encoding at upload (utf-8, utf-16, cp1252, …).",
            reason="BAD_ENCODING",
        ) from fault
    except LookupError as fault:  # a codec that is not for text, such as base64
        raise BadInput(f'The encoding "{encoding}" is not a text encoding.', reason="UNKNOWN_ENCODING") from fault
    return copy


def count_lines(file: TextFile, quoted: bool, check: Check) -> Count:
    """Counts the records of the whole file, header included. Raises BadInput for a NUL byte."""
    lines, inside, position, is_utf8, last = 0, False, 0, True, b"\n"
    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.path.open("rb") as source:
        source.seek(file.start)
        while block := source.read(BLOCK):
            if b"\0" in block:
                raise BadInput(
                    f"The file holds a NUL byte (at byte {file.start + position + block.index(0)}), so it is no text "
                    "in this encoding: give the "
                    "encoding (utf-16 has many of them), or remove it.",
                    reason="NUL_BYTE",
                )
            is_utf8 = is_utf8 and _decodes(decoder, block)
            found, inside = _line_ends(block, inside, quoted)
            lines, position, last = lines + found, position + len(block), block[-1:]
            check()
    return Count(lines + (last != b"\n"), is_utf8 and _decodes(decoder, b"", final=True))


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> bool:
    if not final and block.isascii() and not decoder.getstate()[0]:
        return True
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _line_ends(block: bytes, inside: bool, quoted: bool) -> tuple[int, bool]:
    """Line ends outside of quotes, and whether the block ends inside of them."""
    if not quoted or (b'"' not in block and not inside):
        return block.count(b"\n"), False
    bare = _QUOTED.sub(b"", b'"' + block if inside else block)
    # What is left after taking out pairs is at most one quote that opens a field which the next block closes.
    opened = bare.rfind(b'"')
    return (bare.count(b"\n"), False) if opened < 0 else (bare.count(b"\n", 0, opened), True)


def without_quoted(block: bytes) -> bytes:
    """A block of whole records without what stands in quotes."""
    return _QUOTED.sub(b"", block)


def blocks(file: TextFile, quoted: bool, size: int = BLOCK, start: int | None = None) -> Iterator[bytes]:
    """The file in blocks of whole records, from `start` (its beginning unless told). Raises BadInput for a quote that
    never closes."""
    rest = b""
    with file.path.open("rb") as source:
        source.seek(file.start if start is None else start)
        while block := source.read(size):
            rest += block
            cut = last_record_end(rest, quoted)
            if cut:
                yield rest[:cut]
                rest = rest[cut:]
            elif len(rest) > LONGEST_RECORD:
                raise _endless(rest)
    if quoted and rest.count(b'"') % 2:
        raise _endless(rest)
    if rest:
        yield rest


def last_record_end(data: bytes, quoted: bool) -> int:
    """Where the last whole record of `data` ends (one behind its line feed); 0 when it holds none."""
    cut = data.rfind(b"\n") + 1
    if not quoted or not cut:
        return cut
    quotes = data.count(b'"', 0, cut)
    while cut and quotes % 2:
        before = data.rfind(b"\n", 0, cut - 1) + 1
        quotes -= data.count(b'"', before, cut)
        cut = before
    return cut


def _endless(rest: bytes) -> BadInput:
    begin = rest[:60].decode("utf-8", "replace").splitlines()[0]
    return BadInput(
        f"A quoted field is opened and never closed, in or after the record that begins with {begin!r}: close the "
        "quote, or double it where it "
        "stands for itself.",
        reason="UNCLOSED_QUOTE",
    )
