"""How a run says that it met a fault that is not its input's: an ERROR line with the phase, the kind of fault and what
to do next. `aftermath` asks; whatever only the server's log may hold is not told here."""

from typing import Final

from lodestream_server.runs.bodies import ErrorNoted, Failed

#: What people can do about it, by reason. What has no row is the input's: its message says how to mend it.
NEXT: Final = {
    "INTERNAL": "Try the run again; if it fails again, tell whoever runs the server the error id.",
    "OUT_OF_MEMORY": "Try it again with more memory, or with a smaller input.",
    "DISK_FULL": "Try it again when there is room on the server's disk.",
    **dict.fromkeys(
        ("WORKER_HUNG", "WORKER_KILLED", "WORKER_CRASHED", "WORKER_VANISHED", "WORKER_STOPPED"),
        "Whoever runs the server finds more in the log of the workers; then try the run again.",
    ),
}


def noted(failed: Failed, kind: str = "", *, again: bool = False) -> list[ErrorNoted]:
    """The line of a failure; none for a fault of the input. `kind` is the exception's name, if there was one; what is
    tried `again` by itself needs no advice."""
    if (advice := NEXT.get(failed.reason)) is None:
        return []
    details = {"reason": failed.reason, "fault": kind, "errorId": failed.error_id}
    known = {key: value for key, value in details.items() if value}
    where = f"{failed.phase} failed. " if failed.phase else ""
    told = f"{where}{failed.message}" if again else f"{where}{failed.message} {advice}"
    return [ErrorNoted(told, phase=failed.phase or "", details=known)]
