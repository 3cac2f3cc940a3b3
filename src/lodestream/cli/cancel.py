"""`lodestream cancel ID`."""

from typing import Annotated, Any

import typer

from lodestream.cli.output import document, fields, moment
from lodestream.cli.session import Session, command


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @command(
        app,
        "cancel",
        panel="Runs",
        examples="""
        lodestream cancel ID --reason "wrong log"
        lodestream cancel ID --force
        """,
    )
    async def cancel(
        session: Session,
        run_id: Annotated[str, typer.Argument(metavar="ID", help="Job or operation.")],
        force: Annotated[bool, typer.Option("--force", help="Without a grace period.")] = False,
        reason: Annotated[str, typer.Option("--reason", "-r", help="For the receipt and the timeline.")] = "",
        discard: Annotated[bool, typer.Option("--discard", help="Keep nothing of what finished phases made.")] = False,
    ) -> None:
        """Stop a run and wait until it has stopped.

        Cancelling what is cancelled already shows the same receipt; --force on one that is being stopped hurries it.
        """
        handle = await session.client.find(run_id)
        receipt = await handle.cancel(reason, force=force, keep_results=not discard)
        session.answer(receipt, lambda: _show(document(receipt)))


def _show(receipt: dict[str, Any]) -> None:
    kept = receipt.get("partialResults", {})
    done = kept.get("completedPhases", kept.get("completedStages", 0))
    fields(
        {
            "Id": receipt.get("operationId") or receipt.get("jobId"),
            "Status": receipt.get("status"),
            "Stopped": moment(receipt.get("cancellationTime")),
            "Took": receipt.get("took"),
            "By": _RUNGS.get(receipt.get("stoppedBy", ""), receipt.get("stoppedBy")),
            "Cancelled by": receipt.get("cancelledBy"),
            "Reason": receipt.get("reason"),
            "Was in": receipt.get("phaseAtCancellation") or receipt.get("stageAtCancellation"),
            "Progress": f"{receipt.get('progressAtCancellation', 0):g} %",
            "Kept": f"{done} finished phases" if kept.get("available") else "nothing",
        }
    )


_RUNGS = {
    "NONE": "it was not at work",
    "FLAG": "it was asked to stop and did",
    "SIGTERM": "its worker was terminated",
    "SIGKILL": "its worker was killed",
}
