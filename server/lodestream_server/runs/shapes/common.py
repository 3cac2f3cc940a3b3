"""What jobs and operations show alike."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from lodestream.v1 import common_pb2
from lodestream_server.runs.bodies import Failed, Range, Rung
from lodestream_server.runs.shapes.values import struct_or_none
from lodestream_server.runs.state import PhaseState, RunState
from lodestream_server.runs.states import PhaseStatus, State


def api(run: RunState) -> str:
    """The beginning of every REST path of the run's project."""
    return f"/api/{run.tenant_id}/{run.project_id}"


def artifact_url(run: RunState, artifact_id: str) -> str:
    """Where a file is over REST, relative to the service's address."""
    return f"{api(run)}/runs/{run.run_id}/artifacts/{artifact_id}"


def phase_shown(run: RunState) -> PhaseState | None:
    """The phase at work, or the last one that was; None before the first."""
    begun = [phase for phase in run.phases if phase.status is not PhaseStatus.PENDING]
    return run.current or (begun[-1] if begun else None)


def name_of(phase: PhaseState | None) -> str | None:
    """Its name."""
    return phase.name if phase else None


def took_s(run: RunState) -> float | None:
    """From the first start to the end; None before the end, and for a run that never started."""
    if run.started is None or run.ended is None:
        return None
    return (run.ended - run.started) / timedelta(seconds=1)


def completion(start: datetime | None, estimate: Range | None) -> datetime | None:
    """When a run that begins then should be done."""
    if start is None or estimate is None:
        return None
    try:
        return start + timedelta(seconds=(estimate.low_s + estimate.high_s) / 2)
    except OverflowError:  # of an estimate that an earlier version made from sizes too unlike to compare
        return None


def error_of(run: RunState) -> common_pb2.RunError | None:
    """Why the run failed; None unless it did. Reaching the time limit is a failure to a job."""
    if run.state is State.TIMED_OUT:
        limit = f" of {run.timeout_s:g} s" if run.timeout_s else ""
        shown = phase_shown(run)
        return common_pb2.RunError(
            reason="TIMEOUT", message=f"The run reached its time limit{limit}.", stage=shown.name if shown else None
        )
    return failed(run.failure) if run.failure else None


def failed(body: Failed) -> common_pb2.RunError:
    """A failure."""
    return common_pb2.RunError(
        reason=body.reason,
        message=body.message,
        stage=body.phase,
        error_id=body.error_id,
        details=struct_or_none(body.details),
    )


def stopped_by(rung: Rung) -> str:
    """NONE, FLAG, SIGTERM or SIGKILL."""
    return rung.upper()


def counted(phases: Iterable[PhaseState], status: PhaseStatus) -> int:
    """How many phases stand there."""
    return sum(phase.status is status for phase in phases)
