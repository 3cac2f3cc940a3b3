"""`lodestream results ID`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lodestream.cli import texts
from lodestream.cli.datasets import transfer
from lodestream.cli.failing import Failed, Usage
from lodestream.cli.output import console, document, fields, heading, moment, note, print_json, print_line, table
from lodestream.cli.session import Session, command

if TYPE_CHECKING:
    from lodestream.client import JobHandle, OperationHandle
    from lodestream.v1.job_pb2 import GetJobResultsResponse
    from lodestream.v1.operation_pb2 import GetOperationResultsResponse


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @command(
        app,
        "results",
        panel="Runs",
        examples="""
        lodestream results ID
        lodestream results ID --download out
        lodestream results ID --phase "Process Discovery" --json
        """,
    )
    async def results(
        session: Session,
        run_id: Annotated[str, typer.Argument(metavar="ID", help="Job or operation that has ended.")],
        download: Annotated[
            Path | None, typer.Option("--download", "-d", metavar="DIR", file_okay=False, help="Write its files there.")
        ] = None,
        format: Annotated[str, typer.Option("--format", help="summary, detailed or download.")] = "detailed",
        phase: Annotated[str, typer.Option("--phase", metavar="NAME", help="Only this phase or stage.")] = "",
        only: Annotated[
            list[str] | None, typer.Option("--only", metavar="FILE", help="Download only this file; may be repeated.")
        ] = None,
    ) -> None:
        """Show what a run produced, and download its files.

        --json prints everything, the free-form results of each phase included. The exit code is 1 when the run did not
        complete; what exists of it is shown and downloaded all the same.
        """
        handle = await session.client.find(run_id)
        answer = await _of(handle, format, phase)
        if session.as_json:
            print_json(answer)
        else:
            _show(document(answer), phase)
        if download is not None:
            paths = await fetch(handle, download, only or [])
            if not session.as_json:
                _show_files(paths)
        if not answer.success:
            raise Failed


async def _of(
    handle: "JobHandle | OperationHandle", format: str, phase: str
) -> "GetJobResultsResponse | GetOperationResultsResponse":
    from lodestream.client import JobHandle

    if not isinstance(handle, JobHandle):
        return await handle.results(format=format, phase=phase)
    answer = await handle.results(format=format)
    stages = list(answer.stage_results.fields)
    if phase and phase not in stages:
        raise Usage(f"--phase {phase!r}: the job has the stages {', '.join(stages) or '(none yet)'}")
    for stage in stages:
        if phase and stage != phase:
            del answer.stage_results.fields[stage]
    return answer


async def fetch(handle: "JobHandle | OperationHandle", directory: Path, only: list[str]) -> list[Path]:
    """Downloads the files of a run; with a bar where a person looks."""
    with transfer("Downloading") as moved:
        each = None if moved is None else lambda _name, done, total: moved(done, total)
        return await handle.download(directory, only=only, moved=each)


def _show(answer: dict[str, Any], phase: str) -> None:
    fields(
        {
            "Id": answer.get("operationId") or answer.get("jobId"),
            "Name": answer.get("operationName"),
            "Status": answer.get("status"),
            "Ended": moment(answer.get("completionTime")),
            "Took": answer.get("totalDuration"),
            **{_spaced(key): value for key, value in answer.get("summary", {}).items()},
            "Failed because": answer.get("error", {}).get("message"),
        }
    )
    for name, found in _phases(answer):
        if found and (not phase or phase == name):
            heading(name)
            fields(dict(flat(found, brief=not phase)))
    if not phase:
        note("More of a phase: --phase NAME. All of it: --json.")
    _show_recommendations(answer.get("recommendations", []))
    _show_outputs(answer)


def _phases(answer: dict[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for entry in answer.get("phaseResults", []):
        yield entry.get("phaseName", ""), entry.get("results", {})
    yield from answer.get("stageResults", {}).items()


def flat(values: Mapping[str, Any], *, brief: bool, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Figures of a free-form object, one level into objects; lists as how many entries they have. --json has the rest.

    `brief` leaves out lists and all objects but the few that sum a phase up.
    """
    for key, value in values.items():
        name = f"{prefix}{_spaced(key)}"
        match value:
            case Mapping():
                if not prefix and (key in _TELLING or (not brief and key not in _WORDY)):
                    yield from flat(value, brief=brief, prefix=f"{name} / ")
            case list():
                if not brief:
                    yield name, _entries(value)
            case int() | float() if key.endswith("Seconds"):
                yield name.removesuffix(" seconds"), texts.span_text(float(value))
            case None:
                pass
            case _:
                yield name, value


#: Sentences for the readers of the JSON.
_WORDY = ("definitions",)
#: Objects of the mining phases that sum them up.
_TELLING = ("processModel", "performanceMetrics", "cycleTimes", "timeRange")


def _entries(values: list[Any]) -> Any:
    """A short list of plain values as it is; everything else as its length."""
    if values and (len(values) > 12 or isinstance(values[0], Mapping | list)):
        return f"{len(values)} entries"
    return values or "none"


def _spaced(key: str) -> str:
    """dataQualityScore -> Data quality score; a key that is no camelCase word stays as it is."""
    if not (key.isascii() and key.isalnum() and key[:1].islower()):
        return key
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in key)
    return words[:1].upper() + words[1:]


def _show_recommendations(found: list[dict[str, Any]]) -> None:
    if not found:
        return
    heading("Recommendations")
    for entry in found:
        console().print(f"- {entry.get('recommendation', '')}", markup=False)
        if gain := entry.get("expectedImprovement"):
            console().print(f"  {gain}", style="dim", markup=False)


def _show_outputs(answer: dict[str, Any]) -> None:
    outputs = answer.get("results", {})
    files = [*filter(None, [outputs.get("primaryOutput")]), *outputs.get("additionalOutputs", [])]
    rows = [(f.get("name") or f.get("title"), f.get("type"), f.get("format"), f.get("size")) for f in files]
    rows += [(f.get("name"), f.get("type"), f.get("format"), f.get("size")) for f in answer.get("artifacts", [])]
    if rows:
        heading("Files")
        table(("NAME", "TYPE", "FORMAT", "SIZE"), rows, right=("SIZE",))


def _show_files(paths: list[Path]) -> None:
    if not paths:
        note("There are no files to download.")
        return
    heading("Downloaded")
    for path in paths:
        print_line(str(path))
