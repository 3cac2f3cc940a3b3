"""`lodestream jobs` and `lodestream operations`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lodestream.cli import arguments
from lodestream.cli.output import document, moment, note, print_json, table
from lodestream.cli.session import Session, command

if TYPE_CHECKING:
    from lodestream.client import Listing

_Status = Annotated[str | None, typer.Option("--status", "-s", help="Only those that stand there: Running, Failed …")]
_Type = Annotated[str | None, typer.Option("--type", "-t", help="Only those of this type.")]
_Priority = Annotated[str | None, typer.Option("--priority", "-p", help="Only those this urgent.")]
_Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only those created then or later.")]
_Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only those created then or earlier.")]
_Limit = Annotated[int, typer.Option("--limit", "-l", min=1, max=100, help="At most so many.")]
_Token = Annotated[str, typer.Option("--page-token", help="Goes on where an answer ended.")]
_Every = Annotated[bool, typer.Option("--all", "-a", help="Every page; with --json one page a line.")]


def register(app: typer.Typer) -> None:
    """Adds both commands."""
    _jobs(app)
    _operations(app)


def _jobs(app: typer.Typer) -> None:
    @command(
        app,
        "jobs",
        panel="Runs",
        examples="""
        lodestream jobs
        lodestream jobs --status Running
        lodestream jobs --since 2026-01-01 --all --json
        """,
    )
    async def jobs(
        session: Session,
        status: _Status = None,
        type_word: _Type = None,
        priority: _Priority = None,
        by: Annotated[str, typer.Option("--by", metavar="NAME", help="Only those submitted by this key.")] = "",
        since: _Since = None,
        until: _Until = None,
        limit: _Limit = 20,
        page_token: _Token = "",
        every: _Every = False,
    ) -> None:
        """List the jobs of the project, newest first."""
        listing = session.client.jobs(
            status=status,
            type=type_word,
            priority=priority,
            submitted_by=by,
            date_from=arguments.instant(since, "--since") if since else None,
            date_to=arguments.instant(until, "--until") if until else None,
            page_size=100 if every else limit,
        )
        await _print(session, listing, page_token, every, "jobs")


def _operations(app: typer.Typer) -> None:
    @command(
        app,
        "operations",
        panel="Runs",
        examples="""
        lodestream operations
        lodestream operations --status Failed --limit 5
        lodestream operations --type ProcessMiningAnalysis --json
        """,
    )
    async def operations(
        session: Session,
        status: _Status = None,
        type_word: _Type = None,
        priority: _Priority = None,
        since: _Since = None,
        until: _Until = None,
        details: Annotated[bool, typer.Option("--details", help="With resource usage and record counts.")] = False,
        limit: _Limit = 20,
        page_token: _Token = "",
        every: _Every = False,
    ) -> None:
        """List the operations of the project, newest first."""
        listing = session.client.operations(
            status=status,
            type=type_word,
            priority=priority,
            details=details,
            date_from=arguments.instant(since, "--since") if since else None,
            date_to=arguments.instant(until, "--until") if until else None,
            page_size=100 if every else limit,
        )
        await _print(session, listing, page_token, every, "operations")


async def _print(session: Session, listing: "Listing[Any, Any]", token: str, every: bool, noun: str) -> None:
    rows: list[Any] = []
    while True:
        page = await listing.page(token)
        token = page.next_page_token
        if session.as_json:
            print_json(page)
        said = document(page)
        rows += said[noun]
        if not (every and token):
            break
    if not session.as_json:
        _show(rows, noun, said["summary"], token)


def _show(found: list[dict[str, Any]], noun: str, summary: dict[str, int], token: str) -> None:
    one = noun.removesuffix("s")
    if found:
        table(
            ("ID", "NAME", "STATUS", "PROGRESS", "STARTED", "TOOK"),
            [
                (
                    run.get(f"{one}Id"),
                    run.get(f"{one}Name"),
                    run.get("status"),
                    f"{run.get('progress', 0):.0f} %",
                    moment(run.get("startTime")),
                    run.get("duration"),
                )
                for run in found
            ],
            right=("PROGRESS",),
        )
    note(_counted(noun, summary))
    if token:
        note(f"There are more: --all, or --page-token {token}")


def _counted(noun: str, summary: dict[str, int]) -> str:
    """ "The project has 12 jobs: 1 running, 2 queued, 8 completed, 1 failed." """
    counts = {key.removesuffix("Jobs"): count for key, count in summary.items() if not key.startswith("total")}
    total = next((count for key, count in summary.items() if key.startswith("total")), 0)
    parts = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    return f"The project has {total:,} {noun if total != 1 else noun.removesuffix('s')}{f': {parts}' if parts else ''}."
