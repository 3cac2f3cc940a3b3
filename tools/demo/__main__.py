"""Real server, real log, an operation, a job, a notebook on what they found and a report: the whole way in one command.

Usage: python -m tools.demo [--log PATH]

Leaves the downloads in out/demo and nothing else. Exit code 0 when everything came to its end and, for the generated
log, every figure is the truth; else 1, with the server's last lines.
"""

import argparse
import asyncio
import csv
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct

from lodestream import wire
from lodestream.cli.failing import exit_code_of
from lodestream.cli.follow import follow
from lodestream.cli.output import console, errors_console, fields, heading, print_line
from lodestream.cli.texts import span_text
from lodestream.client import Client, JobHandle, OperationHandle, Settings
from lodestream.errors import LodestreamError
from lodestream.samples.loan_applications import Truth, write_log
from lodestream.v1.dataset_pb2 import Dataset
from tools.demo.figures import figures_of, untruths, unusual_line
from tools.demo.server import ServerFailed, log_tail, serving

#: Enough cases for a real picture, few enough for half a minute on a small machine.
CASES: Final = 10_000
OUT: Final = Path("out/demo")
NOTEBOOK: Final = Path("examples/notebooks/first_look.ipynb")


class DemoFailed(Exception):
    """Something did not come out as it should; the text says what."""


@dataclass(slots=True)
class Clock:
    """How long each step took."""

    took_s: dict[str, float] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def lap(self, name: str) -> None:
        """Ends a step."""
        now = time.monotonic()
        self.took_s[name], self._began = now - self._began, now


def main() -> int:
    """Runs the demonstration; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description="Mine an event log, start to end.")
    parser.add_argument("--log", type=Path, help="event log to use (CSV, XES, XES.gz, Parquet); generated otherwise")
    log: Path | None = parser.parse_args().log
    if log is not None and not log.is_file():
        parser.error(f"there is no file {log}")
    with tempfile.TemporaryDirectory(prefix="lodestream-demo-") as name:
        folder = Path(name)
        try:
            asyncio.run(_demonstrate(folder, log))
            return 0
        except (DemoFailed, ServerFailed, LodestreamError, OSError, KeyboardInterrupt) as error:
            return _failed(error, folder)


async def _demonstrate(folder: Path, log: Path | None) -> None:
    clock = Clock()
    truth: Truth | None = None
    if log is None:
        log = folder / "loan-applications.csv"
        print_line(f"Generating an event log of {CASES:,} loan applications …")
        truth = await asyncio.to_thread(write_log, log, CASES)
        clock.lap("Generating the log")
    print_line("Starting the server on a free port, with a temporary data directory …")
    async with serving(folder, "--notebooks") as ready, _client(ready) as client:
        clock.lap("Starting the server")
        dataset = await _upload(client, log)
        clock.lap("Uploading the log")
        shutil.rmtree(OUT, ignore_errors=True)
        operation = await client.start_operation("Loan applications" if truth else log.name, dataset=dataset)
        found = _of_operation(await _run(operation, "Operation: ProcessMiningAnalysis", OUT / "operation"))
        clock.lap("Running the operation, with downloads")
        job = await client.submit_job("The same as a job", dataset=dataset)
        again = _of_job(await _run(job, "Job: ProcessMining", OUT / "job"))
        clock.lap("Running the job, with downloads")
        await _run(await _notebook(client, dataset, job), "Job: Notebook", OUT / "notebook")
        clock.lap("Running the notebook, with downloads")
        await _run(await _summary(client, operation), "Operation: ReportGeneration", OUT / "summary")
        clock.lap("Writing the summary, with downloads")
    clock.lap("Stopping the server")
    _report(found, again, truth, clock)


def _client(ready: dict[str, str]) -> Client:
    """A client of this server, whatever the environment and config file of the user say."""
    return Client(settings=Settings(ready["grpc"], ready["token"]))


async def _upload(client: Client, log: Path) -> Dataset:
    dataset = await client.upload_dataset(log)
    size = wire.to_dict(dataset)["size"]
    print_line(f"Uploaded {log.name}: {size}, {dataset.events:,} events in {dataset.cases:,} cases")
    for text in dataset.notes:
        print_line(f"  - {text}")
    return dataset


async def _notebook(client: Client, dataset: Dataset, job: JobHandle) -> JobHandle:
    """The example notebook on the dataset and what the job found."""
    resource = await client.register_file(NOTEBOOK)
    parameters = {"notebookId": resource.resource_id, "top": 3}
    return await client.submit_job(
        "A first look", type="Notebook", dataset=dataset, parameters=parameters, after=[job.id]
    )


async def _summary(client: Client, operation: OperationHandle) -> OperationHandle:
    """What the operation found, to be sent to a manager."""
    parameters = {"sourceRunId": operation.id, "exportFormats": ["PDF", "PowerPoint"]}
    return await client.start_operation("Loan applications", type="ReportGeneration", parameters=parameters)


async def _run(handle: JobHandle | OperationHandle, title: str, directory: Path) -> Any:
    """Follows a run to its end, downloads its files, and returns the answer with the results of its phases."""
    heading(f"{title}, {handle.id}")
    story = await follow(handle)
    if not story.succeeded:
        raise DemoFailed(f"{title} ended as {story.state}.")
    paths = await handle.download(directory)
    if not paths:
        raise DemoFailed(f"{title} left no files to download.")
    return await handle.results(format="detailed")


def _of_operation(answer: Any) -> dict[str, Any]:
    return {entry.phase_name: _plain(entry.results) for entry in answer.phase_results}


def _of_job(answer: Any) -> dict[str, Any]:
    return _plain(answer.stage_results)


def _plain(struct: Struct) -> dict[str, Any]:
    return wire.to_dict(struct)


def _report(found: dict[str, Any], again: dict[str, Any], truth: Truth | None, clock: Clock) -> None:
    figures, twin = figures_of(found), figures_of(again)
    heading("Key figures")
    fields(figures.lines() | {"Unusual cases": unusual_line(_unusual_cases(), truth)})
    heading("Where to look")
    for path in sorted((path for path in OUT.rglob("*") if path.is_file()), key=_by_interest):
        print_line(f"  {path}")
    heading("How long it took")
    fields({name: span_text(took_s) for name, took_s in clock.took_s.items()})
    wrong = untruths(figures, truth) if truth else []
    if figures != twin:
        wrong.append("operation and job differ in their figures")
    if wrong:
        raise DemoFailed("; ".join(wrong))
    if truth:
        console().print("\nAll figures are those that were put into the generated log.", style="green")


def _unusual_cases() -> list[str]:
    """The cases that the operation found unusual, the most unusual first."""
    with (OUT / "operation" / "anomalies.csv").open(encoding="utf-8", newline="") as file:
        return [row["case_id"] for row in csv.DictReader(file)]


def _by_interest(path: Path) -> tuple[int, str]:
    """What is to be read or looked at first, then the tables."""
    return {".html": 0, ".pdf": 1, ".pptx": 1, ".svg": 2}.get(path.suffix, 3), str(path)


def _failed(error: BaseException, folder: Path) -> int:
    """Says what went wrong, with the server's last lines; returns the exit code."""
    if isinstance(error, DemoFailed | ServerFailed):
        errors_console().print(f"The demonstration failed: {error}", style="bold red", markup=False)
    code = 130 if isinstance(error, KeyboardInterrupt) else 1
    if not isinstance(error, DemoFailed | ServerFailed):
        exit_code_of(error)
    for line in [] if code == 130 else ["The server's last lines:", *log_tail(folder)]:
        errors_console().print(line, style="dim", markup=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
