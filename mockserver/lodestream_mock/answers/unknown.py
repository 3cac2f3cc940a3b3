"""Ids that nobody knows, explained: what was asked, what was meant, what there is."""

import difflib
from collections.abc import Collection

from lodestream.errors import NotFound, RunNotFound
from lodestream_mock.answers.call import Call
from lodestream_mock.play.run import Run

_SHOWN = 5


def run_of(call: Call, run_id: str, kind: str = "") -> Run:
    """The run of an id, of a kind where one is asked for. Raises RunNotFound, explaining itself."""
    session = call.session
    run = session.runs.get(run_id)
    found = session.scenario.stories[run.story].kind if run else ""
    if run and kind in ("", found):
        return run
    known = [other.run_id for other in (session.of_kind(kind) if kind else reversed(session.runs.values()))]
    words = {"job": "job", "operation": "operation"}.get(kind, "run")
    if run:
        hint = f"that id is {'an operation' if found == 'operation' else 'a job'}: ask the methods of the other API. "
        raise RunNotFound(f"{call.method}: {run_id} is no {words}; {hint}{_known(run_id, known, words)}")
    message = f"{call.method}: there is no {words} {_quoted(run_id)} in this session. {_known(run_id, known, words)}"
    raise RunNotFound(message, details=_details(call, run_id, known))


def missing(call: Call, error: type[NotFound], wanted: str, known: Collection[str], what: str) -> NotFound:
    """The error for a thing that is not there."""
    ids = list(known)
    message = f"{call.method}: there is no {what} {_quoted(wanted)} in this session. {_known(wanted, ids, what)}"
    return error(message, details=_details(call, wanted, ids))


def _known(wanted: str, known: list[str], what: str) -> str:
    if not known:
        return f"There is no {what} here at all; create one first."
    near = difflib.get_close_matches(wanted, known, 1, 0.6)
    hint = f"Did you mean {near[0]}? " if near else ""
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return f"{hint}There are: {', '.join(known[:_SHOWN])}{more}."


def _details(call: Call, wanted: str, known: list[str]) -> dict[str, str]:
    near = difflib.get_close_matches(wanted, known, 3, 0.5) or known[:3]
    return {"operation": call.method, "nearest": ", ".join(near)} if near else {"operation": call.method}


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
