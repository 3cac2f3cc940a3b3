"""Errors as a person should see them: what happened, what to do next, and the exit code. On stderr, no stack traces.

Called by the root command for everything that a command raises. LODESTREAM_DEBUG=1 shows the trace of what is
unexpected.
"""

import os
from typing import Final

from lodestream import errors
from lodestream.cli.output import errors_console
from lodestream.client.problems import BadSetting, ServerUnreachable

FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
INTERRUPTED: Final = 130


class Failed(Exception):
    """The command did its work and the answer is no: what there was to say has been said."""


class Usage(Exception):
    """An argument cannot be used; the text says which and how to write it."""


#: What to do next, by reason.
_NEXT: Final = {
    "UNAUTHENTICATED": "Give an API key with --token or LODESTREAM_TOKEN; `lodestream tokens create` makes one.",
    "ROLE_TOO_LOW": "Use a key with a higher role; `lodestream tokens create NAME --role write` makes one.",
    "RUN_NOT_FOUND": "`lodestream jobs` and `lodestream operations` list what is in the project; "
    "--tenant and --project choose another one.",
    "NOT_FOUND": "Check --tenant and --project; the key may belong to another tenant.",
    "DATASET_NOT_FOUND": "`lodestream datasets list` lists what is in the project.",
    "UNKNOWN_DATASET": "`lodestream datasets list` lists what is there; `lodestream datasets upload` adds one.",
    "RESOURCE_NOT_FOUND": "`lodestream resources list` lists what is in the project.",
    "UNKNOWN_RESOURCE": "`lodestream resources list` lists what is there; `lodestream resources register` adds one.",
    "UNKNOWN_RUN": "`lodestream jobs` and `lodestream operations` list what is there; name one that is Completed.",
    "KEY_NOT_FOUND": "`lodestream tokens list` shows the beginnings of all keys.",
    "RUN_NOT_FINISHED": "Follow it with `lodestream watch ID`, then ask again.",
    "DATASET_IN_USE": "`lodestream jobs --status Running` and `lodestream operations --status Running` show who.",
    "RESOURCE_IN_USE": "`lodestream jobs --status Running` shows who.",
    "BAD_DATASET": "Mend the file, or name its columns: `lodestream datasets upload --help`.",
    "QUOTA_EXCEEDED": "Wait a little, or ask the server's administrator for more.",
    "DISK_FULL": "Free space on the server: `lodestream datasets delete ID` removes an event log.",
    "SERVER_DRAINING": "The server restarts; try again in a moment.",
    "STORE_UNAVAILABLE": "Look at the server's log; it says why its store cannot write.",
    "DEADLINE_PASSED": "Try again; if it stays so, look at the server's log.",
    "INTERNAL": "The error id finds the cause in the server's log.",
    "BROKEN_STREAM": "Look at the server's log; `lodestream timeline ID` shows what it still knows.",
    "DATA_DIR_IN_USE": "Stop the other server, or choose another --data-dir.",
}


def exit_code_of(error: BaseException) -> int | None:
    """Tells the user about an error and returns the exit code; None for what is not an error of a command."""
    match error:
        case Failed():
            return FAILED
        case Usage():
            _say(str(error), "See the command's --help.")
            return USAGE
        case KeyboardInterrupt():
            errors_console().print("Interrupted.", style="yellow")
            return INTERRUPTED
        case ServerUnreachable():
            _say(error.message, _how_to_reach())
            return UNREACHABLE
        case BadSetting():
            _say(error.message, "")
            return USAGE
        case errors.InvalidField():
            _say_fields(error)
            return USAGE
        case errors.LodestreamError():
            _say_refusal(error)
            return FAILED
        case ModuleNotFoundError():
            _say(f"This needs the package {error.name}, which is not installed.", "pip install 'lodestream[all]'")
            return FAILED
        case BrokenPipeError():
            return None
        case OSError():
            _say(_about_file(error), "")
            return FAILED
        case Exception() if not _is_of_the_parser(error):
            return _unexpected(error)
    return None


def broken_command(name: str, error: Exception) -> None:
    """Tells that another package's command could not be loaded."""
    errors_console().print(f"The command {name} cannot be loaded: {error}", style="yellow", markup=False)


def _is_of_the_parser(error: BaseException) -> bool:
    """Whether typer raised it to show it itself: usage errors, --help, Exit."""
    return type(error).__module__.startswith(("typer.", "click."))


def _how_to_reach() -> str:
    return "Is it running? `lodestream serve --help` says how to start one; --target says where it is."


def _say(what: str, next_step: str) -> None:
    console = errors_console()
    console.print("Error:", style="bold red", end=" ")
    console.print(what, markup=False, highlight=False)
    if next_step:
        console.print(next_step, style="dim", markup=False, highlight=False)


def _say_fields(error: errors.LodestreamError) -> None:
    if not error.violations:
        _say(error.message, "")
    for violation in error.violations:
        _say(f"{violation.field}: {violation.description}", "")


def _say_refusal(error: errors.LodestreamError) -> None:
    reason = error.details.get("reason", error.reason)
    number = error.details.get("errorId", "")
    ids = f" (error id {number})" if number not in error.message else ""
    wait = f" Try again in {error.retry_after_s:g} s." if error.retry_after_s else ""
    _say(f"{error.message}{ids}", f"{_NEXT.get(reason, '')}{wait}".strip())
    for told in (f"{one.field}: {one.description}" for one in error.violations):
        if told != error.message:
            _say(told, "")


def _about_file(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"There is no file {error.filename}."
    return f"{error.strerror or error}: {error.filename}" if error.filename else str(error.strerror or error)


def _unexpected(error: Exception) -> int:
    if os.environ.get("LODESTREAM_DEBUG"):
        errors_console().print_exception()
    _say(f"Unexpected: {type(error).__name__}: {error}", "LODESTREAM_DEBUG=1 shows where; please report it.")
    return FAILED
