"""Jobs that wait for other runs of the session: when they may begin, and whether they fail for want of one.

Worked out again when what they wait for is stopped. Operations of a batch are settled by their batch.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from lodestream_mock.play.run import Run
from lodestream_mock.scenarios.story import Kind

if TYPE_CHECKING:
    from lodestream_mock.session.session import Session


def settle(session: "Session", run: Run) -> Run:
    """The run as it waits for those of its dependencies that the session has; others are no reason to wait."""
    others = [session.runs[other] for other in run.dependencies if other in session.runs and other != run.run_id]
    ends = [(session.played(other).end, other.began - run.began) for other in others]
    ready = max((end.at + offset for end, offset in ends), default=0)
    broken = [end.at + offset for end, offset in ends if end.kind is not Kind.COMPLETED]
    failed = max(0, min(broken)) if broken else None
    settled = session.change(replace(run, blocked=max(0, ready), dependency_failed=failed))
    settle_dependants(session, run)
    return settled


def settle_dependants(session: "Session", run: Run) -> None:
    """Those that wait for a run, after its end has changed."""
    for other in list(session.runs.values()):
        if run.run_id in other.dependencies and other.run_id != run.run_id and not other.batch_id:
            settle(session, other)
