"""Shows a run while it happens: bars per phase on a terminal, timestamped lines elsewhere, JSON lines for programs.

Called by `watch`, by `submit --watch` and by the demonstration.
"""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from lodestream.cli import texts
from lodestream.cli.output import console, errors_console, print_json, print_line, timed
from lodestream.cli.story import Bar, Line, Story
from lodestream.v1.common_pb2 import LogLevel
from lodestream.v1.event_pb2 import RunEvent

if TYPE_CHECKING:
    from rich.progress import TaskID

    from lodestream.client import JobHandle, OperationHandle

#: Plain progress says something at each such step of a phase, or when it has said nothing for so long.
STEP_PERCENT: Final = 25
STEP_S: Final = 10.0


class View(Protocol):
    """Shows lines and bars; used inside `with`."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, line: Line, story: Story) -> None:
        """Something happened."""

    def tell(self, text: str) -> None:
        """Something about the connection."""


async def follow(
    handle: "JobHandle | OperationHandle", *, as_json: bool = False, level: int = LogLevel.LOG_LEVEL_INFO
) -> Story:
    """Shows the whole story of a run, from its first event to its end, and returns it."""
    story = Story(level=level)
    view = _view(as_json)
    with view:
        async with handle.watch(replay=True, on_break=view.tell) as updates:
            async for update in updates:
                if not isinstance(update, RunEvent):
                    view.tell("the story so far is no longer there; this is the state now")
                elif as_json:
                    story.tell(update)
                    print_json(update)
                else:
                    for line in story.tell(update):
                        view.show(line, story)
    return story


def _view(as_json: bool) -> View:
    if as_json:
        return Silent()
    return Bars() if console().is_terminal and not console().is_dumb_terminal else Lines()


class Silent:
    """For programs: events are printed elsewhere, the connection is spoken of on stderr."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, line: Line, story: Story) -> None:
        """Nothing: the event itself is printed."""

    def tell(self, text: str) -> None:
        """On stderr."""
        errors_console().print(f"Connecting again: {text}", style="yellow", markup=False)


class Lines(Silent):
    """For files and CI: a timestamped line for each thing that happens; progress in steps."""

    def __init__(self) -> None:
        self._steps: dict[str, tuple[int, float]] = {}

    def show(self, line: Line, story: Story) -> None:
        """Prints the line with its own time."""
        if not line.moves or self._is_due(story.bars[line.event.progressed.phase]):
            overall = f"{story.percent:3.0f} %"
            print_line(f"{texts.instant_text(line.event.timestamp)}  {overall}  {line.text}")

    def _is_due(self, bar: Bar) -> bool:
        step, then = self._steps.get(bar.name, (0, 0.0))
        now, reached = time.monotonic(), int(bar.percent // STEP_PERCENT)
        # 100 % is what the end of the phase says.
        if (reached > step and bar.percent < 100) or (then and now - then > STEP_S):
            self._steps[bar.name] = (reached, now)
            return True
        self._steps.setdefault(bar.name, (0, now))
        return False


class Bars(Silent):
    """For people at a terminal: what happens scrolls by above a bar for each phase."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.fields[sign]} {task.description}", table_column=_column(no_wrap=True)),
            BarColumn(bar_width=24, complete_style="cyan", finished_style="green"),
            TaskProgressColumn(),
            TextColumn("[dim]{task.fields[about]}[/dim]", table_column=_column(no_wrap=True, ratio=1)),
            console=console(),
            expand=True,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, line: Line, story: Story) -> None:
        """Prints the line above the bars and moves them."""
        if not line.moves:
            self._progress.console.print(timed(texts.clock_text(line.event.timestamp), line.text, line.style))
        for bar in story.bars.values():
            self._move(bar)
        self._move(Bar("Overall", _overall_status(story), story.percent))

    def tell(self, text: str) -> None:
        """Above the bars."""
        self._progress.console.print(f"Connecting again: {text}", style="yellow", markup=False)

    def _move(self, bar: Bar) -> None:
        values: dict[str, Any] = {"completed": bar.percent, "sign": _SIGNS[bar.status], "about": about(bar)}
        if bar.name not in self._tasks:
            self._tasks[bar.name] = self._progress.add_task(bar.name, total=100, **values)
        else:
            self._progress.update(self._tasks[bar.name], **values)


_SIGNS: Final = {
    "waiting": "[dim]·[/dim]",
    "running": "[cyan]▶[/cyan]",
    "done": "[green]✔[/green]",
    "ended": "[red]✘[/red]",
}


def _overall_status(story: Story) -> str:
    if story.state in ("Failed", "Cancelled", "TimedOut"):
        return "ended"
    return "done" if story.succeeded else "running"


def about(bar: Bar) -> str:
    """What stands behind a bar: records, speed, what is being done, or how long it took."""
    if bar.took_s is not None:
        return texts.span_text(bar.took_s) + (f", {bar.done:,} records" if bar.done else "")
    parts = [
        texts.of_text(bar.done, bar.total) if bar.done else "",
        texts.rate_text(bar.rate) if bar.rate else "",
        bar.activity,
    ]
    return "  ".join(part for part in parts if part)


def _column(**options: Any) -> Any:
    from rich.table import Column

    return Column(**options)
