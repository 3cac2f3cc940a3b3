"""`lodestream batch submit | show | watch | cancel`: operations that depend on each other."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lodestream.cli import texts
from lodestream.cli.failing import Failed, Usage
from lodestream.cli.output import document, errors_console, fields, heading, moment, note, print_json, print_line, table
from lodestream.cli.session import Session, command

if TYPE_CHECKING:
    from lodestream.client import BatchHandle

_BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="Batch.")]


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(no_args_is_help=True, help="Batches: submit, show, watch, cancel.")
    app.add_typer(group, name="batch", rich_help_panel="Runs")
    _submit(group)
    _show(group)
    _watch(group)
    _cancel(group)


def _submit(group: typer.Typer) -> None:
    @command(
        group,
        "submit",
        examples="""
        lodestream batch submit nightly.json
        lodestream batch submit nightly.json --watch
        """,
    )
    async def submit(
        session: Session,
        file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON of the documented request.", exists=True)],
        request_id: Annotated[
            str | None,
            typer.Option("--request-id", help="Submitting again with the same id gives the first answer again."),
        ] = None,
        watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end.")] = False,
    ) -> None:
        """Submit operations that depend on each other, all or none.

        FILE holds batchName and operations, each with operationName, operationType, operationKey, dependencies and
        parameters; failurePolicy and batchCallbacks as documented.
        """
        batch = await session.client.submit_batch(_document(file), request_id=request_id)
        assert batch.submitted is not None
        said = document(batch.submitted)
        if not (watch and session.as_json):
            session.answer(batch.submitted, lambda: _show_batch(said))
        if watch:
            await _to_the_end(session, batch)
        elif not session.as_json:
            note(f"Follow it: lodestream batch watch {batch.id}")


def _show(group: typer.Typer) -> None:
    @command(
        group,
        "show",
        examples="""
        lodestream batch show BATCH
        lodestream batch show BATCH --json
        """,
    )
    async def show(session: Session, batch_id: _BatchId) -> None:
        """Show where a batch and each of its operations stand."""
        answer = await session.client.batch(batch_id).get()
        session.answer(answer, lambda: _show_batch(document(answer)))


def _watch(group: typer.Typer) -> None:
    @command(
        group,
        "watch",
        examples="""
        lodestream batch watch BATCH
        lodestream batch watch BATCH --json > events.jsonl
        """,
    )
    async def watch(session: Session, batch_id: _BatchId) -> None:
        """Follow a batch live, from its first step to its end. The exit code is 0 when all of it completed."""
        await _to_the_end(session, session.client.batch(batch_id))


def _cancel(group: typer.Typer) -> None:
    @command(group, "cancel", examples='lodestream batch cancel BATCH --reason "wrong log"')
    async def cancel(
        session: Session,
        batch_id: _BatchId,
        force: Annotated[bool, typer.Option("--force", help="Without a grace period.")] = False,
        reason: Annotated[str, typer.Option("--reason", "-r", help="For the receipts and the timelines.")] = "",
        discard: Annotated[bool, typer.Option("--discard", help="Keep nothing of what finished phases made.")] = False,
    ) -> None:
        """Stop what has not ended of a batch and wait until it has stopped."""
        receipt = await session.client.batch(batch_id).cancel(reason, force=force, keep_results=not discard)
        session.answer(receipt, lambda: _show_receipt(document(receipt)))


async def _to_the_end(session: Session, batch: "BatchHandle") -> None:
    """Prints each step of its operations. Raises Failed when one of them did not complete."""
    from lodestream.v1.batch_pb2 import BatchEvent

    def broken(why: str) -> None:
        errors_console().print(f"Connecting again: {why}", style="yellow", markup=False)

    last: dict[str, Any] = {}
    async with batch.watch(replay=True, on_break=broken) as updates:
        async for update in updates:
            if not isinstance(update, BatchEvent):
                continue
            if session.as_json:
                print_json(update)
                continue
            step = document(update)
            if last.get(step["operationKey"]) != step.get("status"):
                time = texts.instant_text(update.timestamp)
                print_line(f"{time}  {step['operationKey']}: {step.get('status')}, {step.get('progress', 0):g} %")
            last[step["operationKey"]] = step.get("status")
    ended = document(await batch.get())
    if not session.as_json:
        print_line(f"{ended['status']}: {ended['completedOperations']} of {ended['totalOperations']} completed")
    if ended["completedOperations"] < ended["totalOperations"]:
        raise Failed


def _document(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Usage(f"{file}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Usage(f"{file}: must hold a JSON object with batchName and operations")
    return found


def _show_batch(batch: dict[str, Any]) -> None:
    fields(
        {
            "Id": batch["batchId"],
            "Name": batch["batchName"],
            "Status": batch["status"],
            "Progress": f"{batch['progress']:g} %" if "progress" in batch else None,
            "Expected to take": batch.get("estimatedBatchDuration"),
            "Started": moment(batch.get("batchStartTime")),
            "Ended": moment(batch.get("batchEndTime")),
        }
    )
    heading("Operations")
    rows = [
        (one["operationKey"], one["operationId"], one["status"], _percent(one), ", ".join(one["dependencies"]))
        for one in batch["operations"]
    ]
    table(("KEY", "ID", "STATUS", "PROGRESS", "AFTER"), rows)
    for one in batch["operations"]:
        if message := one.get("error", {}).get("message"):
            print_line(f"{one['operationKey']}: {message}")


def _percent(operation: dict[str, Any]) -> str:
    return f"{operation['progress']:g} %" if "progress" in operation else ""


def _show_receipt(receipt: dict[str, Any]) -> None:
    stopped = len(receipt["operations"])
    fields(
        {
            "Id": receipt["batchId"],
            "Status": receipt["status"],
            "Stopped": moment(receipt.get("cancellationTime")),
            "Operations stopped": stopped,
            "Cancelled by": receipt.get("cancelledBy"),
            "Reason": receipt.get("reason"),
        }
    )
