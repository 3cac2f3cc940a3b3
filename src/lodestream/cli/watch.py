"""`lodestream watch ID`."""

from typing import Annotated

import typer

from lodestream.cli.failing import Failed
from lodestream.cli.session import Session, command


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @command(
        app,
        "watch",
        panel="Runs",
        examples="""
        lodestream watch ID
        lodestream watch ID --level WARN
        lodestream watch ID --json > events.jsonl
        """,
    )
    async def watch(
        session: Session,
        run_id: Annotated[str, typer.Argument(metavar="ID", help="Job or operation.")],
        level: Annotated[str, typer.Option("--level", help="Log lines of this level and above.")] = "INFO",
    ) -> None:
        """Follow a run live, from its first event to its end.

        Goes on by itself when the connection breaks or the server restarts. The exit code is 0 when the run completed
        and 1 when it failed, was cancelled or timed out. Interrupting leaves the run at work.
        """
        await watch_to_the_end(session, run_id, level)


async def watch_to_the_end(session: Session, run_id: str, level: str = "INFO") -> None:
    """Follows a run. Raises Failed when it did not complete."""
    from lodestream.cli.follow import follow
    from lodestream.cli.output import note
    from lodestream.client import arguments
    from lodestream.v1.common_pb2 import LogLevel

    number = arguments.number_of(LogLevel.DESCRIPTOR, level, "level")
    handle = await session.client.find(run_id)
    story = await follow(handle, as_json=session.as_json, level=number)
    if not story.succeeded:
        raise Failed
    if not session.as_json:
        note(f"See what it made: lodestream results {run_id} --download DIR")
