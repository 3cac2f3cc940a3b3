"""What the Watch streams tell of: one run, a batch, or many runs."""

from collections.abc import Callable, Iterable, Sequence

from google.protobuf.message import Message

from lodestream.v1 import batch_pb2 as batch
from lodestream.v1.common_pb2 import Done
from lodestream_mock.answers.batches import batch_now
from lodestream_mock.answers.call import Call
from lodestream_mock.play import typed
from lodestream_mock.play.as_operation import as_operation_summary
from lodestream_mock.play.played import Played
from lodestream_mock.play.run import Run
from lodestream_mock.scenarios.story import TERMINAL, Kind
from lodestream_mock.session.batches import Batch

_STEPS = frozenset({Kind.STARTED, Kind.PROGRESS, *TERMINAL})


class OneRun:
    """A run whose happenings become events by `tell(played, indexes)`; None when none of them passes.

    Without `tell` every happening other than a log line shows the latest state again.
    """

    def __init__(
        self,
        call: Call,
        run_id: str,
        snapshot: Callable[[Run], Message],
        tell: Callable[[Played, range], Message | None] | None = None,
    ) -> None:
        self._call, self._run_id, self._snapshot, self._tell = call, run_id, snapshot, tell
        self._of: Played | None = None
        self._times: list[int] = []

    @property
    def _run(self) -> Run:
        return self._call.session.runs[self._run_id]

    @property
    def _played(self) -> Played:
        return self._call.session.played(self._run, self._call.language)

    def times(self) -> Sequence[int]:
        """Every happening of the run."""
        played = self._played
        if played is not self._of:
            self._of, self._times = played, [played.run.began + item.at for item in played.happenings]
        return self._times

    def snapshot(self) -> Message:
        """The state now."""
        return self._snapshot(self._run)

    def events(self, after: int, upto: int) -> Message | None:
        """As the stream's own events, or the latest state."""
        if self._tell:
            return self._tell(self._played, range(after, upto))
        news = any(self._played.happenings[index].kind is not Kind.LOG for index in range(after, upto))
        return self.snapshot() if news else None

    def done(self) -> Done:
        """With the state the run ended in."""
        return Done(state=self._played.end.state)


class OneBatch:
    """Starts, progress and ends of a batch's operations, in order."""

    def __init__(self, call: Call, found: Batch) -> None:
        self._call, self._batch = call, found

    def _steps(self) -> list[tuple[int, str, int]]:
        """(due, operation key, index of the happening), ordered."""
        session = self._call.session
        steps = [
            (run.began + item.at, order, key, index)
            for order, (key, run_id) in enumerate(self._batch.keys.items())
            for run in [session.runs[run_id]]
            for index, item in enumerate(session.played(run).happenings)
            if item.kind in _STEPS
        ]
        return [(due, key, index) for due, _, key, index in sorted(steps, key=lambda step: (step[0], step[1], step[3]))]

    def times(self) -> Sequence[int]:
        """Every step."""
        return [due for due, _, _ in self._steps()]

    def snapshot(self) -> Message:
        """The batch now."""
        return batch_now(self._call, self._batch)

    def events(self, after: int, upto: int) -> Message:
        """As events of the batch."""
        session, steps = self._call.session, self._steps()
        out = batch.BatchEvents()
        for number in range(after, upto):
            due, key, _ = steps[number]
            run = session.runs[self._batch.keys[key]]
            summary = as_operation_summary(session.played(run, self._call.language), due - run.began)
            out.events.add(
                sequence=number + 1,
                timestamp=typed.instant(self._batch.created + due - self._batch.began),
                operation_key=key,
                operation_id=run.run_id,
                status=summary.status,
                progress=summary.progress,
            )
        out.events[-1].batch_status = batch_now(self._call, self._batch).status
        return out

    def done(self) -> Done:
        """When the last operation has ended."""
        return Done()


class ManyRuns:
    """The latest state of many runs. `every` milliseconds at least lie between two frames; `endless` streams have no
    done."""

    def __init__(
        self,
        call: Call,
        runs: Callable[[], Iterable[Run]],
        snapshot: Callable[[], Message],
        *,
        every: int,
        endless: bool,
    ) -> None:
        self._call, self._runs, self._snapshot = call, runs, snapshot
        self._every, self._endless = every, endless
        self._version, self._times = -1, list[int]()

    def times(self) -> Sequence[int]:
        """Every change of any of them, thinned out to one in `every` milliseconds."""
        session = self._call.session
        if self._version != session.version:
            self._version = session.version
            changes = {
                run.began + item.at
                for run in self._runs()
                for item in session.played(run).happenings
                if item.kind is not Kind.LOG
            }
            # Rounded up, so that the frame after a change shows it.
            self._times = sorted({-(-at // self._every) * self._every for at in changes})
        return self._times

    def snapshot(self) -> Message:
        """The state now."""
        return self._snapshot()

    def events(self, after: int, upto: int) -> Message:
        """The state now, whatever was missed."""
        return self._snapshot()

    def done(self) -> Done | None:
        """None for those without end."""
        return None if self._endless else Done()
