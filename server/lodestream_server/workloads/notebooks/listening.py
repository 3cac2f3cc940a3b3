"""What the cells say while they run: lines for the log, as much as people read, and outputs for the notebook, as much
as a document bears."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lodestream_server.workloads.phase import Cancelled, Phase

#: Lines of all cells together that go into the run's log, and characters of one line.
MOST_LINES = 2000
LONGEST_LINE = 2000
#: What the outputs of a notebook may take; a browser still opens that.
MOST_BYTES = 20 * 10**6

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_STREAMS = ("stdout", "stderr")
_OUTPUTS = frozenset({"stream", "display_data", "execute_result", "update_display_data"})
#: What an output takes in the document beside its data; characters kept of an error's message and of its traceback.
_AROUND = 200
_LONGEST_ERROR, _LONGEST_TRACEBACK = 10_000, 100_000


class Ear:
    """Hears the kernel's messages, cell by cell."""

    def __init__(self, phase: Phase) -> None:
        self._phase = phase
        self._cell = 0
        self._open = dict.fromkeys(_STREAMS, "")
        self._lines = 0
        self._bytes = 0
        self._full = False
        self._displays: dict[str, int] = {}

    def begin(self, cell: int) -> None:
        """The cell of that number begins."""
        self._cell = cell

    def end(self) -> None:
        """The cell has ended: what it did not end with a line break is a line too."""
        for stream in _STREAMS:
            self._say(stream, self._open[stream])
            self._open[stream] = ""

    def hear(self, kind: str, content: Mapping[str, Any]) -> bool:
        """Logs what a stream says; whether the message still belongs into the notebook."""
        if kind not in _OUTPUTS:
            return True
        if kind == "stream":
            self._stream(str(content.get("name")), str(content.get("text", "")))
        display = str((content.get("transient") or {}).get("display_id", ""))
        size = _size(content)
        more = size - self._displays.get(display, 0) if kind == "update_display_data" else size
        if self._bytes + more > MOST_BYTES:
            if not self._full:
                self._warn("The outputs are larger than the notebook may become: what does not fit is left out.")
            self._full = True
            return False
        self._bytes += more
        if display:
            self._displays[display] = size
        return True

    def _stream(self, stream: str, text: str) -> None:
        if stream not in _STREAMS:
            return
        *whole, rest = (self._open[stream] + text).split("\n")
        for line in whole:
            self._say(stream, line)
        # A progress bar writes over its line; only the last state of an endless line is kept.
        self._open[stream] = rest.rpartition("\r")[2][-LONGEST_LINE:] if "\r" in rest else rest[:LONGEST_LINE]

    def _say(self, stream: str, line: str) -> None:
        shown = _COLOURS.sub("", line.rstrip("\r").rpartition("\r")[2]).rstrip()
        if not shown or self._lines > MOST_LINES:
            return
        self._lines += 1
        if self._lines > MOST_LINES:
            self._warn(f"The cells have said more than {MOST_LINES} lines: the rest is in the notebook alone.")
        else:
            with _bearing():
                self._phase.log("INFO", shown[:LONGEST_LINE], cell=self._cell, stream=stream)

    def _warn(self, issue: str) -> None:
        with _bearing():
            self._phase.warn(issue, cell=self._cell)


@contextlib.contextmanager
def _bearing() -> Iterator[None]:
    """Whoever watches over the cells hears of the cancellation as well; nbclient must not break over it."""
    with contextlib.suppress(Cancelled):
        yield


def _size(content: Mapping[str, Any]) -> int:
    if "text" in content:
        return len(str(content["text"]))
    data, about = content.get("data") or {}, content.get("metadata") or {}
    return _AROUND + sum(len(str(value)) for value in (*data.values(), about))


def shortened_error(content: Mapping[str, Any]) -> dict[str, Any]:
    """An error's message as a document bears it: the beginning of what it says and of where."""
    lines, left = [], _LONGEST_TRACEBACK
    for line in content.get("traceback") or ():
        lines.append(str(line)[:left])
        left -= len(lines[-1])
        if left <= 0:
            break
    return {**content, "evalue": str(content.get("evalue", ""))[:_LONGEST_ERROR], "traceback": lines}
