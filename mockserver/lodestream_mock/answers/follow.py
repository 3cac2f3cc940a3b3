"""How every Watch stream runs: a snapshot, then what happens as the virtual clock allows, a bookmark in quiet, `done`.

On `auto` and `step` clocks the stream moves the clock to the next thing due and tells one frame a virtual second, so
that its frames are the same whatever else goes on in the session. On a frozen clock it waits until somebody moves the
clock; a frame then holds everything that has become due. A token says how much was told; numbering comes before
filtering.
"""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from google.protobuf.message import Message

from lodestream.v1.common_pb2 import Bookmark, Done, Reset
from lodestream_mock.answers.call import Call
from lodestream_mock.answers.tokens import resume, scope_of, token

#: A sign of life at least this often: milliseconds of the virtual clock, seconds of the real one.
QUIET_MS = 15_000
QUIET_S = 15.0
#: Keeps a frame far below the 4 MiB that gRPC takes.
MOST_EVENTS = 500
_RESETS = {
    "MALFORMED": "The resume token is no token of this server; a fresh snapshot follows.",
    "OTHER_REQUEST": "The resume token is of another stream, filter or scenario; a fresh snapshot follows.",
    "BEYOND_LOG": "The resume token lies beyond the newest event of this session; a fresh snapshot follows.",
}


class Source(Protocol):
    """What a stream tells of."""

    def times(self) -> Sequence[int]:
        """When each happening is due on the session's clock, in order; the first one has number 1."""

    def snapshot(self) -> Message:
        """The state now."""

    def events(self, after: int, upto: int) -> Message | None:
        """Happenings number after+1 .. upto as a frame; None when the filter leaves nothing."""

    def done(self) -> Done | None:
        """The last frame, for when every happening was told; None for streams without an end."""


async def follow(call: Call, request: Any, frame: Any, source: Source) -> AsyncIterator[Any]:
    """The frames of a stream; `frame` is its envelope's class."""
    clock = call.session.clock
    scope = scope_of(call.session.scenario.name, call.method, request.request)
    told, reset = 0, ""
    if request.resume_token:
        place = resume(request.resume_token, scope, _reached(source, call))
        told, reset = place.sequence, place.reset
        if reset:
            yield frame(resume_token=token(scope, 0), reset=Reset(reason=reset, message=_RESETS[reset]))
    if not request.resume_token or reset:
        replay = "replay" in request.DESCRIPTOR.fields_by_name and request.replay
        told = 0 if replay and not reset else _reached(source, call)
        if not replay or reset:
            yield frame(resume_token=token(scope, told), snapshot=source.snapshot())
    quiet = False
    while True:
        times = source.times()
        due = times[told] if told < len(times) else None
        jumps = clock.mode in ("auto", "step") and due is not None
        # On jumping clocks a long gap between two happenings is told as one bookmark, wherever the clock stands.
        if jumps and not quiet and (due or 0) - (times[told - 1] if told else 0) >= QUIET_MS:
            quiet = True
            yield frame(resume_token=token(scope, told), bookmark=Bookmark())
        upto = _next_cut(call, source, told)
        if upto > told:
            found = source.events(told, upto)
            told, quiet = upto, False
            if found is not None:
                yield frame(resume_token=token(scope, told), **{_slot(frame, found): found})
            continue
        if due is None and (end := source.done()) is not None:
            yield frame(resume_token=token(scope, told), done=end)
            return
        if jumps and due is not None:
            clock.move_to(due)
            continue
        if not quiet:
            quiet = True
            yield frame(resume_token=token(scope, told), bookmark=Bookmark())
            continue
        with call.session.watchers.waiting():
            await clock.moved(due, QUIET_S if clock.rate else None)
        quiet = not clock.rate


def _next_cut(call: Call, source: Source, told: int) -> int:
    """How far the next frame goes: everything due, or on jumping clocks everything due of the same second."""
    times, reached = source.times(), _reached(source, call)
    if call.session.clock.mode in ("auto", "step") and told < reached:
        end_of_second = times[told] - times[told] % 1000 + 999
        if end_of_second > call.session.now_ms and bisect_right(times, end_of_second) > reached:
            call.session.clock.move_to(times[bisect_right(times, end_of_second) - 1])
        reached = bisect_right(times, end_of_second)
    return min(reached, told + MOST_EVENTS)


def _reached(source: Source, call: Call) -> int:
    return bisect_right(source.times(), call.session.now_ms)


def _slot(frame: Any, found: Message) -> str:
    """Streams of the latest state tell everything as snapshots."""
    known = frame.DESCRIPTOR.fields_by_name
    return "events" if "events" in known and known["events"].message_type is found.DESCRIPTOR else "snapshot"
