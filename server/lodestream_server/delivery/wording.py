"""A run's end in words for people: the subject and text of an e-mail, the text of a Slack message. Pure.

Names come from callers: they are kept to one line, and what Slack would read as markup is escaped.
"""

from collections.abc import Iterable

from lodestream_server.delivery.payload import results_url, status_word
from lodestream_server.delivery.tellings import Telling
from lodestream_server.runs.shapes.common import error_of, took_s
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind


def subject(telling: Telling) -> str:
    """One line: what, which, how it ended."""
    run = telling.run
    return f"{_noun(run)} {one_line(run.name)}: {status_word(run)}"


def text(telling: Telling, public_url: str) -> str:
    """The facts, one a line."""
    run = telling.run
    lines = [f"{_noun(run)} {one_line(run.name)} ({run.run_id})", f"Status: {status_word(run)}"]
    if (seconds := took_s(run)) is not None:
        lines.append(f"Duration: {seconds:.0f} s")
    if (error := error_of(run)) is not None:
        lines.append(f"Reason: {error.reason}: {one_line(error.message)}")
    if run.receipt is not None and run.cancel is not None and run.cancel.by:
        lines.append(f"Cancelled by: {one_line(run.cancel.by)}")
    if public_url:
        lines.append(f"Results: {public_url.rstrip('/')}{results_url(run)}")
    return "\n".join(lines) + "\n"


def slack_text(telling: Telling, mentions: Iterable[str], public_url: str) -> str:
    """The same for Slack, with whom to mention first; `link_names` makes Slack look the names up."""
    said = text(telling, public_url).strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    called = " ".join("@" + name.lstrip("@") for name in map(_plain_name, mentions) if name)
    return f"{called}\n{said}" if called else said


def one_line(value: str) -> str:
    """Without line breaks and control characters, at most 200 characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in value).split())[:200]


def _plain_name(value: str) -> str:
    return "".join(char for char in value if char.isalnum() or char in "@._-")


def _noun(run: RunState) -> str:
    return "Operation" if run.kind is RunKind.OPERATION else "Job"
