"""The command line explains itself, starts quickly, and turns every error into a message and an exit code."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lodestream import errors
from lodestream.cli import arguments, main, protos, submit
from lodestream.cli.failing import Failed, Usage, exit_code_of
from lodestream.client.problems import BadSetting, ServerUnreachable
from lodestream.v1.common_pb2 import JobType, OperationType
from lodestream.wire import words as words_of

ROOT = Path(__file__).resolve().parents[2]
IMPORT = re.compile(r'^import "([^"]+)";', re.MULTILINE)


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command of this package."""
    for name, command in group.commands.items():
        nested = getattr(command, "commands", None)
        if nested is None:
            yield (*path, name)
        else:
            yield from commands(command, (*path, name))


COMMANDS = sorted(commands(typer.main.get_command(main.app)))


def run(*words: str) -> tuple[int, str]:
    """The exit code and everything printed."""
    result = CliRunner().invoke(main.app, list(words), env={"COLUMNS": "200", "TERM": "dumb"})
    return result.exit_code, result.output + (result.stderr or "")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example_of_its_own(words):
    """--help says what it does and shows a command line that can be copied."""
    code, text = run(*words, "--help")
    assert code == 0
    assert f"lodestream {' '.join(words)}" in text.split("Examples", 1)[1]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_example_is_a_command_line_that_parses(words):
    """No example names an option that does not exist."""
    text = run(*words, "--help")[1].split("Examples", 1)[1]
    known = set(re.findall(r"(?<![\w-])-{1,2}[a-z][a-z-]*", text.split("╭", 1)[1]))
    used = set(re.findall(r"(?<![\w-])-{1,2}[a-z][a-z-]*", text.split("╭", 1)[0]))
    assert used <= known


def test_every_command_that_calls_a_server_takes_json_and_the_connection():
    """The same options in the same words everywhere."""
    for words in COMMANDS:
        if words not in (("protos",), ("sample-log",), ("facade",)):
            text = run(*words, "--help")[1]
            assert all(option in text for option in ("--json", "--target", "--token", "--tenant", "--project"))


def test_the_help_names_all_commands_in_parts():
    """`lodestream` alone is the table of contents."""
    code, text = run("--help")
    assert code == 0
    assert all(part in text for part in ("Runs", "Event logs", "Server"))
    assert all(words[0] in text for words in COMMANDS)


def test_the_command_line_starts_without_grpc():
    """Help and usage errors must not wait for what they do not need."""
    heavy = "grpc", "google.protobuf", "asyncio", "orjson", "platformdirs", "rich"
    code = f"import sys, lodestream.cli.main; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_importing_the_package_is_free_and_the_clients_are_there():
    """`import lodestream` loads nothing of the client; naming it does."""
    code = (
        "import sys, lodestream; before = 'grpc' in sys.modules;"
        "print(before, lodestream.Client.__name__, lodestream.SyncClient.__name__, hasattr(lodestream, 'nothing'))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "Client", "SyncClient", "False"]


def test_commands_of_other_packages_join_when_they_are_asked_for(monkeypatch):
    """An entry point is loaded for its command and for the help, not for ours; a broken one harms nobody else."""
    loaded: list[str] = []

    class Point(EntryPoint):
        def load(self) -> Any:
            loaded.append(self.name)
            if self.name == "broken":
                raise ImportError("no such module")
            return lambda app: app.command(self.name, help="From elsewhere.")(
                lambda: typer.echo("hello from elsewhere")
            )

    def greet() -> None:
        typer.echo("hello from elsewhere")

    points = [Point(name, "x:y", main.GROUP) for name in ("greet", "broken")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: points)
    assert run("protos", "--help")[0] == 0
    assert loaded == []
    assert run("greet") == (0, "hello from elsewhere\n")
    assert loaded == ["greet"]
    code, text = run("--help")
    assert code == 0
    assert "From elsewhere." in text
    assert run("broken")[0] == 2


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (Failed(), 1, ""),
        (errors.RunNotFound(), 1, "lodestream jobs"),
        (errors.Internal(details={"errorId": "e-7"}), 1, "e-7"),
        (errors.QuotaExceeded(retry_after_s=4), 1, "again in 4 s"),
        (
            errors.InvalidField.of(errors.Violation("priority", "is unknown; use one of Low, High")),
            2,
            "priority: is unk",
        ),
        (Usage("--param 'x': write it as KEY=VALUE"), 2, "--help"),
        (BadSetting("The tenant must be a GUID"), 2, "must be a GUID"),
        (ServerUnreachable("No server answers at h:1."), 3, "lodestream serve"),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (FileNotFoundError(2, "No such file", "gone.csv"), 1, "There is no file gone.csv"),
        (ModuleNotFoundError("No module named 'sqlite_utils'", name="sqlite_utils"), 1, "lodestream[all]"),
        (ZeroDivisionError("division by zero"), 1, "please report"),
    ],
)
def test_errors_say_what_happened_and_what_to_do_next(error, code, said, capsys):
    """On stderr, in words, without a stack trace."""
    assert exit_code_of(error) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_what_typer_raises_is_left_to_typer():
    """Usage errors and --help have their own way out."""
    assert exit_code_of(typer.Exit(4)) is None
    assert exit_code_of(typer.BadParameter("no")) is None


def test_an_unknown_command_is_a_usage_error_with_a_suggestion():
    """Exit code 2, as for every wrong usage."""
    code, text = run("jbos")
    assert code == 2
    assert "jobs" in text


def test_the_help_of_submit_names_every_type_of_work_and_no_other():
    """In the words of the contract; an own workload's own name stands for Custom."""
    jobs, operations, _ = submit.TYPES.split(". ", 2)
    for said, enum in ((jobs, JobType.DESCRIPTOR), (operations, OperationType.DESCRIPTOR)):
        named = said.replace(" (when left out)", "").partition(": ")[2].split(", ")
        assert set(named) == set(words_of(enum, "en").values()) - {"Custom"}


def test_parameters_come_from_a_file_and_from_pairs_that_win(tmp_path):
    """Values are JSON where they are JSON, and texts otherwise."""
    file = tmp_path / "p.json"
    file.write_text('{"a": 1, "b": {"c": true}}')
    pairs = ["a=2", "name=receipts of May", 'window={"startDate":"2024-01-01"}', "flag=true", "empty=", "eq=a=b"]
    assert submit.parameters(file, pairs) == {
        "a": 2,
        "b": {"c": True},
        "name": "receipts of May",
        "window": {"startDate": "2024-01-01"},
        "flag": True,
        "empty": "",
        "eq": "a=b",
    }


@pytest.mark.parametrize(("text", "pairs"), [("[1]", []), ("{", []), ("{}", ["novalue"]), ("{}", ["=x"])])
def test_parameters_that_cannot_be_read_are_a_usage_error(tmp_path, text, pairs):
    """The message names the option."""
    file = tmp_path / "p.json"
    file.write_text(text)
    with pytest.raises(Usage, match="--param"):
        submit.parameters(file, pairs)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1.5 h", 5400), ("1d", 86400)]
)
def test_spans_are_read_as_people_write_them(text, seconds):
    """A bare number is seconds."""
    assert arguments.span(text, "--timeout") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "-5s", "0", "5w"])
def test_what_is_no_span_is_a_usage_error_that_shows_one(text):
    """The user sees how to write it."""
    with pytest.raises(Usage, match="90s, 30m or 2h"):
        arguments.span(text, "--timeout")


def test_instants_without_an_offset_are_utc():
    """Dates alone are their first moment."""
    assert arguments.instant("2026-01-31", "--since") == datetime(2026, 1, 31, tzinfo=UTC)
    assert arguments.instant("2026-01-31T22:00+02:00", "--since").astimezone(UTC).hour == 20
    with pytest.raises(Usage, match="--since"):
        arguments.instant("yesterday", "--since")


def test_the_protos_that_are_written_import_nothing_that_is_missing(tmp_path):
    """Every import is there or comes with every compiler, and every file is the one of the contract."""
    written = protos.write_protos(tmp_path / "out")
    contract = {path.name for path in (ROOT / "protos/lodestream/v1").glob("*.proto")}
    assert {name.removeprefix("lodestream/v1/") for name in written if name.startswith("lodestream/")} == contract
    for name in written:
        text = (tmp_path / "out" / name).read_text()
        if name.startswith("lodestream/"):
            assert text == (ROOT / "protos" / name).read_text()
        missing = [found for found in IMPORT.findall(text) if found not in written]
        assert all(found.startswith("google/protobuf/") for found in missing)


def test_a_sample_log_is_written_with_its_truth(tmp_path):
    """The same seed gives the same file; the truth is there for people and as JSON."""
    code, text = run("sample-log", str(tmp_path / "a.csv"), "--cases", "20", "--seed", "5")
    assert code == 0
    assert "Manager Approval" in text
    code, text = run("sample-log", str(tmp_path / "b.csv"), "--cases", "20", "--seed", "5", "--json")
    assert (code, '"cases":20' in text) == (0, True)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
