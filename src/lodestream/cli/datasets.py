"""`lodestream datasets upload | list | show | delete`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lodestream.cli.output import console, document, errors_console, fields, heading, moment, note, table
from lodestream.cli.session import Session, command

if TYPE_CHECKING:
    from lodestream.client.transfers import Moved


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(no_args_is_help=True, help="Event logs: upload, list, show, delete.")
    app.add_typer(group, name="datasets", rich_help_panel="Event logs")
    _upload(group)
    _list(group)
    _show(group)
    _delete(group)


def _upload(group: typer.Typer) -> None:
    @command(
        group,
        "upload",
        examples="""
        lodestream datasets upload log.csv
        lodestream datasets upload log.xes.gz --name "Receipts 2025"
        lodestream datasets upload log.csv --case order --activity step --time finished --delimiter ";"
        """,
    )
    async def upload(
        session: Session,
        file: Annotated[Path, typer.Argument(help="CSV, XES, XES.gz or Parquet.", exists=True, dir_okay=False)],
        name: Annotated[str | None, typer.Option("--name", "-n", help="Name for people; the file's otherwise.")] = None,
        case: Annotated[str | None, typer.Option("--case", metavar="COLUMN", help="Names the case.")] = None,
        activity: Annotated[
            str | None, typer.Option("--activity", metavar="COLUMN", help="Names the activity.")
        ] = None,
        time: Annotated[
            str | None, typer.Option("--time", metavar="COLUMN", help="Says when it ended, or happened.")
        ] = None,
        start_time: Annotated[
            str | None, typer.Option("--start-time", metavar="COLUMN", help="Says when it began.")
        ] = None,
        resource: Annotated[str | None, typer.Option("--resource", metavar="COLUMN", help="Says who did it.")] = None,
        delimiter: Annotated[str | None, typer.Option("--delimiter", help="CSV: one character.")] = None,
        encoding: Annotated[str | None, typer.Option("--encoding", help="CSV: utf-8, utf-16, cp1252 …")] = None,
        timestamp_format: Annotated[
            str | None, typer.Option("--timestamp-format", help='Like "%d.%m.%Y %H:%M", "epoch-s" or "epoch-ms".')
        ] = None,
    ) -> None:
        """Upload an event log.

        Columns, delimiter, encoding and timestamp format are detected unless you name them.
        """
        with transfer(file.name) as moved:
            dataset = await session.client.upload_dataset(
                file,
                name=name,
                case_id_column=case,
                activity_column=activity,
                time_column=time,
                start_time_column=start_time,
                resource_column=resource,
                delimiter="\t" if delimiter == "\\t" else delimiter,
                encoding=encoding,
                timestamp_format=timestamp_format,
                moved=moved,
            )
        session.answer(dataset, lambda: describe(document(dataset)))
        if not session.as_json:
            note(f"Mine it: lodestream submit --dataset {dataset.dataset_id} --watch")


def _list(group: typer.Typer) -> None:
    @command(
        group,
        "list",
        examples="""
        lodestream datasets list
        lodestream datasets list --limit 100 --json
        """,
    )
    async def list_(
        session: Session,
        limit: Annotated[int, typer.Option("--limit", "-l", min=1, max=100, help="At most so many.")] = 20,
        page_token: Annotated[str, typer.Option("--page-token", help="Goes on where an answer ended.")] = "",
    ) -> None:
        """List the event logs of the project, newest first."""
        page = await session.client.datasets(page_size=limit).page(page_token)
        session.answer(page, lambda: _show_page(document(page)))


def _show(group: typer.Typer) -> None:
    @command(
        group,
        "show",
        examples="""
        lodestream datasets show ID
        lodestream datasets show ID --json
        """,
    )
    async def show(session: Session, dataset_id: Annotated[str, typer.Argument(metavar="ID", help="Dataset.")]) -> None:
        """Show an event log: cases, events, activities, variants, time range, columns."""
        dataset = await session.client.dataset(dataset_id)
        session.answer(dataset, lambda: describe(document(dataset)))


def _delete(group: typer.Typer) -> None:
    @command(group, "delete", examples="lodestream datasets delete ID")
    async def delete(
        session: Session, dataset_id: Annotated[str, typer.Argument(metavar="ID", help="Dataset.")]
    ) -> None:
        """Delete an event log and its file. Runs that used it keep what they made."""
        from lodestream.v1.dataset_pb2 import DeleteDatasetResponse

        await session.client.delete_dataset(dataset_id)
        session.answer(DeleteDatasetResponse(dataset_id=dataset_id), lambda: note(f"Deleted {dataset_id}."))


def describe(dataset: dict[str, Any]) -> None:
    """Prints a dataset's documented JSON for people."""
    span = dataset.get("timeRange", {})
    fields(
        {
            "Id": dataset.get("datasetId"),
            "Name": dataset.get("datasetName"),
            "Format": f"{dataset.get('format', '')}, {dataset.get('size', '')}",
            "Cases": dataset.get("cases"),
            "Events": dataset.get("events"),
            "Activities": dataset.get("activities"),
            "Variants": dataset.get("variants"),
            "From": moment(span.get("startTime")),
            "To": moment(span.get("endTime")),
            "Uploaded": moment(dataset.get("dateCreated")),
            **{_MAPPING.get(key, key): value for key, value in dataset.get("mapping", {}).items()},
            "Other columns": _others(dataset),
        }
    )
    if notes := dataset.get("notes"):
        heading("Worth knowing")
        for text in notes:
            console().print(f"- {text}", markup=False)


_MAPPING = {
    "caseIdColumn": "Case column",
    "activityNameColumn": "Activity column",
    "activityTimeColumn": "Time column",
    "startTimeColumn": "Start column",
    "resourceColumn": "Resource column",
    "delimiter": "Delimiter",
    "encoding": "Encoding",
    "timestampFormat": "Timestamp format",
}


def _others(dataset: dict[str, Any]) -> str:
    used = set(dataset.get("mapping", {}).values())
    names = [column["name"] for column in dataset.get("columns", []) if column["name"] not in used]
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(names[:12]) + more


def _show_page(page: dict[str, Any]) -> None:
    rows = [
        (
            dataset.get("datasetId"),
            dataset.get("datasetName"),
            dataset.get("format"),
            dataset.get("size"),
            dataset.get("cases"),
            dataset.get("events"),
            moment(dataset.get("dateCreated")),
        )
        for dataset in page["datasets"]
    ]
    if not rows:
        note("No datasets yet: lodestream datasets upload FILE")
        return
    table(("ID", "NAME", "FORMAT", "SIZE", "CASES", "EVENTS", "UPLOADED"), rows, right=("SIZE", "CASES", "EVENTS"))
    if token := page.get("nextPageToken"):
        note(f"{page['totalDatasets']} in all; more: --page-token {token}")


@contextmanager
def transfer(name: str) -> Iterator["Moved | None"]:
    """A bar on stderr for bytes under way, where a person looks at it; None elsewhere."""
    if not errors_console().is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=errors_console(), transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
