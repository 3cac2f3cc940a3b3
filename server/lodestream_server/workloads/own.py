"""What a package needs to bring a type of work of its own: it declares `WORKLOAD = Workload(...)`, and names it as an
entry point of the group `lodestream.workloads`, under the name of the type.

The server imports the module of the declaration; the modules of its phases are imported by workers alone, so that heavy
libraries belong there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lodestream_server.workloads.catalogue import PhaseSpec
from lodestream_server.workloads.phase import BadInput, Cancelled, Json, Phase

__all__ = ["BadInput", "Cancelled", "Json", "Phase", "PhaseSpec", "Workload"]


@dataclass(frozen=True, slots=True)
class Workload:
    """A type of work: its phases run one after the other, as a job, as an operation, or as either.

    `parameters` is a JSON Schema of the run's parameters, checked at submission. A property of the format `dataset`,
    `resource` or `run` is the id of one, which must exist and is given to the phases; `datasetId` is the run's own
    dataset in any case. `cpu_units` and `memory_bytes` are what a run gets that does not ask; 0 bytes: the share of a
    seat.
    """

    type: str
    phases: Sequence[PhaseSpec]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    kinds: Sequence[Literal["job", "operation"]] = ("job", "operation")
    description: str = ""
    cpu_units: float = 1.0
    memory_bytes: int = 0
