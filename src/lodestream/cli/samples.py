"""`lodestream sample-log FILE`: a realistic event log whose truth is known."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lodestream.cli.output import fields, heading, note, print_line
from lodestream.cli.session import help_text


def register(app: typer.Typer) -> None:
    """Adds the command."""
    examples = """
    lodestream sample-log loans.csv
    lodestream sample-log loans.csv --cases 100000 --seed 7 --json
    """
    app.command("sample-log", rich_help_panel="Event logs", help=help_text(sample_log, examples))(sample_log)


def sample_log(
    file: Annotated[Path, typer.Argument(help="CSV file to write; replaced when it is there.", dir_okay=False)],
    cases: Annotated[int, typer.Option("--cases", "-c", min=1, help="Loan applications in it.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", "-s", help="The same seed gives the same file.")] = 20_240_101,
    as_json: Annotated[bool, typer.Option("--json", help="Print the truth as JSON.")] = False,
) -> None:
    """Write a generated event log of loan applications, and print what a right analysis must find in it.

    It has variants, a bottleneck, injected anomalies and dirty rows, all counted.
    """
    import orjson

    from lodestream.samples.loan_applications import write_log

    truth = write_log(file, cases=cases, seed=seed).as_json()
    if as_json:
        print_line(orjson.dumps(truth).decode())
        return
    fields({name.replace("_", " ").capitalize(): value for name, value in truth.items() if not _is_nested(value)})
    heading("Anomalies, in cases")
    fields({name: len(found) for name, found in truth["anomalies"].items()})
    note(f"Upload it: lodestream datasets upload {file}")


def _is_nested(value: Any) -> bool:
    """Lists of cases and the like are for --json."""
    return isinstance(value, list | dict)
