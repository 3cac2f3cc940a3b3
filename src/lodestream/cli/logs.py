"""`lodestream logs ID`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from lodestream.cli.output import console, note, print_json, print_line, timed
from lodestream.cli.session import Session, command

if TYPE_CHECKING:
    from lodestream.client import JobHandle
    from lodestream.v1.common_pb2 import LogEntry


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @command(
        app,
        "logs",
        panel="Runs",
        examples="""
        lodestream logs ID
        lodestream logs ID -f --level WARN
        lodestream logs ID --limit 50 --json
        """,
    )
    async def logs(
        session: Session,
        run_id: Annotated[str, typer.Argument(metavar="ID", help="Job or operation.")],
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and print new lines as they come.")] = False,
        level: Annotated[str, typer.Option("--level", help="DEBUG, INFO, WARN or ERROR and above.")] = "INFO",
        limit: Annotated[int, typer.Option("--limit", "-l", min=1, max=10000, help="At most so many lines.")] = 1000,
    ) -> None:
        """Print the log of a run: the newest lines, oldest first.

        With --json the documented answer; with --json and -f one line of the log per line.
        """
        handle = session.client.job(run_id)  # logs take the id of either kind
        if follow:
            await _follow(session, handle, level, limit)
            return
        answer = await handle.logs(level=level, limit=limit)
        session.answer(answer, lambda: _show(answer.logs))
        if not (session.as_json or answer.logs):
            note(f"No lines of level {level} or above; the run has {answer.logs_summary.total_entries} lines in all.")


async def _follow(session: Session, handle: "JobHandle", level: str, limit: int) -> None:
    from lodestream.v1.tracking_pb2 import GetJobLogsResponse

    newest: tuple[int, int] = (0, 0)
    async with handle.watch_logs(level=level, limit=limit, on_break=_tell) as updates:
        async for update in updates:
            entries = update.logs if isinstance(update, GetJobLogsResponse) else [update.entry]
            if isinstance(update, GetJobLogsResponse):
                # A second answer means that the server started over: what is printed already is not printed again.
                entries = [entry for entry in entries if (entry.timestamp.seconds, entry.timestamp.nanos) > newest]
            for entry in entries:
                newest = max(newest, (entry.timestamp.seconds, entry.timestamp.nanos))
                if session.as_json:
                    print_json(entry)
            if not session.as_json:
                _show(entries)


def _show(entries: "Iterable[LogEntry]") -> None:
    from lodestream.cli import texts
    from lodestream.cli.story import log_text
    from lodestream.v1.common_pb2 import LogLevel

    styles = {LogLevel.LOG_LEVEL_DEBUG: "dim", LogLevel.LOG_LEVEL_WARN: "yellow", LogLevel.LOG_LEVEL_ERROR: "red"}
    for entry in entries:
        instant, said = texts.instant_text(entry.timestamp), log_text(entry)
        if console().is_terminal:
            console().print(timed(instant, said, styles.get(entry.level, "")))
        else:
            print_line(f"{instant}  {said}")


def _tell(text: str) -> None:
    note(f"Connecting again: {text}")
