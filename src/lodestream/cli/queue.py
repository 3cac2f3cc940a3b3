"""`lodestream queue show | pause | resume | purge`, `lodestream explain ID`, `lodestream reprioritise ID PRIORITY`."""

from typing import Annotated, Any

import typer

from lodestream.cli.failing import Usage
from lodestream.cli.output import document, fields, heading, moment, note, table
from lodestream.cli.session import Session, command

_Reason = Annotated[str, typer.Option("--reason", "-r", help="For the record.")]
_RunId = Annotated[str, typer.Argument(metavar="ID", help="Job or operation.")]


def register(app: typer.Typer) -> None:
    """Adds the group and the two commands about one run in it."""
    group = typer.Typer(no_args_is_help=True, help="The queue: show, pause, resume, purge.")
    app.add_typer(group, name="queue", rich_help_panel="Runs")
    _show(group)
    _pause(group)
    _resume(group)
    _purge(group)
    _explain(app)
    _reprioritise(app)


def _show(group: typer.Typer) -> None:
    @command(
        group,
        "show",
        examples="""
        lodestream queue show
        lodestream queue show --priority High --json
        """,
    )
    async def show(
        session: Session,
        priority: Annotated[str | None, typer.Option("--priority", "-p", help="Only this urgent.")] = None,
        type_word: Annotated[str | None, typer.Option("--type", "-t", help="Only jobs of this type.")] = None,
    ) -> None:
        """Show what waits in the project, next first, and what the machine is doing."""
        answer = await session.client.queue(priority=priority, type=type_word)
        session.answer(answer, lambda: _show_queue(document(answer)))


def _pause(group: typer.Typer) -> None:
    @command(group, "pause", examples='lodestream queue pause --reason "moving the archive"')
    async def pause(session: Session, reason: _Reason = "") -> None:
        """Start nothing more of the project until resumed; what runs goes on. Takes an administrator's key."""
        answer = await session.client.pause_queue(reason)
        session.answer(answer, lambda: _show_status(document(answer)))


def _resume(group: typer.Typer) -> None:
    @command(group, "resume", examples="lodestream queue resume")
    async def resume(session: Session) -> None:
        """Start work of the project again. Takes an administrator's key."""
        answer = await session.client.resume_queue()
        session.answer(answer, lambda: _show_status(document(answer)))


def _purge(group: typer.Typer) -> None:
    @command(
        group,
        "purge",
        examples="""
        lodestream queue purge --yes
        lodestream queue purge --priority Low --reason "not needed any more" --yes
        """,
    )
    async def purge(
        session: Session,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
        priority: Annotated[str | None, typer.Option("--priority", "-p", help="Only this urgent.")] = None,
        reason: _Reason = "",
    ) -> None:
        """Cancel everything that waits in the project. Takes an administrator's key."""
        if not yes and not typer.confirm("Cancel everything that waits in this project?", err=True):
            raise Usage("Nothing was cancelled; --yes answers the question beforehand.")
        answer = await session.client.purge_queue(priority=priority, reason=reason)
        session.answer(answer, lambda: _show_purged(document(answer)))


def _explain(app: typer.Typer) -> None:
    @command(
        app,
        "explain",
        panel="Runs",
        examples="""
        lodestream explain ID
        lodestream explain ID --json
        """,
    )
    async def explain(session: Session, run_id: _RunId) -> None:
        """Tell what a run waits for."""
        answer = await session.client.explain(run_id)
        session.answer(answer, lambda: _show_explained(document(answer)))


def _reprioritise(app: typer.Typer) -> None:
    @command(app, "reprioritise", panel="Runs", examples="lodestream reprioritise ID High")
    async def reprioritise(
        session: Session,
        run_id: _RunId,
        priority: Annotated[str, typer.Argument(metavar="PRIORITY", help="Low, Normal, High or Critical.")],
    ) -> None:
        """Make a run that has not started more or less urgent."""
        answer = await session.client.reprioritize(run_id, priority)
        session.answer(answer, lambda: _show_place(document(answer)))


def _show_queue(queue: dict[str, Any]) -> None:
    summary, capacity = queue["summary"], queue["processingCapacity"]
    fields(
        {
            "Status": queue["queueStatus"],
            "Waiting": summary["totalQueuedJobs"],
            "Average wait": summary["averageWaitTime"],
            "Empty in": summary.get("estimatedProcessingTime"),
            "At work": f"{capacity['currentlyRunning']} of {capacity['maxConcurrentJobs']}",
        }
    )
    if queue["queuedJobs"]:
        heading("Next first")
        table(("ID", "NAME", "TYPE", "PRIORITY", "STARTS ABOUT", "TAKES"), map(_row, queue["queuedJobs"]))


def _row(job: dict[str, Any]) -> tuple[Any, ...]:
    start = moment(job.get("estimatedStartTime"))
    return job["jobId"], job["jobName"], job["jobType"], job["priority"], start, job.get("estimatedDuration")


def _show_status(answer: dict[str, Any]) -> None:
    fields({"Status": answer["queueStatus"], "Waiting": answer["totalQueuedJobs"]})


def _show_purged(answer: dict[str, Any]) -> None:
    fields({"Cancelled": answer["cancelledJobs"], "Waiting": answer["totalQueuedJobs"]})


def _show_explained(answer: dict[str, Any]) -> None:
    fields({"Id": answer["jobId"], "State": answer["state"], "Explanation": answer["explanation"]})
    if answer["waitingFor"]:
        heading("Waits for")
        rows = [(one["reason"], one["message"], one.get("subject")) for one in answer["waitingFor"]]
        table(("REASON", "MESSAGE", "SUBJECT"), rows)


def _show_place(answer: dict[str, Any]) -> None:
    start = moment(answer.get("estimatedStartTime"))
    place = answer["queuePosition"] or None
    fields({"Id": answer["jobId"], "Priority": answer["priority"], "Queue position": place, "Starts about": start})
    note(f"What it waits for: lodestream explain {answer['jobId']}")
