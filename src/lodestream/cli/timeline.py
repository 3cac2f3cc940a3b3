"""`lodestream timeline ID`."""

from typing import Annotated, Any

import typer

from lodestream.cli.output import document, heading, moment, note, table
from lodestream.cli.session import Session, command


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @command(
        app,
        "timeline",
        panel="Runs",
        examples="""
        lodestream timeline ID
        lodestream timeline ID --granularity major_events
        lodestream timeline ID --granularity seconds --sub-events --json
        """,
    )
    async def timeline(
        session: Session,
        run_id: Annotated[str, typer.Argument(metavar="ID", help="Job or operation.")],
        granularity: Annotated[
            str, typer.Option("--granularity", "-g", help="seconds, minutes or major_events.")
        ] = "minutes",
        sub_events: Annotated[bool, typer.Option("--sub-events", help="With progress and resource changes.")] = False,
    ) -> None:
        """Show what happened to a run and what should come."""
        handle = session.client.job(run_id)  # timelines take the id of either kind
        answer = await handle.timeline(granularity=granularity, sub_events=sub_events)
        session.answer(answer, lambda: _show(document(answer)))


def _show(answer: dict[str, Any]) -> None:
    if answer["timeline"]:
        _table(answer["timeline"], "timestamp")
    else:
        note("Nothing has happened yet.")
    if answer["upcomingEvents"]:
        heading("To come")
        _table(answer["upcomingEvents"], "estimatedTime")


def _table(entries: list[dict[str, Any]], when: str) -> None:
    rows = [(moment(entry.get(when)), entry.get("eventType"), entry.get("description")) for entry in entries]
    table(("TIME", "EVENT", "WHAT"), rows)
