"""Text that fits its box: widths without a font at hand, wrapping, and cleaning for XML.

Widths are those of DejaVu Sans, the widest of the usual sans-serif fonts, so a viewer with another font has room to
spare.
"""

import re
import unicodedata

#: Advance widths in em, measured on DejaVu Sans; letters that are not listed count as `_LETTER`.
_NARROW = {**dict.fromkeys("ijlI|'.,:;! ", 0.32), **dict.fromkeys("frt()[]/\\-", 0.41)}
_BROAD = {**dict.fromkeys("mwMW@%", 0.97), **dict.fromkeys("OQGDNHU&+<>=~", 0.82)}
_LETTER, _CAPITAL, _WIDE = 0.62, 0.7, 1.3

#: What XML 1.0 does not allow in text, lone surrogates included.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")

#: White space but for the no-break spaces.
_SPACES = re.compile("[^\\S\u00a0\u202f]+")


def clean(text: str) -> str:
    """One line that is allowed in XML: other characters become U+FFFD, runs of white space one space, but spaces
    that hold a number together stay; an empty text becomes "(no name)".
    """
    return _SPACES.sub(" ", _FORBIDDEN.sub("\ufffd", text)).strip() or "(no name)"


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a text in px at this font size, rather too wide than too narrow."""
    return sum(map(_em, text)) * size * (1.1 if bold else 1.0)


def _em(char: str) -> float:
    if char in _NARROW:
        return _NARROW[char]
    if char in _BROAD:
        return _BROAD[char]
    if unicodedata.combining(char) or char in "\u200d\ufe0f":
        return 0.0
    if ord(char) > 0x1F000 or unicodedata.east_asian_width(char) in "WF":
        return _WIDE
    return _CAPITAL if char.isupper() else _LETTER


def wrap(text: str, size: float, limit: float, lines: int, *, bold: bool = False) -> list[str]:
    """The text in at most `lines` lines of at most `limit` px, broken between words where it can be; what does not fit
    ends in an ellipsis.
    """
    rest = clean(text).split(" ")
    done: list[str] = []
    while rest and len(done) < lines:
        line, rest = _line(rest, size, limit, bold)
        done.append(line)
    if rest:
        done[-1] = _cut(f"{done[-1]} {rest[0]}", size, limit, bold)
    return done


def _line(words: list[str], size: float, limit: float, bold: bool) -> tuple[str, list[str]]:
    line = ""
    for index, word in enumerate(words):
        longer = f"{line} {word}" if line else word
        if width(longer, size, bold=bold) > limit:
            if line:
                return line, words[index:]
            head = _prefix(word, size, limit, bold)
            return head, [word[len(head) :], *words[index + 1 :]]
        line = longer
    return line, []


def _prefix(word: str, size: float, limit: float, bold: bool) -> str:
    """As many characters as fit, at least one."""
    end = 1
    while end < len(word) and width(word[: end + 1], size, bold=bold) <= limit:
        end += 1
    return word[:end]


def _cut(text: str, size: float, limit: float, bold: bool) -> str:
    return _prefix(text, size, limit - width("…", size, bold=bold), bold).rstrip() + "…"
