"""`lodestream retry ID`."""

from typing import Annotated, Any

import typer

from lodestream.cli import arguments
from lodestream.cli.failing import Usage
from lodestream.cli.output import document, fields, note
from lodestream.cli.session import Session, command
from lodestream.cli.submit import parameters
from lodestream.cli.watch import watch_to_the_end


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @command(
        app,
        "retry",
        panel="Runs",
        examples="""
        lodestream retry ID --watch
        lodestream retry ID --restart --reason "new rules"
        lodestream retry ID --set removeDuplicates=true --timeout 4h
        """,
    )
    async def retry(
        session: Session,
        run_id: Annotated[str, typer.Argument(metavar="ID", help="Job or operation that did not complete.")],
        restart: Annotated[bool, typer.Option("--restart", help="Run every phase again.")] = False,
        change: Annotated[
            list[str] | None,
            typer.Option("--set", metavar="KEY=VALUE", help="A parameter that changes; JSON, or else a text."),
        ] = None,
        reason: Annotated[str, typer.Option("--reason", "-r", help="For the timeline.")] = "",
        time_limit: Annotated[
            str | None, typer.Option("--timeout", metavar="SPAN", help="Time limit of the new run: 90s, 30m, 2h.")
        ] = None,
        priority: Annotated[
            str | None, typer.Option("--priority", "-p", help="Jobs: how urgent; as before when left out.")
        ] = None,
        request_id: Annotated[
            str | None, typer.Option("--request-id", help="Retrying again with the same id gives the first answer.")
        ] = None,
        watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the new run to its end.")] = False,
    ) -> None:
        """Try a run again that failed, timed out or was cancelled, as a new run.

        Finished phases are taken over unless --set changes what they read or --restart asks for all of them.
        """
        handle = await session.client.find(run_id)
        options: dict[str, Any] = {
            "restart": restart,
            "parameters": parameters(None, change or [], "--set"),
            "time_limit": arguments.span(time_limit, "--timeout") if time_limit else None,
            "request_id": request_id,
        }
        if priority is not None:
            if handle.kind != "job":
                raise Usage("--priority is for jobs; `lodestream reprioritise ID PRIORITY` changes an operation's.")
            options["priority"] = priority
        answer = await handle.retry(reason, **options)
        said = document(answer)
        new_id = said.get("newOperationId") or said["jobId"]
        if not (watch and session.as_json):
            session.answer(answer, lambda: _show(said, new_id, watch))
        if watch:
            await watch_to_the_end(session, new_id)


def _show(said: dict[str, Any], new_id: str, watched: bool) -> None:
    kept = said.get("preservedResults", {})
    fields(
        {
            "Id": new_id,
            "Retry of": said.get("originalOperationId") or said.get("originalJobId"),
            "Retry number": said.get("retryNumber"),
            "Status": said.get("status"),
            "Begins with": said.get("resumeFromPhase"),
            "Taken over": f"{kept['phasesPreserved']} finished phases" if kept.get("phasesPreserved") else None,
            "Queue position": said.get("queuePosition") or None,
            "Expected to take": said.get("estimatedDuration"),
        }
    )
    if not watched:
        note(f"Follow it: lodestream watch {new_id}")
