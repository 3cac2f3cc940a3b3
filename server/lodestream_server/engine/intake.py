"""From a request to a run's first events. Pure: checks the parameters against the workload and works out the time
limits."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import orjson

from lodestream.errors import InvalidField, Violation
from lodestream_server.engine import allocation
from lodestream_server.engine.allocation import MachineSize
from lodestream_server.engine.models import NewRun
from lodestream_server.runs.bodies import Allocated, Blocked, Body, PhasePlan, Queued, Range, Scheduled, Submitted
from lodestream_server.runs.states import RunKind
from lodestream_server.store.records import Dataset
from lodestream_server.workloads.catalogue import WorkloadSpec
from lodestream_server.workloads.parameters import violations

#: Parameters are part of every folded state; data belongs into datasets.
LARGEST_PARAMETERS = 64 * 1024


def check(new: NewRun, spec: WorkloadSpec) -> None:
    """Raises InvalidField with every field at fault."""
    found = violations(spec.parameters, new.parameters)
    fields = {one.field for one in found}
    found += [one for one in spec.faults(new.parameters) if one.field not in fields]
    if new.dependencies:  # what they leave is the dataset
        found = [one for one in found if one != Violation("parameters.datasetId", "is required")]
    if new.timeout_s is not None and new.timeout_s <= 0:
        found.append(Violation("timeout", "must be more than 0"))
    for name, value in (("parameters", new.parameters), ("extras", new.extras)):
        if len(orjson.dumps(value)) > LARGEST_PARAMETERS:
            found.append(Violation(name, f"must not exceed {LARGEST_PARAMETERS} bytes as JSON"))
    if found:
        raise InvalidField.of(*found)


def dataset_id(new: NewRun) -> str | None:
    """The dataset that the parameters name, else the one that the run to be tried again was given."""
    value = new.parameters.get("datasetId") or (new.origin.dataset_id if new.origin else None)
    return value if isinstance(value, str) and value else None


def first_bodies(
    new: NewRun,
    spec: WorkloadSpec,
    dataset: Dataset | None,
    machine: MachineSize,
    estimate: Range | None,
    now: datetime,
) -> Sequence[Body]:
    """Submitted, what it gets where that is less than it asked for, and what the run waits for first."""
    asked = new.resources or allocation.asked(new.parameters, spec.cpu_units, spec.memory_bytes, machine)
    before, granted = new.origin.resources if new.origin else asked, allocation.granted(asked, machine)
    scheduled_at = new.scheduled_at if new.scheduled_at and new.scheduled_at > now else None
    submitted = Submitted(
        tenant_id=new.scope.tenant_id,
        project_id=new.scope.project_id,
        kind=new.kind,
        type=new.type,
        name=new.name or new.type,
        phases=tuple(PhasePlan(phase.name, phase.weight) for phase in spec.phases),
        description=new.description,
        priority=allocation.asked_priority(new.parameters, new.priority),
        submitted_by=new.submitted_by,
        parameters=dict(new.parameters),
        dataset_id=dataset.dataset_id if dataset else None,
        size_bytes=dataset.size_bytes if dataset else None,
        resource=new.resource,
        resources=before,
        timeout_s=new.timeout_s,
        scheduled_at=scheduled_at,
        deadline=_deadline(new, scheduled_at or now, now),
        estimate=estimate,
        extras=dict(new.extras),
        origin=new.origin.run_id if new.origin else "",
        retry_number=new.retry_number,
        batch_id=new.batch_id,
        operation_key=new.operation_key,
        dependencies=new.dependencies,
    )
    reason = "RETRY" if new.origin else "MACHINE_LIMIT"
    changed = [Allocated(granted, before, reason)] if granted != before else []
    return [submitted, *changed, _first_wait(new, scheduled_at)]


def _first_wait(new: NewRun, scheduled_at: datetime | None) -> Body:
    if new.dependencies:
        return Blocked(new.dependencies)
    return Scheduled(scheduled_at) if scheduled_at else Queued()


def _deadline(new: NewRun, begins: datetime, now: datetime) -> datetime | None:
    if new.timeout_s is None or (new.batch_id and new.dependencies):  # the latter's begins when those are done
        return None
    # Documented: an operation's limit counts from submission; a job's cannot begin before the job may.
    return (now if new.kind is RunKind.OPERATION else begins) + timedelta(seconds=new.timeout_s)
