"""`lodestream submit`: a job, or with `--operation` an operation."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lodestream.cli import arguments
from lodestream.cli.failing import Usage
from lodestream.cli.output import document, fields, moment, note
from lodestream.cli.session import Session, command
from lodestream.cli.watch import watch_to_the_end

if TYPE_CHECKING:
    from google.protobuf.message import Message

#: The words of the contract; a test compares. Written out, since help must not load the contract.
TYPES = (
    "Jobs: ProcessMining (when left out), DataEnrichment, Notebook, Analysis. "
    "Operations: ProcessMiningAnalysis (when left out), DataEnrichment, ReportGeneration. "
    "Or the name of an own workload."
)


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @command(
        app,
        "submit",
        panel="Runs",
        examples="""
        lodestream submit --dataset ID --watch
        lodestream submit --operation --dataset ID --name "Loan applications" --priority High
        lodestream submit --dataset ID --param removeDuplicates=true --param 'timeWindow={"startDate":"2024-01-01"}'
        lodestream submit --dataset ID --params-file parameters.json --timeout 30m
        lodestream submit --type Notebook --resource ID --dataset ID --watch
        """,
    )
    async def submit(
        session: Session,
        operation: Annotated[
            bool, typer.Option("--operation", help="Start an operation (async API) instead of a job (execution API).")
        ] = False,
        dataset: Annotated[
            str | None, typer.Option("--dataset", "-d", metavar="ID", help="Event log to work on.")
        ] = None,
        resource: Annotated[
            str | None,
            typer.Option("--resource", metavar="ID", help="Jobs: what it refers to, such as a notebook or a pipeline."),
        ] = None,
        type_word: Annotated[
            str | None, typer.Option("--type", "-t", metavar="TYPE", help=f"What to do. {TYPES}")
        ] = None,
        name: Annotated[str | None, typer.Option("--name", "-n", help="Name for people.")] = None,
        description: Annotated[str, typer.Option("--description", help="More for people.")] = "",
        priority: Annotated[str | None, typer.Option("--priority", "-p", help="Low, Normal, High or Critical.")] = None,
        param: Annotated[
            list[str] | None,
            typer.Option("--param", metavar="KEY=VALUE", help="A parameter; the value is JSON, or else a text."),
        ] = None,
        params_file: Annotated[
            Path | None, typer.Option("--params-file", metavar="FILE", help="JSON object of parameters.")
        ] = None,
        time_limit: Annotated[
            str | None, typer.Option("--timeout", metavar="SPAN", help="Time limit: 90s, 30m, 2h. 2h when left out.")
        ] = None,
        at: Annotated[
            str | None, typer.Option("--at", metavar="TIME", help="Jobs: not before then, like 2026-01-31T22:00Z.")
        ] = None,
        after: Annotated[
            list[str] | None,
            typer.Option("--after", metavar="ID", help="Jobs: start when this one has completed; may be repeated."),
        ] = None,
        request_id: Annotated[
            str | None,
            typer.Option("--request-id", help="Submitting again with the same id gives the first answer again."),
        ] = None,
        watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end.")] = False,
    ) -> None:
        """Submit a job or start an operation.

        Prints its id at once; --watch stays and shows it live.
        """
        limit = arguments.span(time_limit, "--timeout") if time_limit else None
        common: dict[str, Any] = {
            "dataset": dataset,
            "parameters": parameters(params_file, param or []),
            "priority": priority,
            "description": description,
            "time_limit": limit,
            "request_id": request_id,
        }
        title = name or _title(type_word, operation)
        if operation:
            run_id, answer = await _operation(session, title, type_word, bool(at or after or resource), common)
        else:
            options = {**common, "after": after or [], "resource": resource}
            run_id, answer = await _job(session, title, type_word, at, options)
        if not (watch and session.as_json):
            session.answer(answer, lambda: _show(run_id, answer, watch))
        if watch:
            await watch_to_the_end(session, run_id)


async def _job(
    session: Session, title: str, word: str | None, at: str | None, options: dict[str, Any]
) -> tuple[str, "Message"]:
    scheduled = arguments.instant(at, "--at") if at else None
    job = await session.client.submit_job(title, type=word or "ProcessMining", scheduled_at=scheduled, **options)
    assert job.submitted is not None
    return job.id, job.submitted


async def _operation(
    session: Session, title: str, word: str | None, has_job_options: bool, common: dict[str, Any]
) -> tuple[str, "Message"]:
    if has_job_options:
        raise Usage("--at, --after and --resource are for jobs; operations start as soon as there is a worker.")
    operation = await session.client.start_operation(title, type=word or "ProcessMiningAnalysis", **common)
    assert operation.started is not None
    return operation.id, operation.started


def parameters(file: Path | None, pairs: list[str], option: str = "--param") -> dict[str, Any]:
    """Parameters from a JSON file, then from KEY=VALUE pairs, which win. Raises Usage."""
    found: dict[str, Any] = {}
    if file is not None:
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Usage(f"--params-file {file}: not JSON: {error}") from None
        if not isinstance(found, dict):
            raise Usage(f"--params-file {file}: must hold a JSON object")
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not (key and equals):
            raise Usage(f"{option} {pair!r}: write it as KEY=VALUE")
        found[key] = _value(text)
    return found


def _value(text: str) -> Any:
    """true, 12, "x", {…} and […] are JSON; everything else is the text as it stands."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _title(word: str | None, operation: bool) -> str:
    return word or ("ProcessMiningAnalysis" if operation else "ProcessMining")


def _show(run_id: str, answer: "Message", watched: bool) -> None:
    said = document(answer)
    fields(
        {
            "Id": run_id,
            "Name": said.get("jobName") or said.get("operationName"),
            "Status": said.get("status"),
            "Queue position": said.get("queuePosition") or None,
            "Expected to take": said.get("estimatedDuration"),
            "Submitted": moment(said.get("dateSubmitted") or said.get("dateCreated")),
            "Time limit": moment(said.get("timeoutAt")),
        }
    )
    if not watched:
        note(f"Follow it: lodestream watch {run_id}")
